// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title What a security token asks of an identity registry (ERC-3643)
interface IIdentityRegistry {
    /// @notice Whether an address may hold securities.
    function isVerified(address userAddress) external view returns (bool);
}

/// @title What a security token asks of a compliance contract (ERC-3643)
interface ICompliance {
    /// @notice Whether a transfer keeps the offering's rules.
    function canTransfer(address from, address to, uint256 amount) external view returns (bool);
    /// @notice A transfer was made.
    function transferred(address from, address to, uint256 amount) external;
}

/// @title The permissioned token of ERC-3643, written from the text of the EIP
interface IERC3643 is IERC20 {
    event UpdatedTokenInformation(
        string newName, string newSymbol, uint8 newDecimals, string newVersion, address newOnchainID
    );
    event IdentityRegistryAdded(address indexed identityRegistry);
    event ComplianceAdded(address indexed compliance);
    event RecoverySuccess(address lostWallet, address newWallet, address investorOnchainID);
    event AddressFrozen(address indexed userAddress, bool indexed isFrozen, address indexed owner);
    event TokensFrozen(address indexed userAddress, uint256 amount);
    event TokensUnfrozen(address indexed userAddress, uint256 amount);
    event Paused(address userAddress);
    event Unpaused(address userAddress);

    /// @notice Identity of the token itself.
    function onchainID() external view returns (address);
    /// @notice Version of the token's code.
    function version() external view returns (string memory);
    /// @notice Registry that says who may hold.
    function identityRegistry() external view returns (IIdentityRegistry);
    /// @notice Rules of the offering; zero when there are none beyond the registry.
    function compliance() external view returns (ICompliance);
    /// @notice Whether outside holders' transfers stand still.
    function paused() external view returns (bool);
    /// @notice Whether a holder is frozen.
    function isFrozen(address userAddress) external view returns (bool);
    /// @notice Units of a holder that are frozen.
    function getFrozenTokens(address userAddress) external view returns (uint256);

    /// @notice Rename the token.
    function setName(string calldata newName) external;
    /// @notice Change the token's symbol.
    function setSymbol(string calldata newSymbol) external;
    /// @notice Change the token's own identity.
    function setOnchainID(address newOnchainID) external;
    /// @notice Stop outside holders' transfers.
    function pause() external;
    /// @notice Let outside holders transfer again.
    function unpause() external;
    /// @notice Freeze or thaw a holder.
    function setAddressFrozen(address userAddress, bool freeze) external;
    /// @notice Freeze some of a holder's units.
    function freezePartialTokens(address userAddress, uint256 amount) external;
    /// @notice Thaw some of a holder's units.
    function unfreezePartialTokens(address userAddress, uint256 amount) external;
    /// @notice Change the registry.
    function setIdentityRegistry(address newIdentityRegistry) external;
    /// @notice Change the rules of the offering.
    function setCompliance(address newCompliance) external;

    /// @notice Move units against their holder's will.
    function forcedTransfer(address from, address to, uint256 amount) external returns (bool);
    /// @notice Create units.
    function mint(address to, uint256 amount) external;
    /// @notice Destroy units.
    function burn(address userAddress, uint256 amount) external;
    /// @notice Move everything from a lost wallet to its holder's new one.
    function recoveryAddress(address lostWallet, address newWallet, address investorOnchainID)
        external
        returns (bool);

    /// @notice `transfer`, several times.
    function batchTransfer(address[] calldata toList, uint256[] calldata amounts) external;
    /// @notice `forcedTransfer`, several times.
    function batchForcedTransfer(
        address[] calldata fromList,
        address[] calldata toList,
        uint256[] calldata amounts
    ) external;
    /// @notice `mint`, several times.
    function batchMint(address[] calldata toList, uint256[] calldata amounts) external;
    /// @notice `burn`, several times.
    function batchBurn(address[] calldata userAddresses, uint256[] calldata amounts) external;
    /// @notice `setAddressFrozen`, several times.
    function batchSetAddressFrozen(address[] calldata userAddresses, bool[] calldata freeze) external;
    /// @notice `freezePartialTokens`, several times.
    function batchFreezePartialTokens(address[] calldata userAddresses, uint256[] calldata amounts) external;
    /// @notice `unfreezePartialTokens`, several times.
    function batchUnfreezePartialTokens(address[] calldata userAddresses, uint256[] calldata amounts) external;
}
