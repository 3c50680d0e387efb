// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A contract that keeps a copy of the IdentityRegistry's status
interface IStatusCache {
    /// @notice Take over a changed status.
    /// @param holder Address it is about.
    /// @param status Verified, frozen and the sequence of the freeze, laid out as in HolderWord.
    function syncStatus(address holder, uint256 status) external;
}
