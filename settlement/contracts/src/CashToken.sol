// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CustodialToken} from "./CustodialToken.sol";
import {RedeemableToken} from "./RedeemableToken.sol";

/// @title Money in a segregated bank account
/// @notice Minted once a bank notice, burned when money is paid out; moves between accounts alone.
contract CashToken is RedeemableToken {
    /// @notice Bank notices that were minted.
    mapping(bytes32 noticeId => bool) public noticed;

    /// @notice The notice was minted before.
    error NoticeUsed(bytes32 noticeId);

    /// @param terms What the token is made of.
    constructor(Terms memory terms) RedeemableToken(terms) {}

    /// @notice Mint units into an account against a bank's notice.
    /// @param account Account credited.
    /// @param amount Units.
    /// @param noticeId The notice, minted once.
    function mint(address account, uint256 amount, bytes32 noticeId) external onlyCustody {
        if (noticed[noticeId]) revert NoticeUsed(noticeId);
        noticed[noticeId] = true;
        _mint(account, amount);
        emit Minted(noticeId, account, amount);
    }

    /// @inheritdoc CustodialToken
    function _outsideMoves() internal pure override returns (bool) {
        return false;
    }

    /// @inheritdoc CustodialToken
    function _requireReceiver(address to, uint256 slot) internal pure override {
        _requireAccount(to, slot);
    }

    /// @inheritdoc CustodialToken
    function _mayReceive(uint256) internal pure override returns (bool) {
        return true;
    }
}
