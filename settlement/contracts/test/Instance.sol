// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccountRegistry} from "../src/AccountRegistry.sol";
import {Authority} from "../src/Authority.sol";
import {CashToken} from "../src/CashToken.sol";
import {CustodialToken} from "../src/CustodialToken.sol";
import {IdentityRegistry} from "../src/IdentityRegistry.sol";
import {InstanceDomain} from "../src/InstanceDomain.sol";
import {MetalToken} from "../src/MetalToken.sol";
import {SecurityToken} from "../src/SecurityToken.sol";
import {Settlement} from "../src/Settlement.sol";

import {vm} from "./Vm.sol";

/// @title One wired instance and the keys of its bodies
abstract contract Instance {
    uint256 internal constant VENUE_KEY = 0xA1;
    uint256 internal constant CLEARING_KEY = 0xA2;
    uint256 internal constant CUSTODY_KEY = 0xA3;
    uint256 internal constant COMPLIANCE_KEY = 0xA4;
    uint256 internal constant STRANGER_KEY = 0xA5;
    bytes32 internal constant SALT = bytes32("instance");
    bytes32 internal constant ROOT = keccak256("fills");
    uint32 internal constant HOME = 7;
    uint32 internal constant PARTNER = 8;
    uint256 internal constant TIMEOUT = 900;
    uint256 internal constant ROTATION_DELAY = 2 days;

    address internal constant SUSPENSE = address(0x5005);
    address internal constant FUND = address(0xF00D);
    address internal constant ALICE = address(0xA11CE);
    address internal constant BOB = address(0xB0B);
    address internal constant CAROL = address(0xCA401);
    address internal constant ABROAD = address(0xAB40AD);
    address internal constant WALLET = address(0x3A11E7);
    address internal constant OTHER_WALLET = address(0x3A11E8);

    Authority internal venue;
    Authority internal clearing;
    Authority internal custody;
    Authority internal compliance;
    AccountRegistry internal accounts;
    IdentityRegistry internal identities;
    MetalToken internal gold;
    MetalToken internal silver;
    CashToken internal won;
    SecurityToken internal shares;
    Settlement internal settlement;
    uint64 internal version;
    uint256 internal evidence;

    /// @notice Deploy and wire an instance; this contract is the deployer.
    function setUp() public virtual {
        venue = _authority("venue", VENUE_KEY);
        clearing = _authority("clearing", CLEARING_KEY);
        custody = _authority("custody", CUSTODY_KEY);
        compliance = _authority("compliance", COMPLIANCE_KEY);
        accounts = new AccountRegistry(address(custody), address(this));
        identities = new IdentityRegistry(
            address(compliance), address(venue), address(custody), accounts, address(this)
        );
        gold = new MetalToken(_terms("Gold", "XAU", 2));
        silver = new MetalToken(_terms("Silver", "XAG", 0));
        won = new CashToken(_terms("Won", "KRW", 4));
        shares = new SecurityToken(_terms("Acme", "ACME", 0), address(compliance), address(venue));
        settlement = new Settlement(SALT, HOME, venue, clearing, SUSPENSE, FUND, TIMEOUT);
        _wire();
        address[4] memory home = [ALICE, BOB, CAROL, address(0xDA4E)];
        for (uint256 i = 0; i < home.length; ++i) {
            _open(home[i], HOME);
        }
        _open(ABROAD, PARTNER);
    }

    function _authority(bytes32 body, uint256 key) private returns (Authority) {
        return new Authority(SALT, body, vm.addr(key), address(this), ROTATION_DELAY);
    }

    function _terms(string memory name, string memory symbol, uint8 decimals)
        internal
        view
        returns (CustodialToken.Terms memory)
    {
        return CustodialToken.Terms(name, symbol, decimals, address(custody), accounts, identities);
    }

    function _wire() private {
        address[] memory reserved = new address[](2);
        (reserved[0], reserved[1]) = (SUSPENSE, FUND);
        accounts.seal(address(settlement), HOME, reserved, address(identities));
        address[] memory tokens = new address[](4);
        (tokens[0], tokens[1]) = (address(gold), address(silver));
        (tokens[2], tokens[3]) = (address(won), address(shares));
        identities.seal(tokens);
        Authority[4] memory bodies = [venue, clearing, custody, compliance];
        for (uint256 i = 0; i < bodies.length; ++i) {
            address[] memory peers = new address[](3);
            for (uint256 j = 0; j < 3; ++j) {
                peers[j] = address(bodies[(i + j + 1) % 4]);
            }
            Authority.Call[] memory calls = new Authority.Call[](i == 2 ? 1 : 0);
            if (calls.length == 1) calls[0] = Authority.Call(address(gold), MetalToken.mint.selector);
            bodies[i].seal(calls, peers);
        }
    }

    function _open(address account, uint32 clearingId) internal {
        vm.prank(address(custody));
        accounts.open(account, clearingId);
    }

    function _mint(CustodialToken token, address account, uint256 amount) internal {
        bytes32 id = bytes32(++evidence);
        vm.prank(address(custody));
        if (address(token) == address(won)) won.mint(account, amount, id);
        else if (address(token) == address(shares)) shares.mint(account, amount);
        else MetalToken(address(token)).mint(account, amount, id, amount);
    }

    function _status(address account, bool verified, bool frozen, uint64 frozenSequence) internal {
        vm.prank(address(compliance));
        identities.setStatus(account, verified, frozen, frozenSequence, ++version);
    }

    function _withdraw(CustodialToken token, address from, address to, uint256 amount) internal {
        vm.prank(address(custody));
        token.custodyTransfer(from, to, amount);
    }

    function _signature(uint256 key, InstanceDomain domain, bytes32 structHash)
        internal
        view
        returns (bytes memory)
    {
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain.domainSeparator(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _batchSignature(uint256 key, Settlement.Batch memory batch) internal view returns (bytes memory) {
        bytes32 typeHash = keccak256(
            "Batch(uint64 batchId,uint64 fromSequence,uint64 toSequence,bytes32 fillsRoot,bytes32 chunksHash)"
        );
        return _signature(key, settlement, keccak256(abi.encode(typeHash, batch)));
    }

    function _hashes(bytes[] memory chunks) internal pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](chunks.length);
        for (uint256 i = 0; i < chunks.length; ++i) {
            hashes[i] = keccak256(chunks[i]);
        }
    }

    function _batch(uint64 batchId, bytes[] memory chunks) internal view returns (Settlement.Batch memory) {
        uint64 first = settlement.lastSequence() + 1;
        return Settlement.Batch(batchId, first, first + 9, ROOT, keccak256(abi.encodePacked(_hashes(chunks))));
    }

    function _settle(Settlement.Batch memory batch, bytes[] memory chunks) internal {
        settlement.settle(
            batch, _batchSignature(VENUE_KEY, batch), _batchSignature(CLEARING_KEY, batch), chunks
        );
    }

    function _openBatch(Settlement.Batch memory batch, bytes[] memory chunks) internal {
        settlement.openBatch(
            batch, _hashes(chunks), _batchSignature(VENUE_KEY, batch), _batchSignature(CLEARING_KEY, batch)
        );
    }

    function _unwindSignature(uint256 key, uint64 batchId) internal view returns (bytes memory) {
        return _signature(key, settlement, keccak256(abi.encode(keccak256("Unwind(uint64 batchId)"), batchId)));
    }

    function _substitute(uint64 batchId, CustodialToken token, address account, uint256 amount) internal {
        bytes32 typeHash = keccak256("Substitute(uint64 batchId,address token,address account,uint256 amount)");
        bytes32 structHash = keccak256(abi.encode(typeHash, batchId, token, account, amount));
        settlement.substitute(
            batchId,
            address(token),
            account,
            amount,
            _signature(VENUE_KEY, settlement, structHash),
            _signature(CLEARING_KEY, settlement, structHash)
        );
    }

    function _collect(CustodialToken token, address account, uint64 amount)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(uint8(0), token, uint16(1), account, amount);
    }

    function _pay(CustodialToken token, address account, uint64 amount) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(1), token, uint16(1), account, amount);
    }

    /// @dev One collect chunk and one pay chunk: `amount` of `token` goes from one account to another.
    function _oneMove(CustodialToken token, address from, address to, uint64 amount)
        internal
        pure
        returns (bytes[] memory chunks)
    {
        chunks = new bytes[](2);
        chunks[0] = _collect(token, from, amount);
        chunks[1] = _pay(token, to, amount);
    }

    function _bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }
}
