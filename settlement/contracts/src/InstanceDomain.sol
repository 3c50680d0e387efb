// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title EIP-712 domain of one instance
/// @notice Binds signatures to chain, contract and instance, so that none holds anywhere else.
abstract contract InstanceDomain {
    /// @dev name, version, chainId, verifyingContract and salt are all present.
    bytes1 private constant ALL_FIELDS = 0x1f;
    bytes32 private constant VERSION_HASH = keccak256("1");

    /// @notice The instance UUID's 16 bytes, then 16 zero bytes.
    bytes32 public immutable salt;
    bytes32 private immutable _nameHash;
    bytes32 private immutable _separator;
    uint256 private immutable _chainId;

    /// @notice The signature is not by the key this act needs.
    error WrongSigner(address expected, address found);

    /// @param name The domain's name.
    /// @param salt_ The instance's salt.
    constructor(string memory name, bytes32 salt_) {
        salt = salt_;
        _nameHash = keccak256(bytes(name));
        _chainId = block.chainid;
        _separator = _separatorBuild();
    }

    /// @notice EIP-712 domain separator, rebuilt when the chain has forked to another id.
    function domainSeparator() public view returns (bytes32) {
        return block.chainid == _chainId ? _separator : _separatorBuild();
    }

    /// @dev Reverts unless `signature` over `structHash` in this domain is by `expected`.
    function _requireSigner(address expected, bytes32 structHash, bytes calldata signature) internal view {
        bytes32 digest = MessageHashUtils.toTypedDataHash(domainSeparator(), structHash);
        address found = ECDSA.recoverCalldata(digest, signature);
        if (found != expected) revert WrongSigner(expected, found);
    }

    /// @dev Hashes the domain as it stands on this chain.
    function _separatorBuild() private view returns (bytes32) {
        return MessageHashUtils.toDomainSeparator(
            ALL_FIELDS, _nameHash, VERSION_HASH, block.chainid, address(this), salt
        );
    }
}
