// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What stands about a holder in one word
/// @notice balance 128 bits | clearing id 32 | sequence of the freeze 64 | frozen 1 | verified 1 | token's own
/// freeze 1 | settlement contract 1. Balance and the token's freeze are kept by each token; the rest is the
/// AccountRegistry's, of which a token keeps a copy in an account's word.
library HolderWord {
    uint256 internal constant BALANCE = type(uint128).max;
    uint256 internal constant CLEARING = uint256(type(uint32).max) << 128;
    uint256 internal constant FROZEN = 1 << 224;
    uint256 internal constant VERIFIED = 1 << 225;
    uint256 internal constant TOKEN_FROZEN = 1 << 226;
    uint256 internal constant SETTLEMENT = 1 << 227;
    uint256 private constant STATUS = (uint256(type(uint64).max) << 160) | FROZEN | VERIFIED;

    /// @dev Clearing id as it stands in a word.
    function ofClearing(uint32 clearingId) internal pure returns (uint256) {
        return uint256(clearingId) << 128;
    }

    /// @dev Status as it stands in a word.
    function ofStatus(bool verified, bool frozen, uint64 frozenSequence) internal pure returns (uint256) {
        return (uint256(frozenSequence) << 160) | (frozen ? FROZEN : 0) | (verified ? VERIFIED : 0);
    }

    /// @dev The word with another status.
    function withStatus(uint256 word, uint256 status) internal pure returns (uint256) {
        return (word & ~STATUS) | status;
    }

    /// @dev Clearing id of an account or settlement contract.
    function clearing(uint256 word) internal pure returns (uint32) {
        return uint32(word >> 128);
    }

    /// @dev Whether a debit of a batch that begins at `fromSequence` is refused.
    function isFrozenFor(uint256 word, uint64 fromSequence) internal pure returns (bool) {
        return word & FROZEN != 0 && fromSequence > uint64(word >> 160);
    }
}
