// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CustodialToken} from "./CustodialToken.sol";
import {RedeemableToken} from "./RedeemableToken.sol";

/// @title Metal in a vault
/// @notice Minted only against an audited vault receipt and never above it; burned on redemption.
/// Outside wallets move it freely.
contract MetalToken is RedeemableToken {
    /// @dev What a receipt was audited at, and how much of it is minted.
    struct Receipt {
        uint128 audited;
        uint128 minted;
    }

    /// @notice Units audited and units minted, by receipt.
    mapping(bytes32 receiptId => Receipt) public receipts;

    /// @notice The receipt was audited at another figure.
    error ReceiptDiffers(bytes32 receiptId, uint256 audited, uint256 given);
    /// @notice The receipt does not cover it.
    error ReceiptExceeded(bytes32 receiptId, uint256 audited, uint256 wanted);

    /// @param terms What the token is made of.
    constructor(Terms memory terms) RedeemableToken(terms) {}

    /// @notice Mint units into an account against an audited vault receipt.
    /// @param account Account credited.
    /// @param amount Units.
    /// @param receiptId The receipt.
    /// @param receiptUnits Units the receipt was audited at, the same each time.
    function mint(address account, uint256 amount, bytes32 receiptId, uint256 receiptUnits)
        external
        onlyCustody
    {
        Receipt memory receipt = receipts[receiptId];
        if (receipt.audited == 0) {
            if (receiptUnits > SUPPLY_MAX) revert SupplyTooLarge(receiptUnits);
            receipt.audited = uint128(receiptUnits);
        }
        if (receipt.audited != receiptUnits) revert ReceiptDiffers(receiptId, receipt.audited, receiptUnits);
        uint256 minted = receipt.minted + amount;
        if (minted > receiptUnits) revert ReceiptExceeded(receiptId, receiptUnits, minted);
        receipts[receiptId] = Receipt(receipt.audited, uint128(minted));
        _mint(account, amount);
        emit Minted(receiptId, account, amount);
    }

    /// @inheritdoc CustodialToken
    function _requireReceiver(address, uint256) internal pure override {}

    /// @inheritdoc CustodialToken
    function _mayReceive(uint256) internal pure override returns (bool) {
        return true;
    }
}
