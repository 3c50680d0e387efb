// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStatusCache} from "./IStatusCache.sol";

/// @title A token the IdentityRegistry tells of changes
interface IListedToken is IStatusCache {
    /// @notice Learn that changes are told from now on.
    function onListed() external;
}
