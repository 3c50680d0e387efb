// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CustodialToken} from "../src/CustodialToken.sol";
import {Settlement} from "../src/Settlement.sol";

import {Instance} from "./Instance.sol";
import {vm} from "./Vm.sol";

/// @title Random acts of every party, and a plain model of what they must amount to
/// @dev An act that reverts leaves the model as it was, as it leaves the contracts.
contract Market is Instance {
    address[] public holders;
    mapping(CustodialToken => mapping(address => uint256)) public expected;
    uint64 public highestSequence;
    uint64 public settledBatches;
    uint64 public unwoundBatches;
    bool public sequenceFell;
    bool public intruded;
    uint64 private _batchId;
    uint64 private _clock;
    CustodialToken private _moved;
    address private _from;
    address private _to;
    uint64 private _amount;
    uint64 private _covered;
    bytes[] private _chunks;

    function setUp() public override {
        super.setUp();
        holders = [ALICE, BOB, CAROL, ABROAD, WALLET, OTHER_WALLET, SUSPENSE, FUND, address(settlement)];
        for (uint256 i = 0; i < 6; ++i) {
            if (i != 2) _status(holders[i], true, false, 0);
        }
        for (uint256 i = 0; i < 3; ++i) {
            _minted(gold, holders[i], 1_000);
            _minted(won, holders[i], 1_000);
        }
        _minted(shares, ALICE, 1_000);
        _minted(gold, FUND, 1_000);
        _minted(gold, ABROAD, 1_000);
    }

    /// @notice Custody mints.
    function mint(uint256 seed, uint64 amount) external {
        _minted(_token(seed), _account(seed >> 8), uint64(_bound(amount, 0, 1_000)));
    }

    /// @notice Custody burns.
    function burn(uint256 seed, uint64 amount) external {
        CustodialToken token = _token(seed);
        address account = _account(seed >> 8);
        amount = uint64(_bound(amount, 0, token.balanceOf(account)));
        vm.prank(address(custody));
        if (address(token) == address(shares)) shares.burn(account, amount);
        else if (address(token) == address(won)) won.burn(account, amount, bytes32(++evidence));
        else gold.burn(account, amount, bytes32(++evidence));
        expected[token][account] -= amount;
    }

    /// @notice Custody transfers, to an account or outside.
    function withdraw(uint256 seed, uint64 amount) external {
        CustodialToken token = _token(seed);
        (address from, address to) = (_account(seed >> 8), holders[(seed >> 16) % holders.length]);
        amount = uint64(_bound(amount, 0, token.balanceOf(from)));
        _withdraw(token, from, to, amount);
        expected[token][from] -= amount;
        expected[token][to] += amount;
    }

    /// @notice Anybody tries to transfer, approve or pull; only outside wallets may succeed.
    function transfer(uint256 seed, uint64 amount, bool pulls) external {
        CustodialToken token = _token(seed);
        address from = holders[(seed >> 8) % holders.length];
        address to = holders[(seed >> 16) % holders.length];
        amount = uint64(_bound(amount, 0, token.balanceOf(from)));
        vm.prank(from);
        if (pulls) {
            token.approve(BOB, amount);
            vm.prank(BOB);
            token.transferFrom(from, to, amount);
        } else {
            token.transfer(to, amount);
        }
        if (from != WALLET && from != OTHER_WALLET) intruded = true;
        expected[token][from] -= amount;
        expected[token][to] += amount;
    }

    /// @notice Compliance verifies, freezes and thaws.
    function identify(uint256 seed, bool verified, bool frozen, uint64 sequence) external {
        uint64 since = uint64(_bound(sequence, 0, highestSequence + 20));
        _status(holders[seed % 6], verified, frozen && seed % 4 == 0, since);
    }

    /// @notice A batch of one movement is settled in one transaction.
    function settleWhole(uint256 seed, uint64 amount, bool covered) external {
        if (settlement.openBatchId() != 0) return;
        _prepare(seed, amount, covered);
        _settle(_batch(_batchId, _chunks), _chunks);
        _collected();
        _paid();
        _settled();
    }

    /// @notice A batch of one movement is opened.
    function open(uint256 seed, uint64 amount, bool covered) external {
        if (settlement.openBatchId() != 0) return;
        _prepare(seed, amount, covered);
        _openBatch(_batch(_batchId, _chunks), _chunks);
    }

    /// @notice The open batch's next chunk is applied.
    function applyNext() external {
        if (settlement.openBatchId() == 0) return;
        uint256 next = settlement.progressOf(settlement.openBatchId()).nextChunk;
        settlement.applyChunk(settlement.openBatchId(), next, _chunks[next]);
        if (next == 0) _collected();
        else _paid();
        if (settlement.openBatchId() == 0) _settled();
    }

    /// @notice The open batch is unwound, or its chunk refunded.
    function unwindNext(bool timeout) external {
        uint64 batchId = settlement.openBatchId();
        Settlement.Progress memory progress = settlement.progressOf(batchId);
        if (progress.status == Settlement.Status.Unwinding) {
            settlement.refund(batchId, 0, _chunks[0]);
            expected[_moved][_from] += _amount - _covered;
            expected[_moved][FUND] += _covered;
            expected[_moved][address(settlement)] -= _amount;
        } else {
            if (timeout) vm.warp(progress.openedAt + TIMEOUT);
            settlement.unwind(batchId, timeout ? bytes("") : _unwindSignature(CLEARING_KEY, batchId));
        }
        if (settlement.openBatchId() == 0) ++unwoundBatches;
        _watch();
    }

    /// @notice Whoever calls tries the settlement side and custody's.
    function intrude(uint256 seed, uint64 amount) external {
        CustodialToken token = _token(seed);
        bytes memory entries = abi.encodePacked(_account(seed >> 8), amount);
        vm.prank(holders[(seed >> 16) % 8]);
        if (seed % 5 == 0) token.collect(1, entries);
        else if (seed % 5 == 1) token.pay(1, WALLET, entries);
        else if (seed % 5 == 2) token.refund(entries);
        else if (seed % 5 == 3) token.custodyTransfer(_account(seed >> 8), WALLET, amount);
        else shares.forcedTransfer(_account(seed >> 8), WALLET, amount);
        intruded = true;
    }

    function holderCount() external view returns (uint256) {
        return holders.length;
    }

    function tokensAndSettlement() external view returns (CustodialToken[3] memory, Settlement, address fund) {
        return ([CustodialToken(gold), CustodialToken(won), CustodialToken(shares)], settlement, FUND);
    }

    function _minted(CustodialToken token, address account, uint64 amount) private {
        _mint(token, account, amount);
        expected[token][account] += amount;
    }

    /// @dev Chooses a movement; a covered one takes up to half from the guarantee fund.
    function _prepare(uint256 seed, uint64 amount, bool covered) private {
        ++_batchId;
        _moved = _token(seed);
        _from = _account(seed >> 8);
        _to = holders[(seed >> 16) % holders.length];
        _amount = uint64(_bound(amount, 1, 1 + _moved.balanceOf(_from)));
        _covered = covered ? (_amount + 1) / 2 : 0;
        delete _chunks;
        _chunks.push(_collect(_moved, _from, _amount));
        _chunks.push(_pay(_moved, _to, _amount));
        if (covered) _substitute(_batchId, _moved, _from, _covered);
    }

    function _collected() private {
        expected[_moved][_from] -= _amount - _covered;
        expected[_moved][FUND] -= _covered;
        expected[_moved][address(settlement)] += _amount;
    }

    function _paid() private {
        bool home = accounts.clearingIdOf(_to) == HOME;
        bool may = home && (address(_moved) != address(shares) || identities.isVerified(_to) || _to == SUSPENSE);
        expected[_moved][address(settlement)] -= _amount;
        expected[_moved][may ? _to : SUSPENSE] += _amount;
    }

    function _settled() private {
        ++settledBatches;
        _watch();
    }

    function _watch() private {
        uint64 last = settlement.lastSequence();
        if (last < highestSequence) sequenceFell = true;
        highestSequence = last;
    }

    function _token(uint256 seed) private view returns (CustodialToken) {
        if (seed % 3 == 0) return gold;
        return seed % 3 == 1 ? CustodialToken(won) : CustodialToken(shares);
    }

    function _account(uint256 seed) private view returns (address) {
        return holders[seed % 4];
    }
}

