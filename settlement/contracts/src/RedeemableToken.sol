// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CustodialToken} from "./CustodialToken.sol";

/// @title A token that stands for something held elsewhere
/// @notice Burned when what it stands for leaves the vault or the bank, once a redemption.
abstract contract RedeemableToken is CustodialToken {
    /// @notice Redemptions that were carried out.
    mapping(bytes32 redemptionId => bool) public redeemed;

    /// @notice Units were minted against a vault receipt or a bank's notice.
    event Minted(bytes32 indexed evidenceId, address indexed account, uint256 amount);
    /// @notice Units were burned for a redemption.
    event Redeemed(bytes32 indexed redemptionId, address indexed account, uint256 amount);

    /// @notice The redemption was carried out before.
    error RedemptionUsed(bytes32 redemptionId);

    /// @param terms What the token is made of.
    constructor(Terms memory terms) CustodialToken(terms) {}

    /// @notice Burn units of an account that is paid out.
    /// @param account Account debited.
    /// @param amount Units.
    /// @param redemptionId The redemption, carried out once.
    function burn(address account, uint256 amount, bytes32 redemptionId) external onlyCustody {
        if (redeemed[redemptionId]) revert RedemptionUsed(redemptionId);
        redeemed[redemptionId] = true;
        _burn(account, amount);
        emit Redeemed(redemptionId, account, amount);
    }
}
