// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccountRegistry} from "../src/AccountRegistry.sol";
import {CustodialToken} from "../src/CustodialToken.sol";
import {IdentityRegistry} from "../src/IdentityRegistry.sol";
import {MetalToken} from "../src/MetalToken.sol";

import {Instance} from "./Instance.sol";
import {vm} from "./Vm.sol";

contract AccountRegistryTest is Instance {
    function test_clearing_id_stays_when_written_once() public {
        _open(ALICE, HOME);
        vm.prank(address(custody));
        vm.expectRevert(abi.encodeWithSelector(AccountRegistry.AlreadyOpen.selector, ALICE, HOME));
        accounts.open(ALICE, PARTNER);
        vm.assertEq(accounts.clearingIdOf(ALICE), HOME);
        vm.assertEq(accounts.clearingIdOf(WALLET), 0);
        vm.assertEq(accounts.clearingIdOf(address(settlement)), 0);
    }

    function test_status_stands_when_it_was_set_before_the_account_was_opened() public {
        _status(WALLET, true, true, 5);
        _open(WALLET, HOME);
        _mint(shares, WALLET, 1);
        vm.assertTrue(shares.isFrozen(WALLET));
        vm.assertEq(accounts.clearingIdOf(WALLET), HOME);
    }

    function test_open_is_refused_when_the_address_cannot_be_an_account() public {
        vm.prank(address(custody));
        vm.expectPartialRevert(AccountRegistry.AlreadyOpen.selector);
        accounts.open(address(settlement), HOME);
        vm.prank(address(custody));
        vm.expectPartialRevert(AccountRegistry.Nobody.selector);
        accounts.open(address(0), HOME);
        vm.prank(address(custody));
        vm.expectPartialRevert(AccountRegistry.Nobody.selector);
        accounts.open(WALLET, 0);
    }

    function testFuzz_open_is_refused_when_not_by_custody(address sender) public {
        vm.assume(sender != address(custody));
        address[] memory many = new address[](1);
        many[0] = WALLET;
        vm.prank(sender);
        vm.expectPartialRevert(AccountRegistry.NotCustody.selector);
        accounts.open(WALLET, HOME);
        vm.prank(sender);
        vm.expectPartialRevert(AccountRegistry.NotCustody.selector);
        accounts.openMany(many, HOME);
    }

    function test_open_many_is_refused_when_too_many() public {
        vm.prank(address(custody));
        vm.expectPartialRevert(AccountRegistry.TooMany.selector);
        accounts.openMany(new address[](513), HOME);
    }
}

contract IdentityRegistryTest is Instance {
    function testFuzz_status_is_refused_when_its_version_does_not_rise(uint64 first, uint64 second) public {
        first = uint64(_bound(first, 1, type(uint64).max));
        vm.prank(address(compliance));
        identities.setStatus(ALICE, true, false, 0, first);
        vm.prank(address(compliance));
        if (second <= first) vm.expectPartialRevert(IdentityRegistry.VersionNotRising.selector);
        identities.setStatus(ALICE, false, true, 9, second);
        vm.assertEq(identities.isVerified(ALICE) ? 1 : 0, second <= first ? 1 : 0);
    }

    function testFuzz_status_is_refused_when_not_by_compliance(address sender) public {
        vm.assume(sender != address(compliance));
        vm.prank(sender);
        vm.expectPartialRevert(IdentityRegistry.NotCompliance.selector);
        identities.setStatus(ALICE, true, false, 0, 1);
        vm.prank(sender);
        vm.expectPartialRevert(IdentityRegistry.NotCompliance.selector);
        identities.setStatusMany(new IdentityRegistry.StatusUpdate[](1));
    }

    function test_many_statuses_are_set_when_every_version_rises() public {
        IdentityRegistry.StatusUpdate[] memory updates = new IdentityRegistry.StatusUpdate[](2);
        updates[0] = IdentityRegistry.StatusUpdate(ALICE, true, false, 3, 1);
        updates[1] = IdentityRegistry.StatusUpdate(BOB, true, true, 4, 1);
        vm.prank(address(compliance));
        identities.setStatusMany(updates);
        vm.assertEq(identities.statusOf(ALICE).frozenSequence, 0);
        vm.assertEq(identities.statusOf(BOB).frozenSequence, 4);
        vm.prank(address(compliance));
        vm.expectPartialRevert(IdentityRegistry.VersionNotRising.selector);
        identities.setStatusMany(updates);
    }

    function test_copies_follow_when_the_status_changes() public {
        _status(ALICE, true, false, 0);
        _mint(shares, ALICE, 5);
        vm.assertFalse(shares.isFrozen(ALICE));
        _status(ALICE, true, true, 3);
        vm.assertTrue(shares.isFrozen(ALICE));
        vm.assertEq(shares.balanceOf(ALICE), 5);
        vm.prank(address(custody));
        vm.expectPartialRevert(CustodialToken.AccountFrozen.selector);
        shares.custodyTransfer(ALICE, ALICE, 1);
        vm.expectPartialRevert(CustodialToken.NotIdentityRegistry.selector);
        shares.syncStatus(ALICE, 0);
        vm.expectPartialRevert(AccountRegistry.NotIdentityRegistry.selector);
        accounts.syncStatus(ALICE, 0);
        vm.expectPartialRevert(CustodialToken.NotIdentityRegistry.selector);
        shares.onListed();
    }

    function test_token_is_listed_when_venue_and_custody_both_want_it() public {
        MetalToken tin = new MetalToken(_terms("Tin", "SN", 1));
        vm.prank(address(custody));
        vm.expectPartialRevert(CustodialToken.NotListed.selector);
        tin.mint(ALICE, 1, "receipt", 1);
        vm.prank(address(venue));
        identities.addToken(address(tin));
        vm.prank(address(venue));
        identities.addToken(address(tin));
        vm.assertFalse(identities.isListed(address(tin)));
        vm.prank(address(custody));
        identities.addToken(address(tin));
        vm.prank(address(custody));
        tin.mint(ALICE, 1, "receipt", 1);
        vm.assertEq(tin.balanceOf(ALICE), 1);
        vm.expectPartialRevert(IdentityRegistry.NotLister.selector);
        identities.addToken(address(0x7));
    }
}