contract InvariantsTest {
    Market private _market;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function setUp() public {
        _market = new Market();
        _market.setUp();
    }

    /// @notice Forge calls the market and nothing else.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_market);
    }

    /// @notice Batches come often, so that runs reach deep states.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](12);
        selectors[0] = Market.mint.selector;
        selectors[1] = Market.burn.selector;
        selectors[2] = Market.withdraw.selector;
        selectors[3] = Market.transfer.selector;
        selectors[4] = Market.identify.selector;
        selectors[5] = Market.settleWhole.selector;
        selectors[6] = Market.open.selector;
        selectors[7] = Market.applyNext.selector;
        selectors[8] = Market.applyNext.selector;
        selectors[9] = Market.unwindNext.selector;
        selectors[10] = Market.intrude.selector;
        selectors[11] = Market.open.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_market), selectors);
    }

    /// @notice Every balance is what the model says, so nothing moved but as it may.
    function invariant_balances_are_those_of_the_model() public view {
        (CustodialToken[3] memory tokens,,) = _market.tokensAndSettlement();
        uint256 count = _market.holderCount();
        for (uint256 i = 0; i < tokens.length; ++i) {
            uint256 sum = 0;
            for (uint256 j = 0; j < count; ++j) {
                address holder = _market.holders(j);
                uint256 balance = tokens[i].balanceOf(holder);
                vm.assertEq(balance, _market.expected(tokens[i], holder));
                sum += balance;
            }
            vm.assertEq(sum, tokens[i].totalSupply());
        }
    }

    /// @notice Escrow is what the contract holds, and nothing while no batch is open.
    function invariant_escrow_is_empty_when_no_batch_is_open() public view {
        (CustodialToken[3] memory tokens, Settlement settlement,) = _market.tokensAndSettlement();
        for (uint256 i = 0; i < tokens.length; ++i) {
            uint256 held = tokens[i].balanceOf(address(settlement));
            vm.assertEq(held, settlement.escrowOf(address(tokens[i])));
            if (settlement.openBatchId() == 0) vm.assertEq(held, 0);
        }
    }

    /// @notice The last sequence number rises by whole batches and never falls; no intruder succeeds.
    function invariant_sequence_only_rises() public view {
        (, Settlement settlement,) = _market.tokensAndSettlement();
        vm.assertFalse(_market.sequenceFell());
        vm.assertFalse(_market.intruded());
        vm.assertEq(settlement.lastSequence(), uint256(_market.settledBatches()) * 10);
    }
}
