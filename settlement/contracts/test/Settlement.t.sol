// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {CustodialToken} from "../src/CustodialToken.sol";
import {InstanceDomain} from "../src/InstanceDomain.sol";
import {Settlement} from "../src/Settlement.sol";

import {Instance} from "./Instance.sol";
import {vm} from "./Vm.sol";

contract SettlementTest is Instance {
    function setUp() public override {
        super.setUp();
        _mint(gold, ALICE, 100);
        _mint(won, BOB, 1_000);
        _mint(silver, CAROL, 500);
    }

    /// @dev Alice sells gold to bob and buys silver of carol with the proceeds.
    function _triangle() private view returns (bytes[] memory chunks) {
        chunks = new bytes[](6);
        chunks[0] = _collect(gold, ALICE, 10);
        chunks[1] = _collect(won, BOB, 900);
        chunks[2] = _collect(silver, CAROL, 500);
        chunks[3] = _pay(gold, BOB, 10);
        chunks[4] = _pay(won, CAROL, 900);
        chunks[5] = _pay(silver, ALICE, 500);
    }

    function _assertUntouched() private view {
        vm.assertEq(gold.balanceOf(ALICE), 100);
        vm.assertEq(won.balanceOf(BOB), 1_000);
        vm.assertEq(silver.balanceOf(CAROL), 500);
        vm.assertEq(settlement.lastSequence(), 0);
        vm.assertEq(settlement.openBatchId(), 0);
    }

    function test_proceeds_pay_when_the_batch_comes_in_one_transaction() public {
        bytes[] memory chunks = _triangle();
        Settlement.Batch memory batch = _batch(1, chunks);
        vm.expectEmit(address(settlement));
        emit Settlement.BatchSettled(1, 1, 10, ROOT);
        _settle(batch, chunks);
        vm.assertEq(gold.balanceOf(BOB), 10);
        vm.assertEq(silver.balanceOf(ALICE), 500);
        vm.assertEq(won.balanceOf(CAROL), 900);
        vm.assertEq(settlement.lastSequence(), 10);
        vm.assertEq(settlement.rootOf(1), ROOT);
    }

    function test_proceeds_pay_when_the_batch_comes_in_several_transactions() public {
        bytes[] memory chunks = _triangle();
        _openBatch(_batch(1, chunks), chunks);
        for (uint256 i = 0; i < chunks.length; ++i) {
            vm.assertEq(settlement.rootOf(1), bytes32(0));
            vm.assertEq(settlement.lastSequence(), 0);
            settlement.applyChunk(1, i, chunks[i]);
        }
        vm.assertEq(silver.balanceOf(ALICE), 500);
        vm.assertEq(settlement.lastSequence(), 10);
        vm.assertEq(gold.balanceOf(address(settlement)), 0);
    }

    function test_transfers_are_real_events_when_a_batch_settles() public {
        bytes[] memory chunks = _oneMove(gold, ALICE, BOB, 4);
        vm.expectEmit(address(gold));
        emit IERC20.Transfer(ALICE, address(settlement), 4);
        vm.expectEmit(address(gold));
        emit IERC20.Transfer(address(settlement), BOB, 4);
        _settle(_batch(1, chunks), chunks);
    }

    function test_batch_without_movements_settles_when_fills_net_to_nothing() public {
        bytes[] memory none = new bytes[](0);
        _settle(_batch(1, none), none);
        vm.assertEq(settlement.lastSequence(), 10);
        _openBatch(_batch(2, none), none);
        vm.assertEq(settlement.lastSequence(), 20);
    }

    function testFuzz_batch_is_refused_when_anything_signed_is_changed(uint8 field, uint64 value) public {
        bytes[] memory chunks = _oneMove(gold, ALICE, BOB, 4);
        Settlement.Batch memory batch = _batch(1, chunks);
        bytes memory venueSignature = _batchSignature(VENUE_KEY, batch);
        bytes memory clearingSignature = _batchSignature(CLEARING_KEY, batch);
        field = field % 3;
        if (field == 0) batch.batchId = uint64(_bound(value, 2, type(uint64).max));
        else if (field == 1) batch.toSequence = uint64(_bound(value, 11, type(uint64).max));
        else batch.fillsRoot = bytes32(uint256(value) + 1);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        settlement.settle(batch, venueSignature, clearingSignature, chunks);
        _assertUntouched();
    }

    function testFuzz_batch_is_refused_when_one_body_signs_alone(uint256 key) public {
        key = _bound(key, 1, type(uint128).max);
        vm.assume(key != VENUE_KEY && key != CLEARING_KEY);
        bytes[] memory chunks = _oneMove(gold, ALICE, BOB, 4);
        Settlement.Batch memory batch = _batch(1, chunks);
        bytes memory venueSignature = _batchSignature(VENUE_KEY, batch);
        bytes memory clearingSignature = _batchSignature(CLEARING_KEY, batch);
        bytes memory forged = _batchSignature(key, batch);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        settlement.settle(batch, venueSignature, venueSignature, chunks);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        settlement.settle(batch, clearingSignature, clearingSignature, chunks);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        settlement.settle(batch, forged, clearingSignature, chunks);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        settlement.settle(batch, venueSignature, forged, chunks);
        _assertUntouched();
    }

    function test_batch_is_refused_when_repeated_skipped_or_reordered() public {
        bytes[] memory chunks = _oneMove(gold, ALICE, BOB, 4);
        Settlement.Batch memory first = _batch(1, chunks);
        Settlement.Batch memory skipping = _batch(2, chunks);
        skipping.fromSequence = 11;
        skipping.toSequence = 20;
        _expectRefused(skipping, chunks, Settlement.WrongSequence.selector);
        _settle(first, chunks);
        _expectRefused(first, chunks, Settlement.BatchIdUsed.selector);
        first.batchId = 2;
        _expectRefused(first, chunks, Settlement.WrongSequence.selector);
        Settlement.Batch memory backwards = _batch(3, chunks);
        backwards.toSequence = 10;
        _expectRefused(backwards, chunks, Settlement.WrongSequence.selector);
        _settle(_batch(4, chunks), chunks);
        vm.assertEq(gold.balanceOf(BOB), 8);
        vm.assertEq(settlement.lastSequence(), 20);
    }

    function _expectRefused(Settlement.Batch memory batch, bytes[] memory chunks, bytes4 selector) private {
        bytes memory venueSignature = _batchSignature(VENUE_KEY, batch);
        bytes memory clearingSignature = _batchSignature(CLEARING_KEY, batch);
        vm.expectPartialRevert(selector);
        settlement.settle(batch, venueSignature, clearingSignature, chunks);
    }

    function test_batch_is_refused_when_it_has_no_root_or_id_or_another_is_open() public {
        bytes[] memory chunks = _oneMove(gold, ALICE, BOB, 4);
        Settlement.Batch memory batch = _batch(0, chunks);
        _expectRefused(batch, chunks, Settlement.BatchIdUsed.selector);
        batch = _batch(1, chunks);
        batch.fillsRoot = 0;
        _expectRefused(batch, chunks, Settlement.NoFillsRoot.selector);
        _openBatch(_batch(1, chunks), chunks);
        _expectRefused(_batch(2, chunks), chunks, Settlement.BatchOpen.selector);
    }

    function test_chunks_are_refused_when_others_or_out_of_turn() public {
        bytes[] memory chunks = _triangle();
        _openBatch(_batch(1, chunks), chunks);
        vm.expectPartialRevert(Settlement.WrongIndex.selector);
        settlement.applyChunk(1, 1, chunks[1]);
        vm.expectPartialRevert(Settlement.WrongChunks.selector);
        settlement.applyChunk(1, 0, chunks[1]);
        settlement.applyChunk(1, 0, chunks[0]);
        vm.expectPartialRevert(Settlement.WrongIndex.selector);
        settlement.applyChunk(1, 0, chunks[0]);
        vm.expectPartialRevert(Settlement.WrongStatus.selector);
        settlement.applyChunk(2, 1, chunks[1]);
        vm.assertEq(gold.balanceOf(ALICE), 90);
    }

    function test_chunks_are_refused_when_not_those_that_were_signed() public {
        bytes[] memory chunks = _triangle();
        Settlement.Batch memory batch = _batch(1, chunks);
        (chunks[3], chunks[4]) = (chunks[4], chunks[3]);
        _expectRefused(batch, chunks, Settlement.WrongChunks.selector);
        _assertUntouched();
    }

    function test_batch_is_refused_when_it_does_not_sum_to_zero() public {
        bytes[] memory chunks = _oneMove(gold, ALICE, BOB, 4);
        chunks[1] = _pay(gold, BOB, 5);
        _expectRefused(_batch(1, chunks), chunks, IERC20Errors.ERC20InsufficientBalance.selector);
        chunks[1] = _pay(gold, BOB, 3);
        _expectRefused(_batch(1, chunks), chunks, Settlement.EscrowLeft.selector);
        chunks[1] = _pay(silver, BOB, 4);
        _expectRefused(_batch(1, chunks), chunks, IERC20Errors.ERC20InsufficientBalance.selector);
        _assertUntouched();
    }

    function test_batch_is_refused_when_a_token_lies_or_calls_back() public {
        CustodialToken token = CustodialToken(address(new HostileToken(false)));
        bytes[] memory chunks = _oneMove(token, ALICE, BOB, 1);
        _expectRefused(_batch(1, chunks), chunks, Settlement.EscrowShort.selector);
        token = CustodialToken(address(new HostileToken(true)));
        chunks = _oneMove(token, ALICE, BOB, 1);
        _expectRefused(
            _batch(1, chunks), chunks, ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector
        );
        _assertUntouched();
    }

    function test_collecting_is_over_when_paying_has_begun() public {
        bytes[] memory chunks = new bytes[](3);
        chunks[0] = _collect(gold, ALICE, 4);
        chunks[1] = _pay(gold, BOB, 4);
        chunks[2] = _collect(won, BOB, 4);
        _expectRefused(_batch(1, chunks), chunks, Settlement.WrongStatus.selector);
    }

    function testFuzz_chunk_is_refused_when_its_bytes_are_malformed(bytes calldata tail, uint8 kind) public {
        bytes[] memory chunks = new bytes[](1);
        kind = kind % 4;
        if (kind == 0) chunks[0] = "";
        else if (kind == 1) chunks[0] = abi.encodePacked(uint8(2), tail);
        else if (kind == 2) chunks[0] = abi.encodePacked(uint8(0), gold, uint16(0));
        else chunks[0] = abi.encodePacked(uint8(0), gold, uint16(2), ALICE, uint64(1), bytes27(0));
        _expectRefused(_batch(1, chunks), chunks, Settlement.MalformedChunk.selector);
    }

    function test_debit_is_refused_when_the_account_is_not_of_this_clearing_house() public {
        _mint(gold, ABROAD, 5);
        bytes[] memory chunks = _oneMove(gold, ABROAD, BOB, 5);
        _expectRefused(_batch(1, chunks), chunks, CustodialToken.NotAnAccount.selector);
        _withdraw(gold, ALICE, WALLET, 5);
        chunks = _oneMove(gold, WALLET, BOB, 5);
        _expectRefused(_batch(1, chunks), chunks, CustodialToken.NotAnAccount.selector);
    }

    function test_debit_is_refused_when_the_balance_is_short() public {
        bytes[] memory chunks = _oneMove(gold, ALICE, BOB, 101);
        _expectRefused(_batch(1, chunks), chunks, IERC20Errors.ERC20InsufficientBalance.selector);
    }

    function testFuzz_freeze_stops_batches_that_begin_after_it(uint64 frozenSequence) public {
        frozenSequence = uint64(_bound(frozenSequence, 0, 30));
        bytes[] memory chunks = _oneMove(gold, ALICE, BOB, 4);
        _status(ALICE, true, true, frozenSequence);
        for (uint64 first = 1; first <= 21; first += 10) {
            Settlement.Batch memory batch = _batch(first, chunks);
            if (first > frozenSequence) {
                _expectRefused(batch, chunks, CustodialToken.AccountFrozen.selector);
                break;
            }
            _settle(batch, chunks);
        }
        bytes[] memory back = _oneMove(gold, CAROL, ALICE, 0);
        back[0] = _collect(silver, CAROL, 1);
        back[1] = _pay(silver, ALICE, 1);
        _settle(_batch(99, back), back);
        vm.assertEq(silver.balanceOf(ALICE), 1);
    }

    function test_credit_goes_to_suspense_when_its_holder_may_not_receive() public {
        bytes[] memory chunks = _oneMove(gold, ALICE, WALLET, 4);
        vm.expectEmit(address(gold));
        emit CustodialToken.Diverted(1, WALLET, 4);
        _settle(_batch(1, chunks), chunks);
        vm.assertEq(gold.balanceOf(SUSPENSE), 4);
        chunks = _oneMove(gold, ALICE, ABROAD, 4);
        _settle(_batch(2, chunks), chunks);
        chunks = _oneMove(gold, ALICE, address(settlement), 4);
        _settle(_batch(3, chunks), chunks);
        vm.assertEq(gold.balanceOf(SUSPENSE), 12);
        vm.assertEq(gold.balanceOf(address(settlement)), 0);
    }

    function test_batch_unwinds_when_the_clearing_house_says_so() public {
        bytes[] memory chunks = _triangle();
        _openBatch(_batch(1, chunks), chunks);
        settlement.applyChunk(1, 0, chunks[0]);
        settlement.applyChunk(1, 1, chunks[1]);
        settlement.unwind(1, _unwindSignature(CLEARING_KEY, 1));
        vm.expectPartialRevert(Settlement.WrongStatus.selector);
        settlement.applyChunk(1, 2, chunks[2]);
        vm.expectPartialRevert(Settlement.WrongIndex.selector);
        settlement.refund(1, 0, chunks[0]);
        vm.expectPartialRevert(Settlement.WrongChunks.selector);
        settlement.refund(1, 1, chunks[0]);
        settlement.refund(1, 1, chunks[1]);
        vm.assertEq(settlement.openBatchId(), 1);
        vm.expectEmit(address(settlement));
        emit Settlement.BatchUnwound(1);
        settlement.refund(1, 0, chunks[0]);
        _assertUntouched();
        vm.assertEq(settlement.rootOf(1), bytes32(0));
        _expectRefused(_batch(1, chunks), chunks, Settlement.BatchIdUsed.selector);
        _settle(_batch(2, chunks), chunks);
        vm.assertEq(settlement.lastSequence(), 10);
    }

    function test_batch_unwinds_at_once_when_nothing_is_collected() public {
        bytes[] memory chunks = _triangle();
        _openBatch(_batch(1, chunks), chunks);
        settlement.unwind(1, _unwindSignature(CLEARING_KEY, 1));
        _assertUntouched();
    }

    function testFuzz_anyone_unwinds_when_the_time_is_over(uint64 elapsed) public {
        elapsed = uint64(_bound(elapsed, 0, 2 * TIMEOUT));
        bytes[] memory chunks = _triangle();
        _openBatch(_batch(1, chunks), chunks);
        settlement.applyChunk(1, 0, chunks[0]);
        vm.warp(block.timestamp + elapsed);
        bool early = elapsed < TIMEOUT;
        if (early) vm.expectPartialRevert(Settlement.UnwindTooEarly.selector);
        settlement.unwind(1, "");
        if (early) return;
        settlement.refund(1, 0, chunks[0]);
        _assertUntouched();
    }

    function test_unwind_is_refused_when_another_signs_or_something_is_paid() public {
        bytes[] memory chunks = _triangle();
        _openBatch(_batch(1, chunks), chunks);
        bytes memory forged = _unwindSignature(VENUE_KEY, 1);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        settlement.unwind(1, forged);
        bytes memory other = _unwindSignature(CLEARING_KEY, 2);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        settlement.unwind(1, other);
        for (uint256 i = 0; i < 4; ++i) {
            settlement.applyChunk(1, i, chunks[i]);
        }
        bytes memory late = _unwindSignature(CLEARING_KEY, 1);
        vm.expectPartialRevert(Settlement.WrongStatus.selector);
        settlement.unwind(1, late);
        vm.warp(block.timestamp + TIMEOUT);
        vm.expectPartialRevert(Settlement.WrongStatus.selector);
        settlement.unwind(1, "");
    }

    function test_refund_reaches_the_holder_when_he_was_frozen_meanwhile() public {
        _status(ALICE, true, false, 0);
        _mint(shares, ALICE, 9);
        bytes[] memory chunks = _oneMove(shares, ALICE, BOB, 9);
        _openBatch(_batch(1, chunks), chunks);
        settlement.applyChunk(1, 0, chunks[0]);
        _status(ALICE, false, true, 0);
        settlement.unwind(1, _unwindSignature(CLEARING_KEY, 1));
        settlement.refund(1, 0, chunks[0]);
        vm.assertEq(shares.balanceOf(ALICE), 9);
    }
}

