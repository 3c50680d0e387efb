// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Authority} from "../src/Authority.sol";
import {CustodialToken} from "../src/CustodialToken.sol";
import {InstanceDomain} from "../src/InstanceDomain.sol";
import {MetalToken} from "../src/MetalToken.sol";

import {Instance} from "./Instance.sol";
import {vm} from "./Vm.sol";

contract AuthorityTest is Instance {
    bytes32 private constant RECEIPT = keccak256("receipt");
    uint256 private constant NEW_KEY = 0xB1;

    function _mintRequest(bytes32 id) private view returns (Authority.Execute memory) {
        bytes memory data = abi.encodeCall(MetalToken.mint, (ALICE, 5, RECEIPT, 10));
        return Authority.Execute(address(gold), data, id, block.timestamp + 60);
    }

    function _executeSignature(uint256 key, Authority.Execute memory request)
        private
        view
        returns (bytes memory)
    {
        bytes32 typeHash = keccak256("Execute(address target,bytes data,bytes32 id,uint256 deadline)");
        bytes32 structHash = keccak256(
            abi.encode(typeHash, request.target, keccak256(request.data), request.id, request.deadline)
        );
        return _signature(key, custody, structHash);
    }

    function _keyChange(string memory name, uint256 key, address newSigner)
        private
        view
        returns (bytes memory)
    {
        bytes32 typeHash = keccak256(abi.encodePacked(name, "(address newSigner,uint256 nonce)"));
        return _signature(key, custody, keccak256(abi.encode(typeHash, newSigner, custody.nonce())));
    }

    function _propose() private {
        address newSigner = vm.addr(NEW_KEY);
        custody.proposeRotation(
            newSigner,
            _keyChange("Rotate", CUSTODY_KEY, newSigner),
            address(venue),
            _keyChange("Rotate", VENUE_KEY, newSigner)
        );
    }

    function test_execute_calls_as_the_body_when_its_key_signed() public {
        Authority.Execute memory request = _mintRequest("a");
        vm.expectEmit(address(custody));
        emit Authority.Executed("a", address(gold), MetalToken.mint.selector);
        custody.execute(request, _executeSignature(CUSTODY_KEY, request));
        vm.assertEq(gold.balanceOf(ALICE), 5);
        vm.assertTrue(custody.used("a"));
    }

    function _two() private view returns (Authority.Execute[] memory requests, bytes[] memory signatures) {
        requests = new Authority.Execute[](2);
        signatures = new bytes[](2);
        for (uint256 i = 0; i < 2; ++i) {
            requests[i] = _mintRequest(bytes32(i + 1));
            signatures[i] = _executeSignature(CUSTODY_KEY, requests[i]);
        }
    }

    function test_execute_many_calls_each_once_when_one_was_carried_before() public {
        (Authority.Execute[] memory requests, bytes[] memory signatures) = _two();
        custody.execute(requests[1], signatures[1]);
        custody.executeMany(requests, signatures);
        custody.executeMany(requests, signatures);
        vm.assertEq(gold.balanceOf(ALICE), 10);
        bytes32[] memory ids = new bytes32[](3);
        (ids[0], ids[1], ids[2]) = (bytes32(uint256(1)), "never", bytes32(uint256(2)));
        bool[] memory found = custody.areUsed(ids);
        vm.assertTrue(found[0] && !found[1] && found[2]);
    }

    function test_execute_many_calls_none_when_one_is_refused() public {
        (Authority.Execute[] memory requests, bytes[] memory signatures) = _two();
        signatures[1] = _executeSignature(VENUE_KEY, requests[1]);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        custody.executeMany(requests, signatures);
        vm.assertEq(gold.totalSupply(), 0);
        vm.assertFalse(custody.used(requests[0].id));
    }

    function test_execute_is_refused_when_repeated() public {
        Authority.Execute memory request = _mintRequest("a");
        bytes memory signature = _executeSignature(CUSTODY_KEY, request);
        custody.execute(request, signature);
        vm.expectRevert(abi.encodeWithSelector(Authority.IdUsed.selector, bytes32("a")));
        custody.execute(request, signature);
        vm.assertEq(gold.balanceOf(ALICE), 5);
    }

    function test_execute_is_refused_when_late() public {
        Authority.Execute memory request = _mintRequest("a");
        bytes memory signature = _executeSignature(CUSTODY_KEY, request);
        vm.warp(request.deadline + 1);
        vm.expectPartialRevert(Authority.DeadlinePassed.selector);
        custody.execute(request, signature);
    }

    function testFuzz_execute_is_refused_when_anything_signed_is_changed(uint8 field, uint256 value) public {
        Authority.Execute memory request = _mintRequest("a");
        bytes memory signature = _executeSignature(CUSTODY_KEY, request);
        field = field % 3;
        if (field == 0) {
            vm.assume(value != 5);
            request.data = abi.encodeCall(MetalToken.mint, (ALICE, value, RECEIPT, 10));
        } else if (field == 1) {
            vm.assume(bytes32(value) != request.id);
            request.id = bytes32(value);
        } else {
            request.deadline = _bound(value, request.deadline + 1, type(uint256).max - 1);
        }
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        custody.execute(request, signature);
        vm.assertEq(gold.totalSupply(), 0);
    }

    function testFuzz_execute_is_refused_when_another_key_signed(uint256 key) public {
        key = _bound(key, 1, type(uint128).max);
        vm.assume(key != CUSTODY_KEY);
        Authority.Execute memory request = _mintRequest("a");
        bytes memory signature = _executeSignature(key, request);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        custody.execute(request, signature);
    }

    function test_execute_is_refused_when_signed_for_another_instance() public {
        Authority.Execute memory request = _mintRequest("a");
        Authority other =
            new Authority(bytes32("other"), "custody", vm.addr(CUSTODY_KEY), address(this), ROTATION_DELAY);
        vm.assertTrue(other.domainSeparator() != custody.domainSeparator());
        bytes memory data = abi.encodeCall(MetalToken.mint, (ALICE, 5, RECEIPT, 10));
        bytes32 typeHash = keccak256("Execute(address target,bytes data,bytes32 id,uint256 deadline)");
        bytes32 structHash =
            keccak256(abi.encode(typeHash, address(gold), keccak256(data), request.id, request.deadline));
        bytes memory signature = _signature(CUSTODY_KEY, other, structHash);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        custody.execute(request, signature);
    }

    function test_execute_is_refused_when_the_call_is_not_listed() public {
        bytes memory data = abi.encodeCall(CustodialToken.custodyTransfer, (ALICE, WALLET, 1));
        Authority.Execute memory request = Authority.Execute(address(gold), data, "a", block.timestamp);
        bytes memory signature = _executeSignature(CUSTODY_KEY, request);
        vm.expectPartialRevert(Authority.CallNotAllowed.selector);
        custody.execute(request, signature);
    }

    function test_execute_keeps_its_id_when_the_call_fails() public {
        Authority.Execute memory request = _mintRequest("a");
        request.data = abi.encodeCall(MetalToken.mint, (WALLET, 5, RECEIPT, 10));
        bytes memory signature = _executeSignature(CUSTODY_KEY, request);
        vm.expectPartialRevert(CustodialToken.NotAnAccount.selector);
        custody.execute(request, signature);
        vm.assertFalse(custody.used("a"));
        _open(WALLET, HOME);
        custody.execute(request, signature);
        vm.assertEq(gold.balanceOf(WALLET), 5);
    }

    function test_list_changes_when_two_bodies_sign() public {
        bytes32 typeHash = keccak256("Amend(address target,bytes4 selector,bool allowed,uint256 nonce)");
        bytes4 selector = CustodialToken.custodyTransfer.selector;
        bytes32 structHash = keccak256(abi.encode(typeHash, address(gold), selector, true, 0));
        bytes memory own = _signature(CUSTODY_KEY, custody, structHash);
        bytes memory alone = _signature(STRANGER_KEY, custody, structHash);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        custody.amend(address(gold), selector, true, own, address(venue), alone);
        vm.expectPartialRevert(Authority.NotPeer.selector);
        custody.amend(address(gold), selector, true, own, address(custody), own);
        bytes memory peer = _signature(VENUE_KEY, custody, structHash);
        custody.amend(address(gold), selector, true, own, address(venue), peer);
        vm.assertTrue(custody.isAllowed(address(gold), selector));
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        custody.amend(address(gold), selector, true, own, address(venue), peer);
    }

    function test_key_rotates_when_two_bodies_sign_and_the_delay_is_over() public {
        _propose();
        vm.assertEq(custody.signer(), vm.addr(CUSTODY_KEY));
        vm.warp(block.timestamp + ROTATION_DELAY);
        vm.assertEq(custody.signer(), vm.addr(NEW_KEY));
        Authority.Execute memory request = _mintRequest("a");
        bytes memory outgoing = _executeSignature(CUSTODY_KEY, request);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        custody.execute(request, outgoing);
        custody.execute(request, _executeSignature(NEW_KEY, request));
        vm.assertEq(gold.balanceOf(ALICE), 5);
    }

    function test_rotation_is_refused_when_one_key_signs_for_both() public {
        address newSigner = vm.addr(NEW_KEY);
        bytes memory own = _keyChange("Rotate", CUSTODY_KEY, newSigner);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        custody.proposeRotation(newSigner, own, address(venue), own);
        vm.expectPartialRevert(Authority.NotPeer.selector);
        custody.proposeRotation(newSigner, own, address(custody), own);
        vm.assertEq(custody.pendingSigner(), address(0));
    }

    function test_rotation_ends_when_any_body_cancels_in_time() public {
        _propose();
        address newSigner = vm.addr(NEW_KEY);
        bytes memory stranger = _keyChange("CancelRotation", STRANGER_KEY, newSigner);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        custody.cancelRotation(address(compliance), stranger);
        custody.cancelRotation(address(compliance), _keyChange("CancelRotation", COMPLIANCE_KEY, newSigner));
        vm.warp(block.timestamp + ROTATION_DELAY);
        vm.assertEq(custody.signer(), vm.addr(CUSTODY_KEY));
    }

    function test_rotation_is_final_when_the_delay_is_over() public {
        _propose();
        vm.warp(block.timestamp + ROTATION_DELAY);
        bytes memory late = _keyChange("CancelRotation", VENUE_KEY, vm.addr(NEW_KEY));
        vm.expectPartialRevert(Authority.NoRotation.selector);
        custody.cancelRotation(address(venue), late);
    }

    function test_second_rotation_waits_when_one_is_pending() public {
        _propose();
        address next = vm.addr(0xB2);
        bytes memory own = _keyChange("Rotate", CUSTODY_KEY, next);
        bytes memory peer = _keyChange("Rotate", VENUE_KEY, next);
        vm.expectPartialRevert(Authority.RotationPending.selector);
        custody.proposeRotation(next, own, address(venue), peer);
        vm.warp(block.timestamp + ROTATION_DELAY);
        custody.proposeRotation(
            next, _keyChange("Rotate", NEW_KEY, next), address(venue), _keyChange("Rotate", VENUE_KEY, next)
        );
        vm.assertEq(custody.signer(), vm.addr(NEW_KEY));
        vm.warp(block.timestamp + ROTATION_DELAY);
        vm.assertEq(custody.signer(), next);
    }
}
