// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CustodialToken} from "./CustodialToken.sol";
import {HolderWord} from "./HolderWord.sol";
import {ICompliance, IERC3643, IIdentityRegistry} from "./IERC3643.sol";

/// @title A security on a distributed ledger (ERC-3643)
/// @notice Held by verified holders only. Custody's authority is the agent that mints, burns, forces and
/// recovers; compliance's authority freezes and pauses; the venue's authority, as owner, describes it.
/// @dev Accounts are frozen in the IdentityRegistry, with the engine's sequence number, never here: a rule
/// that only this contract knew would stop batches the engine thought good. For the same reason a pause
/// stops outside holders alone; trading is halted in the engine.
contract SecurityToken is CustodialToken, IERC3643 {
    /// @notice Elements of a list at the most.
    uint256 public constant LIST_MAX = 128;
    /// @inheritdoc IERC3643
    string public constant version = "1";
    /// @notice Compliance's authority.
    address public immutable officer;
    /// @notice The venue's authority.
    address public immutable owner;

    /// @inheritdoc IERC3643
    address public onchainID;
    /// @inheritdoc IERC3643
    bool public paused;
    /// @inheritdoc IERC3643
    ICompliance public compliance;
    /// @inheritdoc IERC3643
    mapping(address userAddress => uint256) public getFrozenTokens;

    /// @notice The sender is not compliance's authority.
    error NotOfficer(address sender);
    /// @notice The sender is not the venue's authority.
    error NotOwner(address sender);
    /// @notice The token stands still for outside holders, or does so already, or does not.
    error PauseState(bool paused);
    /// @notice The address is not verified.
    error NotVerified(address account);
    /// @notice An account's freeze is set in the IdentityRegistry.
    error FreezeByRegistry(address account);
    /// @notice The holder is so already; in this way the order of two signed freezes cannot be turned.
    error FreezeUnchanged(address account);
    /// @notice Not so many units are frozen, or not so many can be.
    error FrozenUnits(address account, uint256 available, uint256 wanted);
    /// @notice The offering's rules refuse the transfer.
    error NotCompliant(address from, address to, uint256 amount);
    /// @notice Holders' status is kept beside their balances, so the registry does not change.
    error RegistryFixed();
    /// @notice Lists differ in length or are too long.
    error WrongLists();

    /// @param terms What the token is made of.
    /// @param officer_ Compliance's authority.
    /// @param owner_ The venue's authority.
    constructor(Terms memory terms, address officer_, address owner_) CustodialToken(terms) {
        officer = officer_;
        owner = owner_;
        emit IdentityRegistryAdded(address(terms.identities));
    }

    modifier onlyOfficer() {
        if (msg.sender != officer) revert NotOfficer(msg.sender);
        _;
    }

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    /// @inheritdoc IERC3643
    function mint(address to, uint256 amount) external onlyCustody {
        _mintVerified(to, amount);
    }

    /// @inheritdoc IERC3643
    function burn(address userAddress, uint256 amount) external onlyCustody {
        _burn(userAddress, amount);
    }

    /// @inheritdoc IERC3643
    function forcedTransfer(address from, address to, uint256 amount) external onlyCustody returns (bool) {
        _force(from, to, amount);
        return true;
    }

    /// @inheritdoc IERC3643
    function recoveryAddress(address lostWallet, address newWallet, address investorOnchainID)
        external
        onlyCustody
        returns (bool)
    {
        uint256 slot = _loaded(lostWallet);
        _requireOutside(lostWallet, slot);
        uint256 frozenUnits = getFrozenTokens[lostWallet];
        _force(lostWallet, newWallet, slot & HolderWord.BALANCE);
        if (frozenUnits != 0) {
            getFrozenTokens[newWallet] += frozenUnits;
            emit TokensFrozen(newWallet, frozenUnits);
        }
        if (slot & HolderWord.TOKEN_FROZEN != 0 && _slots[newWallet] & HolderWord.TOKEN_FROZEN == 0) {
            _setFrozen(newWallet, true);
        }
        emit RecoverySuccess(lostWallet, newWallet, investorOnchainID);
        return true;
    }

    /// @inheritdoc IERC3643
    function pause() external onlyOfficer {
        if (paused) revert PauseState(true);
        paused = true;
        emit Paused(msg.sender);
    }

    /// @inheritdoc IERC3643
    function unpause() external onlyOfficer {
        if (!paused) revert PauseState(false);
        paused = false;
        emit Unpaused(msg.sender);
    }

    /// @inheritdoc IERC3643
    function setAddressFrozen(address userAddress, bool freeze) external onlyOfficer {
        _setFrozen(userAddress, freeze);
    }

    /// @inheritdoc IERC3643
    function freezePartialTokens(address userAddress, uint256 amount) external onlyOfficer {
        _freezeUnits(userAddress, amount);
    }

    /// @inheritdoc IERC3643
    function unfreezePartialTokens(address userAddress, uint256 amount) external onlyOfficer {
        _unfreezeUnits(userAddress, amount);
    }

    /// @inheritdoc IERC3643
    function setName(string calldata newName) external onlyOwner {
        name = newName;
        emit UpdatedTokenInformation(name, symbol, decimals, version, onchainID);
    }

    /// @inheritdoc IERC3643
    function setSymbol(string calldata newSymbol) external onlyOwner {
        symbol = newSymbol;
        emit UpdatedTokenInformation(name, symbol, decimals, version, onchainID);
    }

    /// @inheritdoc IERC3643
    function setOnchainID(address newOnchainID) external onlyOwner {
        onchainID = newOnchainID;
        emit UpdatedTokenInformation(name, symbol, decimals, version, onchainID);
    }

    /// @inheritdoc IERC3643
    function setCompliance(address newCompliance) external onlyOwner {
        compliance = ICompliance(newCompliance);
        emit ComplianceAdded(newCompliance);
    }

    /// @inheritdoc IERC3643
    function setIdentityRegistry(address) external pure {
        revert RegistryFixed();
    }

    /// @inheritdoc IERC3643
    function batchTransfer(address[] calldata toList, uint256[] calldata amounts) external {
        _requireLists(toList.length, amounts.length);
        for (uint256 i = 0; i < toList.length; ++i) {
            _moveOutside(msg.sender, toList[i], amounts[i]);
        }
    }

    /// @inheritdoc IERC3643
    function batchForcedTransfer(
        address[] calldata fromList,
        address[] calldata toList,
        uint256[] calldata amounts
    ) external onlyCustody {
        _requireLists(fromList.length, toList.length);
        _requireLists(fromList.length, amounts.length);
        for (uint256 i = 0; i < fromList.length; ++i) {
            _force(fromList[i], toList[i], amounts[i]);
        }
    }

    /// @inheritdoc IERC3643
    function batchMint(address[] calldata toList, uint256[] calldata amounts) external onlyCustody {
        _requireLists(toList.length, amounts.length);
        for (uint256 i = 0; i < toList.length; ++i) {
            _mintVerified(toList[i], amounts[i]);
        }
    }

    /// @inheritdoc IERC3643
    function batchBurn(address[] calldata userAddresses, uint256[] calldata amounts) external onlyCustody {
        _requireLists(userAddresses.length, amounts.length);
        for (uint256 i = 0; i < userAddresses.length; ++i) {
            _burn(userAddresses[i], amounts[i]);
        }
    }

    /// @inheritdoc IERC3643
    function batchSetAddressFrozen(address[] calldata userAddresses, bool[] calldata freeze)
        external
        onlyOfficer
    {
        _requireLists(userAddresses.length, freeze.length);
        for (uint256 i = 0; i < userAddresses.length; ++i) {
            _setFrozen(userAddresses[i], freeze[i]);
        }
    }

    /// @inheritdoc IERC3643
    function batchFreezePartialTokens(address[] calldata userAddresses, uint256[] calldata amounts)
        external
        onlyOfficer
    {
        _requireLists(userAddresses.length, amounts.length);
        for (uint256 i = 0; i < userAddresses.length; ++i) {
            _freezeUnits(userAddresses[i], amounts[i]);
        }
    }

    /// @inheritdoc IERC3643
    function batchUnfreezePartialTokens(address[] calldata userAddresses, uint256[] calldata amounts)
        external
        onlyOfficer
    {
        _requireLists(userAddresses.length, amounts.length);
        for (uint256 i = 0; i < userAddresses.length; ++i) {
            _unfreezeUnits(userAddresses[i], amounts[i]);
        }
    }

    /// @inheritdoc IERC3643
    function identityRegistry() external view returns (IIdentityRegistry) {
        return IIdentityRegistry(address(identities));
    }

    /// @inheritdoc IERC3643
    function isFrozen(address userAddress) external view returns (bool) {
        return _loaded(userAddress) & (HolderWord.FROZEN | HolderWord.TOKEN_FROZEN) != 0;
    }

    /// @inheritdoc CustodialToken
    function _moveOutside(address from, address to, uint256 amount) internal override {
        if (paused) revert PauseState(true);
        uint256 slot = _loaded(from);
        if (slot & (HolderWord.FROZEN | HolderWord.TOKEN_FROZEN) != 0) revert AccountFrozen(from);
        if (_loaded(to) & (HolderWord.FROZEN | HolderWord.TOKEN_FROZEN) != 0) revert AccountFrozen(to);
        uint256 available = (slot & HolderWord.BALANCE) - getFrozenTokens[from];
        if (available < amount) revert ERC20InsufficientBalance(from, available, amount);
        ICompliance rules = compliance;
        if (address(rules) != address(0) && !rules.canTransfer(from, to, amount)) {
            revert NotCompliant(from, to, amount);
        }
        super._moveOutside(from, to, amount);
        if (address(rules) != address(0)) rules.transferred(from, to, amount);
    }

    /// @inheritdoc CustodialToken
    function _requireReceiver(address to, uint256 slot) internal pure override {
        if (slot & HolderWord.VERIFIED == 0) revert NotVerified(to);
    }

    /// @inheritdoc CustodialToken
    function _mayReceive(uint256 slot) internal pure override returns (bool) {
        return slot & HolderWord.VERIFIED != 0;
    }

    /// @dev Creates units in a verified account.
    function _mintVerified(address to, uint256 amount) private {
        _requireReceiver(to, _loaded(to));
        _mint(to, amount);
    }

    /// @dev Moves units of any holder but a settlement contract, frozen or not, to a verified one.
    function _force(address from, address to, uint256 amount) private {
        uint256 slot = _loaded(from);
        if (slot & HolderWord.SETTLEMENT != 0) revert ERC20InvalidSender(from);
        uint256 balance = slot & HolderWord.BALANCE;
        uint256 frozenUnits = getFrozenTokens[from];
        if (balance >= amount && balance - amount < frozenUnits) {
            _unfreezeUnits(from, frozenUnits - (balance - amount));
        }
        _store(from, slot, amount);
        _credit(to, amount);
        emit Transfer(from, to, amount);
    }

    /// @dev Freezes or thaws an outside holder.
    function _setFrozen(address userAddress, bool freeze) private {
        uint256 slot = _requireFreezable(userAddress);
        if ((slot & HolderWord.TOKEN_FROZEN != 0) == freeze) revert FreezeUnchanged(userAddress);
        _slots[userAddress] ^= HolderWord.TOKEN_FROZEN;
        emit AddressFrozen(userAddress, freeze, msg.sender);
    }

    /// @dev Freezes units of an outside holder.
    function _freezeUnits(address userAddress, uint256 amount) private {
        uint256 available = (_requireFreezable(userAddress) & HolderWord.BALANCE) - getFrozenTokens[userAddress];
        if (available < amount) revert FrozenUnits(userAddress, available, amount);
        getFrozenTokens[userAddress] += amount;
        emit TokensFrozen(userAddress, amount);
    }

    /// @dev Thaws units of a holder.
    function _unfreezeUnits(address userAddress, uint256 amount) private {
        uint256 frozenUnits = getFrozenTokens[userAddress];
        if (frozenUnits < amount) revert FrozenUnits(userAddress, frozenUnits, amount);
        getFrozenTokens[userAddress] = frozenUnits - amount;
        emit TokensUnfrozen(userAddress, amount);
    }

    /// @dev Slot of an outside holder; accounts and settlement contracts are not frozen here.
    function _requireFreezable(address userAddress) private view returns (uint256 slot) {
        slot = _loaded(userAddress);
        if (slot & HolderWord.SETTLEMENT != 0 || slot & HolderWord.CLEARING != 0) {
            revert FreezeByRegistry(userAddress);
        }
    }

    /// @dev Reverts unless two lists are of one length within the bound.
    function _requireLists(uint256 first, uint256 second) private pure {
        if (first != second || first > LIST_MAX) revert WrongLists();
    }
}
