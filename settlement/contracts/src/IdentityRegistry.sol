// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccountRegistry} from "./AccountRegistry.sol";
import {HolderWord} from "./HolderWord.sol";
import {IListedToken} from "./IListedToken.sol";

/// @title Who is identified and who is frozen
/// @notice Compliance's word on every address. It holds no personal data: two bits, the engine's
/// sequence number of the freeze, and a version that must rise.
contract IdentityRegistry {
    /// @notice What stands about an address.
    struct Status {
        bool verified;
        bool frozen;
        uint64 frozenSequence;
        uint64 version;
    }

    /// @notice One change, as compliance signs it.
    struct StatusUpdate {
        address account;
        bool verified;
        bool frozen;
        uint64 frozenSequence;
        uint64 version;
    }

    /// @notice Tokens that are told of changes, at the most.
    uint256 public constant TOKENS_MAX = 64;
    /// @notice Changes in one call at the most.
    uint256 public constant UPDATES_MAX = 128;
    /// @notice Compliance's authority, which alone sets a status.
    address public immutable compliance;
    /// @notice The venue's authority and custody's, which together list a token after deployment.
    address public immutable venue;
    address public immutable custody;
    /// @notice Keeps a copy of every status.
    AccountRegistry public immutable accounts;
    address private immutable _deployer;

    /// @notice True once the deployer has wired this contract and lost every right in it.
    bool public isSealed;
    /// @notice Tokens that are told of changes.
    mapping(address token => bool) public isListed;
    /// @notice Which of the two bodies has asked for a token that is not listed yet.
    mapping(address token => address body) public proposedBy;
    address[] private _tokens;
    mapping(address account => Status) private _statuses;

    /// @notice The status of `account` changed.
    event StatusSet(address indexed account, bool verified, bool frozen, uint64 frozenSequence, uint64 version);
    /// @notice One body wants `token` listed.
    event TokenProposed(address indexed token, address indexed body);
    /// @notice `token` is told of changes from now on.
    event TokenAdded(address indexed token);

    /// @notice The sender is not compliance's authority.
    error NotCompliance(address sender);
    /// @notice The sender is neither the venue's authority nor custody's.
    error NotLister(address sender);
    /// @notice The sender is not the deployer.
    error NotDeployer(address sender);
    /// @notice Only the deployer wires, and only once.
    error AlreadySealed();
    /// @notice The version does not rise: the change is a repetition or comes late.
    error VersionNotRising(address account, uint64 current, uint64 given);
    /// @notice The token is not on the list, or is there already.
    error TokenListing(address token, bool listed);
    /// @notice More than one call or the list takes.
    error TooMany(uint256 count);

    /// @param compliance_ Compliance's authority.
    /// @param venue_ The venue's authority.
    /// @param custody_ Custody's authority.
    /// @param accounts_ Registry that keeps a copy of every status.
    /// @param deployer Address that wires this contract once.
    constructor(
        address compliance_,
        address venue_,
        address custody_,
        AccountRegistry accounts_,
        address deployer
    ) {
        compliance = compliance_;
        venue = venue_;
        custody = custody_;
        accounts = accounts_;
        _deployer = deployer;
    }

    /// @notice Name the first tokens; afterwards the deployer can do nothing.
    /// @param first Tokens that are told of changes.
    function seal(address[] calldata first) external {
        if (msg.sender != _deployer) revert NotDeployer(msg.sender);
        if (isSealed) revert AlreadySealed();
        isSealed = true;
        for (uint256 i = 0; i < first.length; ++i) {
            _addToken(first[i]);
        }
    }

    /// @notice List a token: the first of venue and custody proposes, the other one lists. A token that
    /// is not listed can hold nothing for an account, and one that misbehaves could stop a freeze.
    /// @param token Token that is told of changes.
    function addToken(address token) external {
        if (msg.sender != venue && msg.sender != custody) revert NotLister(msg.sender);
        if (proposedBy[token] == (msg.sender == venue ? custody : venue)) {
            _addToken(token);
        } else {
            proposedBy[token] = msg.sender;
            emit TokenProposed(token, msg.sender);
        }
    }

    /// @notice Set the status of one address and tell every contract that keeps a copy.
    /// @param account Address it is about.
    /// @param verified Identified, so that it may receive securities.
    /// @param frozen Its debits stop.
    /// @param frozenSequence Engine's sequence number of the freeze; batches from before it still settle.
    /// @param version Above the version that stands.
    function setStatus(address account, bool verified, bool frozen, uint64 frozenSequence, uint64 version)
        external
    {
        if (msg.sender != compliance) revert NotCompliance(msg.sender);
        _setStatus(StatusUpdate(account, verified, frozen, frozenSequence, version));
    }

    /// @notice Set the status of several addresses; all or none.
    /// @param updates The changes.
    function setStatusMany(StatusUpdate[] calldata updates) external {
        if (msg.sender != compliance) revert NotCompliance(msg.sender);
        if (updates.length > UPDATES_MAX) revert TooMany(updates.length);
        for (uint256 i = 0; i < updates.length; ++i) {
            _setStatus(updates[i]);
        }
    }

    /// @notice Whether an address is identified (ERC-3643).
    /// @param account Address asked about.
    function isVerified(address account) external view returns (bool) {
        return _statuses[account].verified;
    }

    /// @notice What stands about an address.
    /// @param account Address asked about.
    function statusOf(address account) external view returns (Status memory) {
        return _statuses[account];
    }

    /// @notice Every listed token.
    function tokens() external view returns (address[] memory) {
        return _tokens;
    }

    /// @dev Writes a status whose version rises and tells every contract that keeps a copy.
    function _setStatus(StatusUpdate memory update) private {
        Status storage status = _statuses[update.account];
        if (update.version <= status.version) {
            revert VersionNotRising(update.account, status.version, update.version);
        }
        uint64 frozenSequence = update.frozen ? update.frozenSequence : 0;
        _statuses[update.account] = Status(update.verified, update.frozen, frozenSequence, update.version);
        emit StatusSet(update.account, update.verified, update.frozen, frozenSequence, update.version);
        uint256 word = HolderWord.ofStatus(update.verified, update.frozen, frozenSequence);
        accounts.syncStatus(update.account, word);
        uint256 count = _tokens.length;
        for (uint256 i = 0; i < count; ++i) {
            IListedToken(_tokens[i]).syncStatus(update.account, word);
        }
    }

    /// @dev Lists a token once.
    function _addToken(address token) private {
        if (isListed[token]) revert TokenListing(token, true);
        if (_tokens.length == TOKENS_MAX) revert TooMany(TOKENS_MAX + 1);
        isListed[token] = true;
        _tokens.push(token);
        IListedToken(token).onListed();
        emit TokenAdded(token);
    }
}
