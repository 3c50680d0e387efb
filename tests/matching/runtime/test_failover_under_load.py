"""kill -9 of the leader under the socket benchmark's load, clients in processes of their own."""

import multiprocessing
from multiprocessing.queues import Queue
from time import perf_counter

from matching.client import EngineUnavailable
from matching.journal.format import SEGMENT_BYTES
from matching.protocol.codec import Answer
from matching.protocol.events import OrderAccepted
from tests.benchmarks.flow import market
from tests.benchmarks.socket import CALL, CLIENTS, Commands
from tests.matching.processes import EngineHost
from tests.waiting import wait_until

CALLS = 40
# What the engine promises is 2 s; this machine may be busy with other things.
SILENCE_MAX_S = 15.0


def _load(host: EngineHost, number: int, told: "Queue[tuple[list[Answer], float, int]]") -> None:
    """Send the benchmark's commands; tell all answers, the longest silence, and calls cut off."""
    client = host.client(patience_s=30)
    made = Commands(number)
    answers: list[Answer] = []
    silence_s, cut_off, heard_at = 0.0, 0, perf_counter()
    for _ in range(CALLS):
        try:
            found = client.send_many(made.next(CALL))
        except EngineUnavailable as lost:
            assert lost.sent  # cancels among them: their fate is unknown, and they are not repeated
            cut_off += 1
            continue
        answers += found
        silence_s, heard_at = max(silence_s, perf_counter() - heard_at), perf_counter()
        for answer in found:
            event = answer.events[0]
            if isinstance(event, OrderAccepted):
                made.resting.append(event.order_id)
    told.put((answers, silence_s, cut_off))


def test_standby_answers_soon_under_the_benchmarks_load() -> None:
    host = EngineHost(SEGMENT_BYTES)
    standby = host.twin("standby")
    context = multiprocessing.get_context("fork")
    told: Queue[tuple[list[Answer], float, int]] = context.Queue()
    try:
        host.valkey.start()
        host.start()
        host.client().send_many(market(2 * CLIENTS))
        standby.stand_by()
        clients = [context.Process(target=_load, args=(host, n, told)) for n in range(CLIENTS)]
        for process in clients:
            process.start()
        wait_until(lambda: host.status().sequence > CLIENTS * CALLS * CALL // 4)
        host.kill()
        found = [told.get(timeout=120) for _ in clients]
        for process in clients:
            process.join(60)
            assert process.exitcode == 0
        by_sequence = {each.sequence: each for each in standby.applied()}
        assert standby.status().epoch == 2
    finally:
        standby.end()
        host.close()
    for answers, silence_s, cut_off in found:
        print(f"longest silence {silence_s:.3f} s, {len(answers)} answers, {cut_off} calls cut off")
        assert silence_s < SILENCE_MAX_S
        for answer in answers:
            assert by_sequence[answer.sequence].events == answer.events
    accepted = [
        (event.account, event.client_order_id)
        for each in by_sequence.values()
        for event in each.events
        if isinstance(event, OrderAccepted)
    ]
    assert len(accepted) == len(set(accepted))
