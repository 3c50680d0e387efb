// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";

import {InstanceDomain} from "./InstanceDomain.sol";

/// @title One body's hand on the chain
/// @notice Calls what the body's key has signed, as `msg.sender` of the target. Anyone may carry a
/// signed request; whoever carries it only pays for it.
contract Authority is InstanceDomain {
    /// @notice A call the body signs.
    struct Execute {
        address target;
        bytes data;
        bytes32 id;
        uint256 deadline;
    }

    /// @notice A call the body may sign at all.
    struct Call {
        address target;
        bytes4 selector;
    }

    bytes32 private constant EXECUTE_TYPEHASH =
        keccak256("Execute(address target,bytes data,bytes32 id,uint256 deadline)");
    bytes32 private constant ROTATE_TYPEHASH = keccak256("Rotate(address newSigner,uint256 nonce)");
    bytes32 private constant CANCEL_TYPEHASH = keccak256("CancelRotation(address newSigner,uint256 nonce)");
    bytes32 private constant AMEND_TYPEHASH =
        keccak256("Amend(address target,bytes4 selector,bool allowed,uint256 nonce)");

    /// @notice Seconds between a rotation's proposal and its effect.
    uint256 public immutable rotationDelay;
    /// @notice Body this authority speaks for, as a short string.
    bytes32 public immutable body;
    address private immutable _deployer;

    /// @notice True once the deployer has wired this contract and lost every right in it.
    bool public isSealed;
    /// @notice Key that takes over at `rotationAt`; zero when no rotation is pending.
    address public pendingSigner;
    /// @notice Unix time at which `pendingSigner` takes over.
    uint64 public rotationAt;
    /// @notice Raised by every change of key or list, so that each signature changes one thing once.
    uint256 public nonce;
    address private _signer;

    /// @notice Ids that were carried out.
    mapping(bytes32 id => bool) public used;
    /// @notice Calls the body may sign.
    mapping(address target => mapping(bytes4 selector => bool)) public isAllowed;
    /// @notice Authorities of the other bodies of this instance.
    mapping(address authority => bool) public isPeer;

    /// @notice A signed request was carried out.
    event Executed(bytes32 indexed id, address indexed target, bytes4 selector);
    /// @notice A call was put on the list or taken off it.
    event Amended(address indexed target, bytes4 indexed selector, bool allowed);
    /// @notice `newSigner` takes over at `effectiveAt`, unless cancelled.
    event RotationProposed(address indexed newSigner, uint256 effectiveAt);
    /// @notice A pending rotation was cancelled.
    event RotationCancelled(address indexed newSigner);

    /// @notice The request's deadline has passed.
    error DeadlinePassed(bytes32 id, uint256 deadline);
    /// @notice The request was carried out before.
    error IdUsed(bytes32 id);
    /// @notice The body may not make this call.
    error CallNotAllowed(address target, bytes4 selector);
    /// @notice Only the deployer wires, and only once.
    error AlreadySealed();
    /// @notice The sender is not the deployer.
    error NotDeployer(address sender);
    /// @notice The address is not another body's authority of this instance.
    error NotPeer(address authority);
    /// @notice A signer is never the zero address.
    error NoSigner();
    /// @notice A rotation is pending: cancel it, or wait.
    error RotationPending();
    /// @notice No rotation is pending.
    error NoRotation();

    /// @param salt_ Salt of the instance.
    /// @param body_ Name of the body.
    /// @param signer_ The body's first key.
    /// @param deployer Address that wires this contract once.
    /// @param rotationDelay_ Seconds a rotation waits.
    constructor(bytes32 salt_, bytes32 body_, address signer_, address deployer, uint256 rotationDelay_)
        InstanceDomain("Nexus Authority", salt_)
    {
        if (signer_ == address(0)) revert NoSigner();
        body = body_;
        _signer = signer_;
        _deployer = deployer;
        rotationDelay = rotationDelay_;
    }

    /// @notice Carry out a call the body has signed.
    /// @param request What was signed.
    /// @param signature The body's signature over it.
    /// @return What the target returned.
    function execute(Execute calldata request, bytes calldata signature) public returns (bytes memory) {
        if (block.timestamp > request.deadline) revert DeadlinePassed(request.id, request.deadline);
        if (used[request.id]) revert IdUsed(request.id);
        bytes4 selector = bytes4(request.data);
        if (!isAllowed[request.target][selector]) revert CallNotAllowed(request.target, selector);
        bytes32 structHash = keccak256(
            abi.encode(EXECUTE_TYPEHASH, request.target, keccak256(request.data), request.id, request.deadline)
        );
        _requireSigner(signer(), structHash, signature);
        used[request.id] = true;
        emit Executed(request.id, request.target, selector);
        return Address.functionCall(request.target, request.data);
    }

    /// @notice Carry out several calls the body has signed, in their order; all, or none. What was carried
    /// out before is passed over: else whoever carries one of them first would stop the others.
    /// @param requests What was signed.
    /// @param signatures The body's signature over each.
    function executeMany(Execute[] calldata requests, bytes[] calldata signatures) external {
        for (uint256 i = 0; i < requests.length; ++i) {
            if (!used[requests[i].id]) execute(requests[i], signatures[i]);
        }
    }

    /// @notice Which of several requests were carried out.
    /// @param ids Ids of the requests.
    function areUsed(bytes32[] calldata ids) external view returns (bool[] memory found) {
        found = new bool[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            found[i] = used[ids[i]];
        }
    }

    /// @notice Set the first list and the other bodies; afterwards the deployer can do nothing.
    /// @param calls Calls the body may sign.
    /// @param peers Authorities of the other bodies.
    function seal(Call[] calldata calls, address[] calldata peers) external {
        if (msg.sender != _deployer) revert NotDeployer(msg.sender);
        if (isSealed) revert AlreadySealed();
        isSealed = true;
        for (uint256 i = 0; i < calls.length; ++i) {
            _allow(calls[i].target, calls[i].selector, true);
        }
        for (uint256 i = 0; i < peers.length; ++i) {
            if (peers[i] == address(this)) revert NotPeer(peers[i]);
            isPeer[peers[i]] = true;
        }
    }

    /// @notice Change the list, by the body's own key and another body's.
    /// @param target Contract called.
    /// @param selector Function called.
    /// @param allowed Whether the body may call it.
    /// @param ownSignature Signature of the body over `Amend`.
    /// @param peer Authority of the other body.
    /// @param peerSignature Signature of the other body over the same `Amend`.
    function amend(
        address target,
        bytes4 selector,
        bool allowed,
        bytes calldata ownSignature,
        address peer,
        bytes calldata peerSignature
    ) external {
        bytes32 structHash = keccak256(abi.encode(AMEND_TYPEHASH, target, selector, allowed, nonce));
        _requireBoth(structHash, ownSignature, peer, peerSignature);
        _allow(target, selector, allowed);
    }

    /// @notice Begin to hand the body's hand to another key, by the outgoing key and another body's.
    /// @param newSigner Key that takes over after the delay.
    /// @param ownSignature Signature of the outgoing key over `Rotate`.
    /// @param peer Authority of the other body.
    /// @param peerSignature Signature of the other body over the same `Rotate`.
    function proposeRotation(
        address newSigner,
        bytes calldata ownSignature,
        address peer,
        bytes calldata peerSignature
    ) external {
        if (newSigner == address(0)) revert NoSigner();
        address current = signer();
        if (pendingSigner != address(0) && pendingSigner != current) revert RotationPending();
        _requireBoth(
            keccak256(abi.encode(ROTATE_TYPEHASH, newSigner, nonce)), ownSignature, peer, peerSignature
        );
        _signer = current;
        pendingSigner = newSigner;
        rotationAt = uint64(block.timestamp + rotationDelay);
        emit RotationProposed(newSigner, rotationAt);
    }

    /// @notice End a pending rotation, by the current key or by any other body's.
    /// @param by This authority or a peer, whose key signed.
    /// @param signature Signature over `CancelRotation`.
    function cancelRotation(address by, bytes calldata signature) external {
        address newSigner = pendingSigner;
        if (newSigner == address(0) || block.timestamp >= rotationAt) revert NoRotation();
        if (by != address(this) && !isPeer[by]) revert NotPeer(by);
        _requireSigner(
            Authority(by).signer(), keccak256(abi.encode(CANCEL_TYPEHASH, newSigner, nonce)), signature
        );
        ++nonce;
        pendingSigner = address(0);
        emit RotationCancelled(newSigner);
    }

    /// @notice The key that speaks for the body now.
    function signer() public view returns (address) {
        return pendingSigner != address(0) && block.timestamp >= rotationAt ? pendingSigner : _signer;
    }

    /// @dev Reverts unless this body's key and the peer's signed; uses up the nonce.
    function _requireBoth(
        bytes32 structHash,
        bytes calldata ownSignature,
        address peer,
        bytes calldata peerSignature
    ) private {
        if (!isPeer[peer]) revert NotPeer(peer);
        _requireSigner(signer(), structHash, ownSignature);
        _requireSigner(Authority(peer).signer(), structHash, peerSignature);
        ++nonce;
    }

    /// @dev Puts a call on the list or takes it off.
    function _allow(address target, bytes4 selector, bool allowed) private {
        isAllowed[target][selector] = allowed;
        emit Amended(target, selector, allowed);
    }
}
