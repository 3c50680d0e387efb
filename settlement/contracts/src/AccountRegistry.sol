// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HolderWord} from "./HolderWord.sol";
import {IStatusCache} from "./IStatusCache.sol";

/// @title Whose clearing house settles an account
/// @notice Maps an account to its clearing id, written once by custody; zero means outside. Beside it stands a
/// copy of the IdentityRegistry's status, so that a token learns all about a holder by one read.
contract AccountRegistry is IStatusCache {
    using HolderWord for uint256;

    /// @notice Accounts opened in one call at the most.
    uint256 public constant OPEN_MAX = 512;
    /// @notice Custody's authority, which alone opens accounts.
    address public immutable custody;
    address private immutable _deployer;

    /// @notice True once the deployer has wired this contract and lost every right in it.
    bool public isSealed;
    /// @notice Compliance's registry, whose changes are copied here.
    address public identities;
    /// @notice What stands about a holder, laid out as in HolderWord; the balance is zero.
    mapping(address holder => uint256) public wordOf;

    /// @notice `account` belongs to `clearingId` from now on.
    event AccountOpened(address indexed account, uint32 indexed clearingId);
    /// @notice `settlement` settles the accounts of `clearingId`.
    event SettlementSet(address indexed settlement, uint32 indexed clearingId);

    /// @notice The sender is not custody's authority.
    error NotCustody(address sender);
    /// @notice The sender is not the identity registry.
    error NotIdentityRegistry(address sender);
    /// @notice The sender is not the deployer.
    error NotDeployer(address sender);
    /// @notice Only the deployer wires, and only once.
    error AlreadySealed();
    /// @notice The address belongs to a clearing id already and keeps it.
    error AlreadyOpen(address account, uint32 clearingId);
    /// @notice The zero address and the zero clearing id mean nobody.
    error Nobody();
    /// @notice More accounts than one call opens.
    error TooMany(uint256 count);

    /// @param custody_ Custody's authority.
    /// @param deployer Address that wires this contract once.
    constructor(address custody_, address deployer) {
        custody = custody_;
        _deployer = deployer;
    }

    /// @notice Name the settlement contract and the reserved accounts of the home clearing id.
    /// @param settlement Contract that settles them.
    /// @param clearingId The home clearing id.
    /// @param reserved Suspense and guarantee fund.
    /// @param identities_ Registry whose changes are copied here.
    function seal(address settlement, uint32 clearingId, address[] calldata reserved, address identities_)
        external
    {
        if (msg.sender != _deployer) revert NotDeployer(msg.sender);
        if (isSealed) revert AlreadySealed();
        isSealed = true;
        if (clearingId == 0) revert Nobody();
        identities = identities_;
        wordOf[settlement] = HolderWord.ofClearing(clearingId) | HolderWord.SETTLEMENT;
        emit SettlementSet(settlement, clearingId);
        for (uint256 i = 0; i < reserved.length; ++i) {
            _open(reserved[i], clearingId);
        }
    }

    /// @notice Open one account. Opening it again under the same id changes nothing.
    /// @param account Address of the account.
    /// @param clearingId Clearing house that settles it.
    function open(address account, uint32 clearingId) external {
        if (msg.sender != custody) revert NotCustody(msg.sender);
        _open(account, clearingId);
    }

    /// @notice Open several accounts under one clearing id.
    /// @param accounts Addresses of the accounts.
    /// @param clearingId Clearing house that settles them.
    function openMany(address[] calldata accounts, uint32 clearingId) external {
        if (msg.sender != custody) revert NotCustody(msg.sender);
        if (accounts.length > OPEN_MAX) revert TooMany(accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            _open(accounts[i], clearingId);
        }
    }

    /// @inheritdoc IStatusCache
    function syncStatus(address holder, uint256 status) external {
        if (msg.sender != identities) revert NotIdentityRegistry(msg.sender);
        wordOf[holder] = wordOf[holder].withStatus(status);
    }

    /// @notice Clearing id of an account; zero for everybody else, settlement contracts included.
    /// @param account Address asked about.
    function clearingIdOf(address account) external view returns (uint32) {
        uint256 word = wordOf[account];
        return word & HolderWord.SETTLEMENT == 0 ? word.clearing() : 0;
    }

    /// @dev Writes an account's clearing id, once for ever.
    function _open(address account, uint32 clearingId) private {
        if (account == address(0) || clearingId == 0) revert Nobody();
        uint256 word = wordOf[account];
        uint32 found = word.clearing();
        if (word & HolderWord.SETTLEMENT != 0 || (found != 0 && found != clearingId)) {
            revert AlreadyOpen(account, found);
        }
        if (found == clearingId) return;
        wordOf[account] = word | HolderWord.ofClearing(clearingId);
        emit AccountOpened(account, clearingId);
    }
}
