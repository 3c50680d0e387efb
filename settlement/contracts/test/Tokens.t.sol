// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {CashToken} from "../src/CashToken.sol";
import {CustodialToken} from "../src/CustodialToken.sol";
import {MetalToken} from "../src/MetalToken.sol";
import {RedeemableToken} from "../src/RedeemableToken.sol";

import {Instance} from "./Instance.sol";
import {vm} from "./Vm.sol";

contract CustodialTokenTest is Instance {
    function testFuzz_account_moves_nothing_when_its_holder_tries(uint64 amount, bool cash) public {
        CustodialToken token = cash ? CustodialToken(won) : CustodialToken(gold);
        _mint(token, ALICE, 1_000);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.Custodial.selector, ALICE));
        token.transfer(BOB, amount);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.Custodial.selector, ALICE));
        token.approve(WALLET, amount);
        vm.assertEq(token.balanceOf(ALICE), 1_000);
    }

    function test_approval_ends_when_the_wallet_becomes_an_account() public {
        _mint(gold, ALICE, 10);
        _withdraw(gold, ALICE, WALLET, 10);
        vm.prank(WALLET);
        gold.approve(OTHER_WALLET, 10);
        _open(WALLET, HOME);
        vm.prank(OTHER_WALLET);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.Custodial.selector, WALLET));
        gold.transferFrom(WALLET, OTHER_WALLET, 1);
    }

    function testFuzz_settlement_side_is_refused_when_anyone_else_calls(address sender) public {
        vm.assume(sender != address(settlement));
        _mint(gold, ALICE, 10);
        bytes memory entries = abi.encodePacked(ALICE, uint64(1));
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.NotSettlement.selector, sender));
        gold.collect(1, entries);
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.NotSettlement.selector, sender));
        gold.pay(1, SUSPENSE, entries);
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.NotSettlement.selector, sender));
        gold.refund(entries);
    }

    function testFuzz_custody_side_is_refused_when_anyone_else_calls(address sender) public {
        vm.assume(sender != address(custody));
        _mint(gold, ALICE, 10);
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.NotCustody.selector, sender));
        gold.custodyTransfer(ALICE, sender, 1);
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.NotCustody.selector, sender));
        gold.burn(ALICE, 1, "redemption");
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.NotCustody.selector, sender));
        gold.mint(ALICE, 1, "receipt", 1);
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.NotCustody.selector, sender));
        won.mint(ALICE, 1, "notice");
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.NotCustody.selector, sender));
        shares.forcedTransfer(ALICE, sender, 1);
    }

    function test_custody_moves_nothing_when_the_account_is_frozen() public {
        _mint(gold, ALICE, 10);
        _status(ALICE, true, true, type(uint64).max);
        vm.prank(address(custody));
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.AccountFrozen.selector, ALICE));
        gold.custodyTransfer(ALICE, WALLET, 1);
        vm.prank(address(custody));
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.AccountFrozen.selector, ALICE));
        gold.burn(ALICE, 1, "redemption");
        _mint(gold, BOB, 1);
        _withdraw(gold, BOB, ALICE, 1);
        vm.assertEq(gold.balanceOf(ALICE), 11);
    }

    function test_custody_moves_nothing_when_the_holder_is_outside_or_escrow() public {
        _mint(gold, ALICE, 10);
        _withdraw(gold, ALICE, WALLET, 4);
        vm.prank(address(custody));
        vm.expectPartialRevert(CustodialToken.NotAnAccount.selector);
        gold.custodyTransfer(WALLET, ALICE, 1);
        bytes[] memory chunks = _oneMove(gold, ALICE, BOB, 2);
        _openBatch(_batch(1, chunks), chunks);
        settlement.applyChunk(1, 0, chunks[0]);
        vm.prank(address(custody));
        vm.expectPartialRevert(CustodialToken.NotAnAccount.selector);
        gold.custodyTransfer(address(settlement), ALICE, 1);
        vm.assertEq(gold.balanceOf(address(settlement)), 2);
    }

    function test_outside_transfers_are_refused_when_sent_to_settlement_or_the_token() public {
        _mint(gold, ALICE, 10);
        _withdraw(gold, ALICE, WALLET, 10);
        address[3] memory receivers = [address(settlement), address(gold), address(0)];
        for (uint256 i = 0; i < receivers.length; ++i) {
            vm.prank(WALLET);
            vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, receivers[i]));
            gold.transfer(receivers[i], 1);
            vm.prank(address(custody));
            vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, receivers[i]));
            gold.custodyTransfer(BOB, receivers[i], 0);
        }
    }

    function testFuzz_transfer_to_oneself_changes_nothing(uint64 amount) public {
        amount = uint64(_bound(amount, 0, 10));
        _mint(gold, ALICE, 10);
        _withdraw(gold, ALICE, ALICE, amount);
        vm.assertEq(gold.balanceOf(ALICE), 10);
        _withdraw(gold, ALICE, WALLET, 10);
        vm.prank(WALLET);
        gold.transfer(WALLET, amount);
        vm.assertEq(gold.balanceOf(WALLET), 10);
    }

    function test_supply_is_refused_when_it_leaves_63_bits() public {
        _mint(won, ALICE, won.SUPPLY_MAX());
        vm.prank(address(custody));
        vm.expectPartialRevert(CustodialToken.SupplyTooLarge.selector);
        won.mint(BOB, 1, "notice");
    }

    function test_balances_come_in_order_when_read_together() public {
        _mint(gold, ALICE, 3);
        _mint(gold, BOB, 4);
        address[] memory holders = new address[](3);
        (holders[0], holders[1], holders[2]) = (BOB, WALLET, ALICE);
        uint256[] memory found = gold.balancesOf(holders);
        vm.assertEq(found[0], 4);
        vm.assertEq(found[1], 0);
        vm.assertEq(found[2], 3);
    }
}

