// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {AccountRegistry} from "./AccountRegistry.sol";
import {HolderWord} from "./HolderWord.sol";
import {IListedToken} from "./IListedToken.sol";
import {IStatusCache} from "./IStatusCache.sol";
import {IdentityRegistry} from "./IdentityRegistry.sol";

/// @title A token whose accounts are custodial
/// @notice ERC-20 whose holders are of two kinds. An account (a clearing id in AccountRegistry) is
/// moved by the Settlement of that clearing id and by custody alone; an outside address moves itself,
/// as far as the kind of token lets it.
/// @dev One slot a holder, laid out as in HolderWord, so that a settled delta costs one slot. Clearing id and
/// status are copies, taken on an account's first touch and kept in step by the IdentityRegistry; what
/// stands beside an outside balance is looked up anew each time.
abstract contract CustodialToken is IERC20Metadata, IERC20Errors, IListedToken {
    using HolderWord for uint256;

    /// @notice What a token is made of.
    struct Terms {
        string name;
        string symbol;
        uint8 decimals;
        address custody;
        AccountRegistry accounts;
        IdentityRegistry identities;
    }

    /// @notice Units that may exist at the most, so that totals fit in 63 bits everywhere.
    uint256 public constant SUPPLY_MAX = 2 ** 63 - 1;

    /// @dev Bytes of one entry: account (20), amount (8).
    uint256 private constant ENTRY = 28;

    /// @notice Custody's authority.
    address public immutable custody;
    /// @notice Which addresses are accounts.
    AccountRegistry public immutable accounts;
    /// @notice Who is verified and who is frozen.
    IdentityRegistry public immutable identities;
    /// @inheritdoc IERC20Metadata
    uint8 public immutable decimals;

    /// @inheritdoc IERC20Metadata
    string public name;
    /// @inheritdoc IERC20Metadata
    string public symbol;
    /// @notice Units that exist.
    uint256 public totalSupply;
    /// @notice True once the IdentityRegistry tells this token of changes; until then no account holds anything.
    bool public isListed;
    mapping(address holder => uint256) internal _slots;
    mapping(address owner => mapping(address spender => uint256)) private _allowances;

    /// @notice A credit its holder may not receive went to suspense.
    event Diverted(uint64 indexed batchId, address indexed account, uint256 amount);

    /// @notice The sender is not custody's authority.
    error NotCustody(address sender);
    /// @notice The sender is not the identity registry.
    error NotIdentityRegistry(address sender);
    /// @notice The sender is not a settlement contract.
    error NotSettlement(address sender);
    /// @notice Not an account, or one of another clearing id.
    error NotAnAccount(address account, uint32 expected, uint32 found);
    /// @notice An account's holder moves nothing itself, and of cash nobody does.
    error Custodial(address account);
    /// @notice The IdentityRegistry does not tell this token of changes.
    error NotListed();
    /// @notice The holder is frozen.
    error AccountFrozen(address account);
    /// @notice Entries are not a whole number of 28 bytes.
    error MalformedEntries(uint256 length);
    /// @notice More units than may exist.
    error SupplyTooLarge(uint256 supply);

    /// @param terms What the token is made of.
    constructor(Terms memory terms) {
        name = terms.name;
        symbol = terms.symbol;
        decimals = terms.decimals;
        custody = terms.custody;
        accounts = terms.accounts;
        identities = terms.identities;
    }

    modifier onlyCustody() {
        if (msg.sender != custody) revert NotCustody(msg.sender);
        _;
    }

    /// @notice Take debits of a batch into the settlement contract that calls.
    /// @param fromSequence First sequence number of the batch: a later freeze does not stop it.
    /// @param entries Packed accounts and amounts.
    /// @return total Units taken.
    function collect(uint64 fromSequence, bytes calldata entries) external returns (uint256 total) {
        uint32 clearingId = _settlementClearingId();
        uint256 length = _entriesLength(entries);
        // Nothing here can overflow: amounts are 64 bits, and balances never pass SUPPLY_MAX.
        unchecked {
            for (uint256 offset = 0; offset < length; offset += ENTRY) {
                (address account, uint256 amount) = _entry(entries, offset);
                if (amount == 0) continue;
                uint256 slot = _loaded(account);
                _requireClearing(account, slot, clearingId);
                if (slot.isFrozenFor(fromSequence)) revert AccountFrozen(account);
                _store(account, slot, amount);
                total += amount;
                emit Transfer(account, msg.sender, amount);
            }
        }
        _slots[msg.sender] += total;
    }

    /// @notice Pay credits of a batch out of the settlement contract that calls.
    /// @param batchId Batch, for the event of a diversion.
    /// @param suspense Account that receives what a holder may not.
    /// @param entries Packed accounts and amounts.
    /// @return total Units paid.
    function pay(uint64 batchId, address suspense, bytes calldata entries) external returns (uint256 total) {
        uint32 clearingId = _settlementClearingId();
        uint256 length = _entriesLength(entries);
        // Nothing here can overflow: what is paid was collected, and the sum is checked at the end.
        unchecked {
            for (uint256 offset = 0; offset < length; offset += ENTRY) {
                (address account, uint256 amount) = _entry(entries, offset);
                uint256 slot = _loaded(account);
                if (slot.clearing() != clearingId || !_mayReceive(slot)) {
                    emit Diverted(batchId, account, amount);
                    account = suspense;
                    slot = _loaded(account);
                    _requireClearing(account, slot, clearingId);
                }
                _slots[account] = slot + amount;
                total += amount;
                emit Transfer(msg.sender, account, amount);
            }
        }
        _debitSettlement(total);
    }

    /// @notice Give collected debits back to whom they were taken from, whatever his status is now.
    /// @param entries Packed accounts and amounts.
    /// @return total Units given back.
    function refund(bytes calldata entries) external returns (uint256 total) {
        uint32 clearingId = _settlementClearingId();
        uint256 length = _entriesLength(entries);
        unchecked {
            for (uint256 offset = 0; offset < length; offset += ENTRY) {
                (address account, uint256 amount) = _entry(entries, offset);
                uint256 slot = _loaded(account);
                _requireClearing(account, slot, clearingId);
                _slots[account] = slot + amount;
                total += amount;
                emit Transfer(msg.sender, account, amount);
            }
        }
        _debitSettlement(total);
    }

    /// @notice Move units out of an account, on custody's word.
    /// @param from Account debited; refused when frozen.
    /// @param to Receiver the token allows.
    /// @param amount Units.
    function custodyTransfer(address from, address to, uint256 amount) external onlyCustody {
        _debitAccount(from, amount);
        _credit(to, amount);
        emit Transfer(from, to, amount);
    }

    /// @inheritdoc IStatusCache
    function syncStatus(address holder, uint256 status) external {
        if (msg.sender != address(identities)) revert NotIdentityRegistry(msg.sender);
        uint256 slot = _slots[holder];
        if (slot & HolderWord.CLEARING != 0) _slots[holder] = slot.withStatus(status);
    }

    /// @inheritdoc IListedToken
    function onListed() external {
        if (msg.sender != address(identities)) revert NotIdentityRegistry(msg.sender);
        isListed = true;
    }

    /// @notice Move own units; an account's holder cannot.
    /// @param to Receiver.
    /// @param amount Units.
    function transfer(address to, uint256 amount) external returns (bool) {
        _moveOutside(msg.sender, to, amount);
        return true;
    }

    /// @notice Move units another outside holder has approved.
    /// @param from Holder debited.
    /// @param to Receiver.
    /// @param amount Units.
    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        uint256 allowed = _allowances[from][msg.sender];
        if (allowed < amount) revert ERC20InsufficientAllowance(msg.sender, allowed, amount);
        if (allowed != type(uint256).max) _allowances[from][msg.sender] = allowed - amount;
        _moveOutside(from, to, amount);
        return true;
    }

    /// @notice Let `spender` move own units; an account's holder cannot.
    /// @param spender Who may move them.
    /// @param amount Units; the largest number means without bound.
    function approve(address spender, uint256 amount) external returns (bool) {
        _requireOutside(msg.sender, _loaded(msg.sender));
        if (spender == address(0)) revert ERC20InvalidSpender(spender);
        _allowances[msg.sender][spender] = amount;
        emit Approval(msg.sender, spender, amount);
        return true;
    }

    /// @notice Units `spender` may still move for `owner`.
    /// @param owner Holder.
    /// @param spender Who may move them.
    function allowance(address owner, address spender) external view returns (uint256) {
        return _allowances[owner][spender];
    }

    /// @notice Units a holder has; of a settlement contract, what it holds in escrow.
    /// @param holder Address asked about.
    function balanceOf(address holder) external view returns (uint256) {
        return _slots[holder] & HolderWord.BALANCE;
    }

    /// @notice Units of several holders, read at one block.
    /// @param holders Addresses asked about.
    /// @return balances Units, in the same order.
    function balancesOf(address[] calldata holders) external view returns (uint256[] memory balances) {
        balances = new uint256[](holders.length);
        for (uint256 i = 0; i < holders.length; ++i) {
            balances[i] = _slots[holders[i]] & HolderWord.BALANCE;
        }
    }

    /// @dev Creates units in an account.
    function _mint(address account, uint256 amount) internal {
        uint256 supply = totalSupply + amount;
        if (supply > SUPPLY_MAX) revert SupplyTooLarge(supply);
        totalSupply = supply;
        uint256 slot = _loaded(account);
        _requireAccount(account, slot);
        _slots[account] = slot + amount;
        emit Transfer(address(0), account, amount);
    }

    /// @dev Destroys units of an account that is not frozen.
    function _burn(address account, uint256 amount) internal {
        _debitAccount(account, amount);
        totalSupply -= amount;
        emit Transfer(account, address(0), amount);
    }

    /// @dev Moves units of an outside holder on his own word or on that of whom he approved.
    function _moveOutside(address from, address to, uint256 amount) internal virtual {
        uint256 slot = _loaded(from);
        _requireOutside(from, slot);
        _store(from, slot, amount);
        _credit(to, amount);
        emit Transfer(from, to, amount);
    }

    /// @dev Debits an account that is not frozen.
    function _debitAccount(address account, uint256 amount) internal {
        uint256 slot = _loaded(account);
        _requireAccount(account, slot);
        if (slot & HolderWord.FROZEN != 0) revert AccountFrozen(account);
        _store(account, slot, amount);
    }

    /// @dev Credits a receiver the token allows.
    function _credit(address to, uint256 amount) internal {
        uint256 slot = _loaded(to);
        if (to == address(0) || to == address(this) || slot & HolderWord.SETTLEMENT != 0) {
            revert ERC20InvalidReceiver(to);
        }
        _requireReceiver(to, slot);
        _slots[to] = slot + amount;
    }

    /// @dev Stores a slot less `amount`; reverts below zero.
    function _store(address holder, uint256 slot, uint256 amount) internal {
        uint256 balance = slot & HolderWord.BALANCE;
        if (balance < amount) revert ERC20InsufficientBalance(holder, balance, amount);
        unchecked {
            _slots[holder] = slot - amount;
        }
    }

    /// @dev A holder's slot, with clearing id and status looked up where no copy stands. Of a settlement
    /// contract it says no more than that.
    function _loaded(address holder) internal view returns (uint256 slot) {
        slot = _slots[holder];
        if (slot & HolderWord.CLEARING != 0) return slot;
        uint256 word = accounts.wordOf(holder);
        slot &= HolderWord.BALANCE | HolderWord.TOKEN_FROZEN;
        if (word & HolderWord.SETTLEMENT != 0) return slot | HolderWord.SETTLEMENT;
        if (word & HolderWord.CLEARING != 0 && !isListed) revert NotListed();
        return slot | word;
    }

    /// @dev Reverts unless the slot is of an account of any clearing id.
    function _requireAccount(address account, uint256 slot) internal pure {
        if (slot & HolderWord.CLEARING == 0) revert NotAnAccount(account, 0, 0);
    }

    /// @dev Reverts unless the holder is outside and such holders move this token themselves.
    function _requireOutside(address holder, uint256 slot) internal pure {
        if (slot & (HolderWord.CLEARING | HolderWord.SETTLEMENT) != 0 || !_outsideMoves()) {
            revert Custodial(holder);
        }
    }

    /// @dev Whether outside holders move this token themselves.
    function _outsideMoves() internal pure virtual returns (bool) {
        return true;
    }

    /// @dev Reverts unless `to` may receive by a transfer; accounts and outside addresses alike.
    function _requireReceiver(address to, uint256 slot) internal view virtual;

    /// @dev Whether an account may receive from a batch; otherwise its credit is diverted.
    function _mayReceive(uint256 slot) internal view virtual returns (bool);

    /// @dev Takes units a batch has paid out of its settlement contract's own balance.
    function _debitSettlement(uint256 total) private {
        _store(msg.sender, _slots[msg.sender], total);
    }

    /// @dev Clearing id of the settlement contract that calls; reverts for anyone else.
    function _settlementClearingId() private view returns (uint32) {
        uint256 word = accounts.wordOf(msg.sender);
        if (word & HolderWord.SETTLEMENT == 0) revert NotSettlement(msg.sender);
        return word.clearing();
    }

    /// @dev Reverts unless the slot is of an account of this clearing id.
    function _requireClearing(address account, uint256 slot, uint32 clearingId) private pure {
        uint32 found = slot.clearing();
        if (found != clearingId) revert NotAnAccount(account, clearingId, found);
    }

    /// @dev Length of entries, a whole number of them.
    function _entriesLength(bytes calldata entries) private pure returns (uint256 length) {
        length = entries.length;
        if (length % ENTRY != 0) revert MalformedEntries(length);
    }

    /// @dev Reads one entry; `offset` must lie within a whole number of entries.
    function _entry(bytes calldata entries, uint256 offset)
        private
        pure
        returns (address account, uint256 amount)
    {
        assembly ("memory-safe") {
            let position := add(entries.offset, offset)
            account := shr(96, calldataload(position))
            amount := shr(192, calldataload(add(position, 20)))
        }
    }
}
