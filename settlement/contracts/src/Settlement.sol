// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {Authority} from "./Authority.sol";
import {CustodialToken} from "./CustodialToken.sol";
import {InstanceDomain} from "./InstanceDomain.sol";

/// @title Delivery versus payment, batch by batch
/// @notice Venue and clearing house sign a batch of net deltas; anyone carries it. Every debit is
/// collected before any credit is paid, in one transaction or in any number of them, and the batch
/// counts only when it is complete. One batch is open at a time, and sequence ranges leave no gap.
contract Settlement is InstanceDomain, ReentrancyGuardTransient {
    /// @notice What venue and clearing house sign.
    struct Batch {
        uint64 batchId;
        uint64 fromSequence;
        uint64 toSequence;
        bytes32 fillsRoot;
        bytes32 chunksHash;
    }

    /// @notice How far a batch is.
    enum Status {
        None,
        Collecting,
        Paying,
        Settled,
        Unwinding,
        Unwound
    }

    /// @notice State of a batch; fills one slot.
    /// @dev `nextChunk` counts applied chunks up, and refunded ones down again. `escrowTokens` counts
    /// tokens of which something is collected and not yet paid.
    struct Progress {
        uint64 fromSequence;
        uint64 toSequence;
        uint64 openedAt;
        Status status;
        uint16 chunkCount;
        uint16 nextChunk;
        uint16 escrowTokens;
        bool substituted;
    }

    /// @dev What the guarantee fund pays of one debit; `usedIn` is the chunk's index + 1.
    struct Cover {
        uint64 amount;
        uint16 usedIn;
    }

    /// @dev What a chunk's entries are applied as.
    enum Move {
        Collect,
        Pay,
        Refund
    }

    bytes32 private constant BATCH_TYPEHASH = keccak256(
        "Batch(uint64 batchId,uint64 fromSequence,uint64 toSequence,bytes32 fillsRoot,bytes32 chunksHash)"
    );
    bytes32 private constant UNWIND_TYPEHASH = keccak256("Unwind(uint64 batchId)");
    bytes32 private constant SUBSTITUTE_TYPEHASH =
        keccak256("Substitute(uint64 batchId,address token,address account,uint256 amount)");

    /// @notice Chunks of one batch at the most.
    uint256 public constant CHUNKS_MAX = 512;
    /// @dev Bytes of a group's head: token (20), count (2); and of one entry: account (20), amount (8).
    uint256 private constant GROUP_HEAD = 22;
    uint256 private constant ENTRY = 28;

    /// @notice Clearing id whose accounts are settled here.
    uint32 public immutable clearingId;
    /// @notice The venue's authority, whose signer signs batches.
    Authority public immutable venue;
    /// @notice The clearing house's authority, whose signer signs batches and unwinds.
    Authority public immutable clearing;
    /// @notice Account that receives what a holder may not.
    address public immutable suspense;
    /// @notice Account that pays for a shortfall both bodies agree on.
    address public immutable guaranteeFund;
    /// @notice Seconds after which anyone may unwind a batch in which nothing is paid yet.
    uint256 public immutable unwindTimeout;

    /// @notice Last sequence number of the last settled batch.
    uint64 public lastSequence;
    /// @notice Batch that is open; zero when none is.
    uint64 public openBatchId;
    /// @notice Units of a token that the open batch has collected and not yet paid.
    mapping(address token => uint256) public escrowOf;
    mapping(uint64 batchId => Progress) private _progress;
    mapping(uint64 batchId => bytes32) private _fillsRoots;
    mapping(uint64 batchId => bytes32[]) private _chunkHashes;
    mapping(uint64 batchId => mapping(address token => mapping(address account => Cover))) private _covers;

    /// @notice A batch was opened.
    event BatchOpened(uint64 indexed batchId, uint64 fromSequence, uint64 toSequence, uint256 chunkCount);
    /// @notice A chunk of a batch was applied.
    event ChunkApplied(uint64 indexed batchId, uint256 index);
    /// @notice A batch is complete: its fills are settled.
    event BatchSettled(uint64 indexed batchId, uint64 fromSequence, uint64 toSequence, bytes32 fillsRoot);
    /// @notice A batch is being unwound.
    event UnwindStarted(uint64 indexed batchId);
    /// @notice Everything a batch had collected is given back.
    event BatchUnwound(uint64 indexed batchId);
    /// @notice The guarantee fund paid `amount` of an account's debit.
    event Substituted(uint64 indexed batchId, address indexed token, address indexed account, uint256 amount);

    /// @notice Another batch is open.
    error BatchOpen(uint64 batchId);
    /// @notice The batch id was used before, or is zero.
    error BatchIdUsed(uint64 batchId);
    /// @notice The range does not follow the last settled one, or is empty.
    error WrongSequence(uint64 expectedFrom, uint64 fromSequence, uint64 toSequence);
    /// @notice A batch needs a root.
    error NoFillsRoot();
    /// @notice The chunks are not those the batch commits to.
    error WrongChunks(bytes32 expected, bytes32 found);
    /// @notice More chunks than a batch may have.
    error TooManyChunks(uint256 count);
    /// @notice The act does not fit the batch's state.
    error WrongStatus(uint64 batchId, Status status);
    /// @notice Chunks are applied in order and refunded in reverse.
    error WrongIndex(uint256 expected, uint256 found);
    /// @notice The chunk's bytes make no sense.
    error MalformedChunk(uint256 position);
    /// @notice A batch pays more of a token than it has collected.
    error EscrowShort(address token, uint256 escrow, uint256 wanted);
    /// @notice A batch has collected more than it pays.
    error EscrowLeft(uint256 tokens);
    /// @notice The timeout has not passed.
    error UnwindTooEarly(uint256 allowedAt);
    /// @notice The debit is covered already, or the cover makes no sense.
    error WrongCover(address token, address account, uint256 amount);

    /// @param salt_ Salt of the instance.
    /// @param clearingId_ Clearing id whose accounts are settled here.
    /// @param venue_ The venue's authority.
    /// @param clearing_ The clearing house's authority.
    /// @param suspense_ Account that receives what a holder may not.
    /// @param guaranteeFund_ Account that pays for an agreed shortfall.
    /// @param unwindTimeout_ Seconds after which anyone may unwind.
    constructor(
        bytes32 salt_,
        uint32 clearingId_,
        Authority venue_,
        Authority clearing_,
        address suspense_,
        address guaranteeFund_,
        uint256 unwindTimeout_
    ) InstanceDomain("Nexus Settlement", salt_) {
        clearingId = clearingId_;
        venue = venue_;
        clearing = clearing_;
        suspense = suspense_;
        guaranteeFund = guaranteeFund_;
        unwindTimeout = unwindTimeout_;
    }

    /// @notice Settle a whole batch in this transaction, or nothing of it.
    /// @param batch What was signed.
    /// @param venueSignature The venue's signature.
    /// @param clearingSignature The clearing house's signature.
    /// @param chunks Every chunk, in order.
    function settle(
        Batch calldata batch,
        bytes calldata venueSignature,
        bytes calldata clearingSignature,
        bytes[] calldata chunks
    ) external nonReentrant {
        bytes32[] memory hashes = new bytes32[](chunks.length);
        for (uint256 i = 0; i < chunks.length; ++i) {
            hashes[i] = keccak256(chunks[i]);
        }
        Progress memory progress = _open(batch, hashes, venueSignature, clearingSignature);
        for (uint256 i = 0; i < chunks.length; ++i) {
            _apply(batch.batchId, progress, chunks[i]);
        }
        _finish(batch.batchId, progress);
    }

    /// @notice Open a batch whose chunks follow in transactions of their own.
    /// @param batch What was signed.
    /// @param chunkHashes Hash of every chunk, in order.
    /// @param venueSignature The venue's signature.
    /// @param clearingSignature The clearing house's signature.
    function openBatch(
        Batch calldata batch,
        bytes32[] calldata chunkHashes,
        bytes calldata venueSignature,
        bytes calldata clearingSignature
    ) external nonReentrant {
        Progress memory progress = _open(batch, chunkHashes, venueSignature, clearingSignature);
        _chunkHashes[batch.batchId] = chunkHashes;
        _finish(batch.batchId, progress);
    }

    /// @notice Apply the next chunk of the open batch; the last one completes it.
    /// @param batchId The open batch.
    /// @param index Index of the chunk, from zero.
    /// @param chunk The chunk's bytes.
    function applyChunk(uint64 batchId, uint256 index, bytes calldata chunk) external nonReentrant {
        Progress memory progress = _requireOpen(batchId);
        if (progress.status == Status.Unwinding) revert WrongStatus(batchId, progress.status);
        _requireChunk(batchId, progress.nextChunk, index, chunk);
        _apply(batchId, progress, chunk);
        _finish(batchId, progress);
    }

    /// @notice Begin to undo the open batch, while nothing of it is paid.
    /// @param batchId The open batch.
    /// @param clearingSignature The clearing house's signature over `Unwind`; empty after the timeout.
    function unwind(uint64 batchId, bytes calldata clearingSignature) external nonReentrant {
        Progress memory progress = _requireOpen(batchId);
        if (progress.status != Status.Collecting) revert WrongStatus(batchId, progress.status);
        if (clearingSignature.length == 0) {
            uint256 allowedAt = progress.openedAt + unwindTimeout;
            if (block.timestamp < allowedAt) revert UnwindTooEarly(allowedAt);
        } else {
            _requireSigner(
                clearing.signer(), keccak256(abi.encode(UNWIND_TYPEHASH, batchId)), clearingSignature
            );
        }
        progress.status = Status.Unwinding;
        emit UnwindStarted(batchId);
        _finish(batchId, progress);
    }

    /// @notice Give back what a chunk collected; the last refund closes the batch and frees its range.
    /// @param batchId The batch that is being unwound.
    /// @param index Index of the chunk, the last collected one first.
    /// @param chunk The chunk's bytes.
    function refund(uint64 batchId, uint256 index, bytes calldata chunk) external nonReentrant {
        Progress memory progress = _requireOpen(batchId);
        if (progress.status != Status.Unwinding) revert WrongStatus(batchId, progress.status);
        _requireChunk(batchId, progress.nextChunk - 1, index, chunk);
        _groups(batchId, progress, chunk, Move.Refund);
        --progress.nextChunk;
        _finish(batchId, progress);
    }

    /// @notice Let the guarantee fund pay for one account's debit in one batch.
    /// @param batchId A batch that is not open yet, or is collecting.
    /// @param token Token of the debit.
    /// @param account Account that falls short.
    /// @param amount Units the fund pays at the most.
    /// @param venueSignature The venue's signature over `Substitute`.
    /// @param clearingSignature The clearing house's signature over the same.
    function substitute(
        uint64 batchId,
        address token,
        address account,
        uint256 amount,
        bytes calldata venueSignature,
        bytes calldata clearingSignature
    ) external nonReentrant {
        Progress storage progress = _progress[batchId];
        if (progress.status > Status.Collecting) revert WrongStatus(batchId, progress.status);
        Cover storage cover = _covers[batchId][token][account];
        if (amount == 0 || amount > type(uint64).max || account == guaranteeFund || cover.amount != 0) {
            revert WrongCover(token, account, amount);
        }
        bytes32 structHash = keccak256(abi.encode(SUBSTITUTE_TYPEHASH, batchId, token, account, amount));
        _requireSigner(venue.signer(), structHash, venueSignature);
        _requireSigner(clearing.signer(), structHash, clearingSignature);
        cover.amount = uint64(amount);
        progress.substituted = true;
    }

    /// @notice Root over the fills of a settled batch; zero while it is not settled.
    /// @param batchId Batch asked about.
    function rootOf(uint64 batchId) external view returns (bytes32) {
        return _progress[batchId].status == Status.Settled ? _fillsRoots[batchId] : bytes32(0);
    }

    /// @notice State of one batch.
    /// @param batchId Batch asked about.
    function progressOf(uint64 batchId) external view returns (Progress memory) {
        return _progress[batchId];
    }

    /// @notice Last settled sequence number, the open batch and its state, read at one block.
    function state() external view returns (uint64 last, uint64 batchId, Progress memory progress) {
        return (lastSequence, openBatchId, _progress[openBatchId]);
    }

    /// @dev Checks everything a batch must satisfy before a unit moves, and opens it.
    function _open(
        Batch calldata batch,
        bytes32[] memory hashes,
        bytes calldata venueSignature,
        bytes calldata clearingSignature
    ) private returns (Progress memory progress) {
        if (openBatchId != 0) revert BatchOpen(openBatchId);
        progress = _progress[batch.batchId];
        if (batch.batchId == 0 || progress.status != Status.None) revert BatchIdUsed(batch.batchId);
        if (batch.fromSequence != lastSequence + 1 || batch.toSequence < batch.fromSequence) {
            revert WrongSequence(lastSequence + 1, batch.fromSequence, batch.toSequence);
        }
        if (batch.fillsRoot == bytes32(0)) revert NoFillsRoot();
        if (hashes.length > CHUNKS_MAX) revert TooManyChunks(hashes.length);
        bytes32 found = keccak256(abi.encodePacked(hashes));
        if (found != batch.chunksHash) revert WrongChunks(batch.chunksHash, found);
        _requireBatchSigned(batch, venueSignature, clearingSignature);

        openBatchId = batch.batchId;
        _fillsRoots[batch.batchId] = batch.fillsRoot;
        progress.fromSequence = batch.fromSequence;
        progress.toSequence = batch.toSequence;
        progress.openedAt = uint64(block.timestamp);
        progress.status = Status.Collecting;
        progress.chunkCount = uint16(hashes.length);
        emit BatchOpened(batch.batchId, batch.fromSequence, batch.toSequence, hashes.length);
    }

    /// @dev Applies the next chunk: collect while nothing is paid, pay afterwards.
    function _apply(uint64 batchId, Progress memory progress, bytes calldata chunk) private {
        if (chunk.length == 0) revert MalformedChunk(0);
        uint8 phase = uint8(chunk[0]);
        if (phase > uint8(Move.Pay)) revert MalformedChunk(0);
        if (phase == uint8(Move.Pay)) {
            progress.status = Status.Paying;
        } else if (progress.status != Status.Collecting) {
            revert WrongStatus(batchId, progress.status);
        }
        _groups(batchId, progress, chunk, Move(phase));
        emit ChunkApplied(batchId, progress.nextChunk);
        ++progress.nextChunk;
    }

    /// @dev Writes the batch's state, and closes it when nothing is left to do.
    function _finish(uint64 batchId, Progress memory progress) private {
        bool unwinding = progress.status == Status.Unwinding;
        if (progress.nextChunk == (unwinding ? 0 : progress.chunkCount)) {
            if (progress.escrowTokens != 0) revert EscrowLeft(progress.escrowTokens);
            openBatchId = 0;
            if (unwinding) {
                progress.status = Status.Unwound;
                emit BatchUnwound(batchId);
            } else {
                progress.status = Status.Settled;
                lastSequence = progress.toSequence;
                emit BatchSettled(batchId, progress.fromSequence, progress.toSequence, _fillsRoots[batchId]);
            }
        }
        _progress[batchId] = progress;
    }

    /// @dev Walks a chunk's groups and keeps the escrow of each token.
    function _groups(uint64 batchId, Progress memory progress, bytes calldata chunk, Move move) private {
        uint256 position = 1;
        while (position < chunk.length) {
            if (position + GROUP_HEAD > chunk.length) revert MalformedChunk(position);
            address token = address(bytes20(chunk[position:position + 20]));
            uint256 start = position + GROUP_HEAD;
            uint256 end = start + ENTRY * uint16(bytes2(chunk[position + 20:start]));
            if (end == start || end > chunk.length) revert MalformedChunk(position);
            bytes calldata entries = chunk[start:end];
            uint256 total = progress.substituted && move != Move.Pay
                ? _moveCovered(batchId, progress, token, entries, move)
                : _move(batchId, progress.fromSequence, token, entries, move);
            _escrowChange(progress, token, total, move);
            position = end;
        }
    }

    /// @dev Counts what comes into a token's escrow or leaves it.
    function _escrowChange(Progress memory progress, address token, uint256 total, Move move) private {
        uint256 before = escrowOf[token];
        if (move != Move.Collect && total > before) revert EscrowShort(token, before, total);
        uint256 next = move == Move.Collect ? before + total : before - total;
        if (before == 0 && next != 0) ++progress.escrowTokens;
        if (before != 0 && next == 0) --progress.escrowTokens;
        escrowOf[token] = next;
    }

    /// @dev Splits the debits the guarantee fund pays for; the same way again when they are refunded.
    function _moveCovered(
        uint64 batchId,
        Progress memory progress,
        address token,
        bytes calldata entries,
        Move move
    ) private returns (uint256 total) {
        uint256 start = 0;
        for (uint256 offset = 0; offset < entries.length; offset += ENTRY) {
            address account = address(bytes20(entries[offset:offset + 20]));
            uint64 amount = uint64(bytes8(entries[offset + 20:offset + ENTRY]));
            uint64 covered = _coverUse(_covers[batchId][token][account], amount, progress, move);
            if (covered == 0) continue;
            if (move == Move.Collect) emit Substituted(batchId, token, account, covered);
            if (start != offset) {
                total += _move(batchId, progress.fromSequence, token, entries[start:offset], move);
            }
            bytes memory split = abi.encodePacked(account, amount - covered, guaranteeFund, covered);
            total += _move(batchId, progress.fromSequence, token, split, move);
            start = offset + ENTRY;
        }
        if (start != entries.length) {
            total += _move(batchId, progress.fromSequence, token, entries[start:], move);
        }
    }

    /// @dev Uses a cover in the chunk that collects, and once more in the same chunk's refund.
    function _coverUse(Cover storage cover, uint64 amount, Progress memory progress, Move move)
        private
        returns (uint64)
    {
        Cover memory found = cover;
        uint16 usedIn = move == Move.Collect ? 0 : progress.nextChunk;
        if (found.amount == 0 || found.usedIn != usedIn) return 0;
        cover.usedIn = move == Move.Collect ? progress.nextChunk + 1 : type(uint16).max;
        return found.amount < amount ? found.amount : amount;
    }

    /// @dev Hands entries to their token.
    function _move(uint64 batchId, uint64 fromSequence, address token, bytes memory entries, Move move)
        private
        returns (uint256)
    {
        if (move == Move.Collect) return CustodialToken(token).collect(fromSequence, entries);
        if (move == Move.Pay) return CustodialToken(token).pay(batchId, suspense, entries);
        return CustodialToken(token).refund(entries);
    }

    /// @dev State of the open batch; reverts for any other.
    function _requireOpen(uint64 batchId) private view returns (Progress memory progress) {
        progress = _progress[batchId];
        if (batchId == 0 || batchId != openBatchId) revert WrongStatus(batchId, progress.status);
    }

    /// @dev Reverts unless the chunk is the one whose turn it is.
    function _requireChunk(uint64 batchId, uint256 expected, uint256 index, bytes calldata chunk) private view {
        if (index != expected) revert WrongIndex(expected, index);
        bytes32 committed = _chunkHashes[batchId][index];
        bytes32 found = keccak256(chunk);
        if (found != committed) revert WrongChunks(committed, found);
    }

    /// @dev Reverts unless both bodies signed the batch.
    function _requireBatchSigned(
        Batch calldata batch,
        bytes calldata venueSignature,
        bytes calldata clearingSignature
    ) private view {
        bytes32 structHash = keccak256(
            abi.encode(
                BATCH_TYPEHASH,
                batch.batchId,
                batch.fromSequence,
                batch.toSequence,
                batch.fillsRoot,
                batch.chunksHash
            )
        );
        _requireSigner(venue.signer(), structHash, venueSignature);
        _requireSigner(clearing.signer(), structHash, clearingSignature);
    }
}
