// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {CustodialToken} from "../src/CustodialToken.sol";
import {ICompliance, IERC3643} from "../src/IERC3643.sol";
import {SecurityToken} from "../src/SecurityToken.sol";

import {Instance} from "./Instance.sol";
import {vm} from "./Vm.sol";

/// @dev An offering's rule: nobody but one receives.
contract OneReceiver is ICompliance {
    address private immutable _receiver;
    uint256 public seen;

    constructor(address receiver) {
        _receiver = receiver;
    }

    function canTransfer(address, address to, uint256) external view returns (bool) {
        return to == _receiver;
    }

    function transferred(address, address, uint256 amount) external {
        seen += amount;
    }
}

contract SecurityTokenTest is Instance {
    function setUp() public override {
        super.setUp();
        address[4] memory verified = [ALICE, BOB, WALLET, OTHER_WALLET];
        for (uint256 i = 0; i < verified.length; ++i) {
            _status(verified[i], true, false, 0);
        }
        _mint(shares, ALICE, 100);
        _withdraw(shares, ALICE, WALLET, 40);
    }

    function test_holders_are_verified_when_units_reach_them() public {
        vm.prank(WALLET);
        shares.transfer(OTHER_WALLET, 10);
        vm.prank(WALLET);
        shares.transfer(BOB, 10);
        _expectNotVerified(CAROL);
        vm.prank(WALLET);
        shares.transfer(CAROL, 1);
        _expectNotVerified(CAROL);
        vm.prank(address(custody));
        shares.custodyTransfer(ALICE, CAROL, 1);
        _expectNotVerified(CAROL);
        vm.prank(address(custody));
        shares.mint(CAROL, 1);
        _expectNotVerified(CAROL);
        vm.prank(address(custody));
        shares.forcedTransfer(ALICE, CAROL, 1);
        vm.assertEq(shares.balanceOf(OTHER_WALLET), 10);
        vm.assertEq(shares.balanceOf(BOB), 10);
    }

    function _expectNotVerified(address account) private {
        vm.expectRevert(abi.encodeWithSelector(SecurityToken.NotVerified.selector, account));
    }

    function test_wallet_verification_is_current_when_it_changes() public {
        _status(OTHER_WALLET, false, false, 0);
        _expectNotVerified(OTHER_WALLET);
        vm.prank(WALLET);
        shares.transfer(OTHER_WALLET, 1);
        _status(WALLET, true, true, 0);
        vm.prank(WALLET);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.AccountFrozen.selector, WALLET));
        shares.transfer(BOB, 1);
    }

    function test_unverified_credit_goes_to_suspense_when_a_batch_settles() public {
        bytes[] memory chunks = _oneMove(shares, ALICE, CAROL, 5);
        vm.expectEmit(address(shares));
        emit CustodialToken.Diverted(1, CAROL, 5);
        _settle(_batch(1, chunks), chunks);
        vm.assertEq(shares.balanceOf(SUSPENSE), 5);
        _status(CAROL, true, false, 0);
        _withdraw(shares, SUSPENSE, CAROL, 5);
        vm.assertEq(shares.balanceOf(CAROL), 5);
    }

    function test_pause_stops_wallets_but_no_batch() public {
        vm.prank(address(compliance));
        shares.pause();
        vm.prank(WALLET);
        vm.expectPartialRevert(SecurityToken.PauseState.selector);
        shares.transfer(OTHER_WALLET, 1);
        bytes[] memory chunks = _oneMove(shares, ALICE, BOB, 5);
        _settle(_batch(1, chunks), chunks);
        vm.assertEq(shares.balanceOf(BOB), 5);
        vm.prank(address(compliance));
        vm.expectPartialRevert(SecurityToken.PauseState.selector);
        shares.pause();
        vm.prank(address(compliance));
        shares.unpause();
        vm.prank(WALLET);
        shares.transfer(OTHER_WALLET, 1);
    }

    function test_freeze_holds_a_wallet_and_cannot_be_turned_round() public {
        vm.prank(address(compliance));
        vm.expectPartialRevert(SecurityToken.FreezeUnchanged.selector);
        shares.setAddressFrozen(WALLET, false);
        vm.expectEmit(address(shares));
        emit IERC3643.AddressFrozen(WALLET, true, address(compliance));
        vm.prank(address(compliance));
        shares.setAddressFrozen(WALLET, true);
        vm.assertTrue(shares.isFrozen(WALLET));
        vm.prank(WALLET);
        vm.expectPartialRevert(CustodialToken.AccountFrozen.selector);
        shares.transfer(OTHER_WALLET, 1);
        vm.prank(address(compliance));
        vm.expectRevert(abi.encodeWithSelector(SecurityToken.FreezeByRegistry.selector, ALICE));
        shares.setAddressFrozen(ALICE, true);
        vm.prank(address(custody));
        vm.assertTrue(shares.forcedTransfer(WALLET, BOB, 40));
        vm.prank(address(compliance));
        shares.setAddressFrozen(WALLET, false);
        vm.assertFalse(shares.isFrozen(WALLET));
    }

    function testFuzz_frozen_units_stay_when_a_wallet_sends(uint64 frozen, uint64 sent) public {
        frozen = uint64(_bound(frozen, 0, 40));
        sent = uint64(_bound(sent, 0, 40));
        vm.prank(address(compliance));
        shares.freezePartialTokens(WALLET, frozen);
        vm.prank(WALLET);
        bool short = frozen + sent > 40;
        if (short) vm.expectPartialRevert(IERC20Errors.ERC20InsufficientBalance.selector);
        shares.transfer(OTHER_WALLET, sent);
        vm.assertEq(shares.balanceOf(WALLET), short ? 40 : 40 - sent);
        uint256 left = shares.balanceOf(WALLET);
        vm.prank(address(custody));
        shares.forcedTransfer(WALLET, BOB, left);
        vm.assertEq(shares.getFrozenTokens(WALLET), 0);
    }

    function test_partial_freezes_are_refused_when_more_than_there_is() public {
        vm.prank(address(compliance));
        vm.expectPartialRevert(SecurityToken.FrozenUnits.selector);
        shares.freezePartialTokens(WALLET, 41);
        vm.prank(address(compliance));
        shares.freezePartialTokens(WALLET, 5);
        vm.prank(address(compliance));
        vm.expectPartialRevert(SecurityToken.FrozenUnits.selector);
        shares.unfreezePartialTokens(WALLET, 6);
    }

    function test_recovery_carries_units_and_freezes_to_the_new_wallet() public {
        vm.prank(address(compliance));
        shares.freezePartialTokens(WALLET, 15);
        vm.prank(address(compliance));
        shares.setAddressFrozen(WALLET, true);
        vm.expectEmit(address(shares));
        emit IERC3643.RecoverySuccess(WALLET, OTHER_WALLET, address(1));
        vm.prank(address(custody));
        shares.recoveryAddress(WALLET, OTHER_WALLET, address(1));
        vm.assertEq(shares.balanceOf(OTHER_WALLET), 40);
        vm.assertEq(shares.getFrozenTokens(OTHER_WALLET), 15);
        vm.assertTrue(shares.isFrozen(OTHER_WALLET));
        vm.assertEq(shares.balanceOf(WALLET), 0);
        vm.assertEq(shares.getFrozenTokens(WALLET), 0);
        vm.prank(address(custody));
        vm.expectPartialRevert(CustodialToken.Custodial.selector);
        shares.recoveryAddress(ALICE, OTHER_WALLET, address(1));
    }

    function test_forced_transfer_is_refused_when_it_would_take_escrow() public {
        bytes[] memory chunks = _oneMove(shares, ALICE, BOB, 5);
        _openBatch(_batch(1, chunks), chunks);
        settlement.applyChunk(1, 0, chunks[0]);
        vm.prank(address(custody));
        vm.expectPartialRevert(IERC20Errors.ERC20InvalidSender.selector);
        shares.forcedTransfer(address(settlement), BOB, 5);
    }

    function test_lists_do_what_single_calls_do() public {
        address[] memory who = new address[](2);
        uint256[] memory units = new uint256[](2);
        (who[0], who[1], units[0], units[1]) = (ALICE, BOB, 1, 2);
        vm.prank(address(custody));
        shares.batchMint(who, units);
        vm.assertEq(shares.balanceOf(BOB), 2);
        vm.prank(address(custody));
        shares.batchBurn(who, units);
        vm.prank(WALLET);
        shares.batchTransfer(who, units);
        vm.assertEq(shares.balanceOf(WALLET), 37);
        address[] memory wallets = new address[](2);
        (wallets[0], wallets[1]) = (WALLET, OTHER_WALLET);
        vm.prank(address(custody));
        shares.batchForcedTransfer(who, wallets, units);
        vm.assertEq(shares.balanceOf(WALLET), 38);
        bool[] memory freeze = new bool[](2);
        (freeze[0], freeze[1]) = (true, true);
        vm.prank(address(compliance));
        shares.batchSetAddressFrozen(wallets, freeze);
        vm.prank(address(compliance));
        shares.batchFreezePartialTokens(wallets, units);
        vm.prank(address(compliance));
        shares.batchUnfreezePartialTokens(wallets, units);
        vm.assertTrue(shares.isFrozen(OTHER_WALLET));
        vm.prank(address(custody));
        vm.expectPartialRevert(SecurityToken.WrongLists.selector);
        shares.batchMint(who, new uint256[](1));
    }

    function test_description_changes_when_the_venue_says_so() public {
        vm.prank(address(venue));
        shares.setName("Acme preferred");
        vm.prank(address(venue));
        shares.setSymbol("ACMP");
        vm.prank(address(venue));
        shares.setOnchainID(address(9));
        vm.assertEq(shares.name(), "Acme preferred");
        vm.assertEq(shares.symbol(), "ACMP");
        vm.assertEq(shares.onchainID(), address(9));
        vm.assertEq(address(shares.identityRegistry()), address(identities));
        vm.expectPartialRevert(SecurityToken.RegistryFixed.selector);
        shares.setIdentityRegistry(address(9));
        vm.expectPartialRevert(SecurityToken.NotOwner.selector);
        shares.setName("Acme");
    }

    function test_offering_rules_bind_wallets_when_they_are_set() public {
        OneReceiver rules = new OneReceiver(OTHER_WALLET);
        vm.prank(address(venue));
        shares.setCompliance(address(rules));
        vm.prank(WALLET);
        vm.expectPartialRevert(SecurityToken.NotCompliant.selector);
        shares.transfer(BOB, 1);
        vm.prank(WALLET);
        shares.transfer(OTHER_WALLET, 3);
        vm.assertEq(rules.seen(), 3);
    }

    function testFuzz_agents_acts_are_refused_when_anyone_else_calls(address sender) public {
        vm.assume(sender != address(custody) && sender != address(compliance));
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.NotCustody.selector, sender));
        shares.mint(ALICE, 1);
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.NotCustody.selector, sender));
        shares.burn(ALICE, 1);
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(CustodialToken.NotCustody.selector, sender));
        shares.recoveryAddress(WALLET, sender, sender);
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(SecurityToken.NotOfficer.selector, sender));
        shares.pause();
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(SecurityToken.NotOfficer.selector, sender));
        shares.setAddressFrozen(WALLET, true);
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(SecurityToken.NotOfficer.selector, sender));
        shares.freezePartialTokens(WALLET, 1);
    }
}