contract MetalTokenTest is Instance {
    function testFuzz_mints_never_pass_the_receipt(uint64 audited, uint64 first, uint64 second) public {
        audited = uint64(_bound(audited, 1, type(uint64).max / 2));
        first = uint64(_bound(first, 0, audited));
        vm.prank(address(custody));
        gold.mint(ALICE, first, "receipt", audited);
        vm.prank(address(custody));
        bool above = uint256(first) + second > audited;
        if (above) vm.expectPartialRevert(MetalToken.ReceiptExceeded.selector);
        gold.mint(BOB, second, "receipt", audited);
        vm.assertEq(gold.totalSupply(), above ? first : uint256(first) + second);
    }

    function test_mint_is_refused_when_the_receipt_is_said_to_be_larger() public {
        vm.prank(address(custody));
        gold.mint(ALICE, 10, "receipt", 10);
        vm.prank(address(custody));
        vm.expectRevert(
            abi.encodeWithSelector(
                MetalToken.ReceiptDiffers.selector, bytes32("receipt"), uint256(10), uint256(11)
            )
        );
        gold.mint(ALICE, 1, "receipt", 11);
    }

    function test_receipt_stays_used_when_units_are_burned() public {
        vm.prank(address(custody));
        gold.mint(ALICE, 10, "receipt", 10);
        vm.prank(address(custody));
        gold.burn(ALICE, 4, "redemption");
        vm.assertEq(gold.totalSupply(), 6);
        vm.prank(address(custody));
        vm.expectPartialRevert(MetalToken.ReceiptExceeded.selector);
        gold.mint(ALICE, 1, "receipt", 10);
        vm.prank(address(custody));
        vm.expectPartialRevert(RedeemableToken.RedemptionUsed.selector);
        gold.burn(ALICE, 1, "redemption");
    }

    function testFuzz_wallets_move_metal_freely(uint64 amount) public {
        amount = uint64(_bound(amount, 0, 10));
        _mint(gold, ALICE, 10);
        _withdraw(gold, ALICE, WALLET, 10);
        vm.prank(WALLET);
        gold.approve(OTHER_WALLET, amount);
        vm.prank(OTHER_WALLET);
        gold.transferFrom(WALLET, OTHER_WALLET, amount);
        vm.assertEq(gold.allowance(WALLET, OTHER_WALLET), 0);
        vm.prank(OTHER_WALLET);
        gold.transfer(BOB, amount);
        vm.assertEq(gold.balanceOf(BOB), amount);
        vm.prank(OTHER_WALLET);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientAllowance.selector);
        gold.transferFrom(WALLET, OTHER_WALLET, 1);
    }
}

contract CashTokenTest is Instance {
    function test_notice_counts_once() public {
        vm.prank(address(custody));
        won.mint(ALICE, 10, "notice");
        vm.prank(address(custody));
        vm.expectPartialRevert(CashToken.NoticeUsed.selector);
        won.mint(ALICE, 10, "notice");
        vm.assertEq(won.totalSupply(), 10);
    }

    function test_cash_stays_among_accounts() public {
        _mint(won, ALICE, 10);
        vm.prank(address(custody));
        vm.expectPartialRevert(CustodialToken.NotAnAccount.selector);
        won.custodyTransfer(ALICE, WALLET, 1);
        vm.prank(WALLET);
        vm.expectPartialRevert(CustodialToken.Custodial.selector);
        won.transfer(ALICE, 0);
        vm.prank(WALLET);
        vm.expectPartialRevert(CustodialToken.Custodial.selector);
        won.approve(ALICE, 1);
        _withdraw(won, ALICE, BOB, 10);
        vm.assertEq(won.balanceOf(BOB), 10);
    }
}