/// @dev A token that pays more than it took, or that calls the contract which calls it.
contract HostileToken {
    bool private immutable _callsBack;

    constructor(bool callsBack) {
        _callsBack = callsBack;
    }

    function collect(uint64, bytes calldata) external returns (uint256) {
        if (_callsBack) Settlement(msg.sender).unwind(1, "");
        return 1;
    }

    function pay(uint64, address, bytes calldata) external pure returns (uint256) {
        return 2;
    }
}

contract SubstitutionTest is Instance {
    bytes[] private _chunks;

    function setUp() public override {
        super.setUp();
        _mint(gold, ALICE, 3);
        _mint(gold, CAROL, 50);
        _mint(gold, FUND, 100);
        // Alice owes ten of which she has three; carol's debits stand around hers.
        _chunks.push(
            abi.encodePacked(
                uint8(0), gold, uint16(3), address(0xDA4E), uint64(0), ALICE, uint64(10), CAROL, uint64(2)
            )
        );
        _chunks.push(_pay(gold, BOB, 12));
    }

    function test_fund_pays_when_both_bodies_signed() public {
        _substitute(1, gold, ALICE, 7);
        vm.expectEmit(address(settlement));
        emit Settlement.Substituted(1, address(gold), ALICE, 7);
        _settle(_batch(1, _chunks), _chunks);
        vm.assertEq(gold.balanceOf(ALICE), 0);
        vm.assertEq(gold.balanceOf(FUND), 93);
        vm.assertEq(gold.balanceOf(BOB), 12);
        vm.assertEq(gold.balanceOf(CAROL), 48);
    }

    function test_fund_pays_the_debit_at_most_when_the_cover_is_larger() public {
        _status(ALICE, false, true, 0);
        _substitute(1, gold, ALICE, 50);
        _settle(_batch(1, _chunks), _chunks);
        vm.assertEq(gold.balanceOf(ALICE), 3);
        vm.assertEq(gold.balanceOf(FUND), 90);
    }

    function test_cover_comes_in_time_when_the_batch_is_open_and_stuck() public {
        _openBatch(_batch(1, _chunks), _chunks);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientBalance.selector);
        settlement.applyChunk(1, 0, _chunks[0]);
        _substitute(1, gold, ALICE, 7);
        settlement.applyChunk(1, 0, _chunks[0]);
        settlement.applyChunk(1, 1, _chunks[1]);
        vm.assertEq(settlement.rootOf(1), ROOT);
    }

    function test_fund_is_refunded_when_the_batch_unwinds() public {
        _substitute(1, gold, ALICE, 7);
        _openBatch(_batch(1, _chunks), _chunks);
        settlement.applyChunk(1, 0, _chunks[0]);
        vm.assertEq(gold.balanceOf(FUND), 93);
        settlement.unwind(1, _unwindSignature(CLEARING_KEY, 1));
        settlement.refund(1, 0, _chunks[0]);
        vm.assertEq(gold.balanceOf(FUND), 100);
        vm.assertEq(gold.balanceOf(ALICE), 3);
        vm.assertEq(gold.balanceOf(CAROL), 50);
    }

    function test_refund_is_as_collected_when_a_cover_comes_late() public {
        _mint(gold, ALICE, 7);
        _openBatch(_batch(1, _chunks), _chunks);
        settlement.applyChunk(1, 0, _chunks[0]);
        _substitute(1, gold, ALICE, 7);
        settlement.unwind(1, _unwindSignature(CLEARING_KEY, 1));
        settlement.refund(1, 0, _chunks[0]);
        vm.assertEq(gold.balanceOf(FUND), 100);
        vm.assertEq(gold.balanceOf(ALICE), 10);
    }

    function test_cover_counts_in_its_own_batch_and_once() public {
        _substitute(2, gold, ALICE, 7);
        Settlement.Batch memory batch = _batch(1, _chunks);
        bytes memory venueSignature = _batchSignature(VENUE_KEY, batch);
        bytes memory clearingSignature = _batchSignature(CLEARING_KEY, batch);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientBalance.selector);
        settlement.settle(batch, venueSignature, clearingSignature, _chunks);
        bytes memory none;
        vm.expectPartialRevert(Settlement.WrongCover.selector);
        settlement.substitute(2, address(gold), ALICE, 7, none, none);
        vm.expectPartialRevert(Settlement.WrongCover.selector);
        settlement.substitute(3, address(gold), FUND, 7, none, none);
        bytes[] memory twice = new bytes[](3);
        twice[0] = _collect(gold, ALICE, 8);
        twice[1] = _collect(gold, ALICE, 8);
        twice[2] = _pay(gold, BOB, 16);
        batch = _batch(2, twice);
        venueSignature = _batchSignature(VENUE_KEY, batch);
        clearingSignature = _batchSignature(CLEARING_KEY, batch);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientBalance.selector);
        settlement.settle(batch, venueSignature, clearingSignature, twice);
    }

    function test_cover_is_refused_when_one_body_signs_alone() public {
        bytes32 typeHash = keccak256("Substitute(uint64 batchId,address token,address account,uint256 amount)");
        bytes32 structHash = keccak256(abi.encode(typeHash, uint64(1), gold, ALICE, uint256(7)));
        bytes memory ofVenue = _signature(VENUE_KEY, settlement, structHash);
        bytes memory ofClearing = _signature(CLEARING_KEY, settlement, structHash);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        settlement.substitute(1, address(gold), ALICE, 7, ofVenue, ofVenue);
        vm.expectPartialRevert(InstanceDomain.WrongSigner.selector);
        settlement.substitute(1, address(gold), ALICE, 7, ofClearing, ofClearing);
    }
}
