"""Real processes that die between any two steps: everything resumes, nothing happens twice."""

import json
from collections.abc import Iterator
from pathlib import Path
from signal import SIGTERM

import psycopg
import pytest

from exchange.stack import Stack
from matching.client import EngineClient
from matching.protocol.commands import (
    Credit,
    DefineInstrument,
    PlaceOrder,
    SetEligibility,
    SetPhase,
)
from matching.protocol.events import Filled
from matching.protocol.faults import BODY_POINTS
from matching.protocol.queries import Balances, GetBalances
from matching.protocol.units import OrderKind, Phase, Side, TimeInForce
from tests.custody.programs import CARRY, DEPLOYED, Nursery, listening, start
from tests.settings import SESSION_INSTANCE
from tests.waiting import wait_until

KRW, XAU = 1, 2
OPEN = "answer([custody.account_open(holder=holder).pk for holder in {holders}])"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Engine and database of this module's own, with no worker and no beat: no task is woken."""
    with Stack(
        f"{SESSION_INSTANCE.name}-custody",
        processes=("engine",),
        parts=("postgres", "valkey"),
        setup=("migrate", "assets_register"),
        durable=False,
    ) as stack:
        yield stack
        stack.erase()


@pytest.fixture(scope="module")
def nursery(stack: Stack) -> Iterator[Nursery]:
    with Nursery(stack) as nursery:
        yield nursery


@pytest.fixture(scope="module")
def client(stack: Stack) -> EngineClient:
    return EngineClient(stack.instance.engine_socket)


def _rows(stack: Stack, query: str) -> list[tuple[int, ...]]:
    with psycopg.connect(stack.urls["DATABASE_URL"]) as connection:
        return [tuple(map(int, row)) for row in connection.execute(query)]


def _ledger(stack: Stack) -> dict[tuple[int, int], int]:
    rows = _rows(
        stack,
        "SELECT account_id, asset_id, sum(amount_units) FROM custody_posting"
        " WHERE account_id <> 1 GROUP BY 1, 2 HAVING sum(amount_units) <> 0",
    )
    return {(account, asset): units for account, asset, units in rows}


def _engine(client: EngineClient) -> tuple[int, dict[tuple[int, int], int]]:
    reply = client.ask(GetBalances())
    assert isinstance(reply, Balances)
    amounts = {
        (one.account, one.asset): one.available_units + one.held_units for one in reply.balances
    }
    return reply.sequence, {key: units for key, units in amounts.items() if units}


def _trade(client: EngineClient, seller: int, buyer: int, count: int, prefix: str) -> int:
    fills = 0
    for number in range(count):
        for account, side in ((seller, Side.SELL), (buyer, Side.BUY)):
            placed = client.send(
                PlaceOrder(
                    account=account,
                    client_order_id=f"{prefix}-{number}",
                    instrument=1,
                    side=side,
                    kind=OrderKind.LIMIT,
                    time_in_force=TimeInForce.GTC,
                    price_ticks=9_000 + number,
                    quantity_lots=1,
                )
            )
            fills += sum(isinstance(event, Filled) for event in placed.events)
    return fills


def test_ledger_equals_the_engine_though_its_follower_is_killed(
    stack: Stack, nursery: Nursery, client: EngineClient
) -> None:
    seller, buyer = nursery.run(OPEN.format(holders="(5001, 5002)"))
    for number in (2, seller, buyer):
        nursery.run(f"custody.account_prepare(number={number})\nanswer(1)")
    client.send_many(
        [
            DefineInstrument(1, XAU, KRW, 10, 1000, 1, 10**6, 0, 0, -100, 300),
            SetPhase(1, Phase.CONTINUOUS),
            SetEligibility(5001, 1, 1),
            SetEligibility(5002, 1, 1),
            Credit(seller, XAU, 10_000, "mint:a"),
            Credit(buyer, KRW, 10**10, "mint:b"),
        ]
    )
    fills = 0
    for round_number in range(4):
        for point in ("ledger.before_commit", "ledger.after_commit"):
            prefix = f"{round_number}-{point}".replace("ledger.", "")
            fills += _trade(client, seller, buyer, 3, prefix)
            nursery.run_killed("call_command('ledger_follow', once=True)", point)
    nursery.manage("ledger_follow", "--once")
    assert fills == 24
    sequence, balances = _engine(client)
    assert _ledger(stack) == balances
    assert balances[seller, XAU] == 10_000 - 240
    assert balances[2, KRW] > 0
    assert _rows(stack, "SELECT sequence FROM custody_ledgerposition") == [(sequence,)]
    assert _rows(stack, "SELECT count(*) FROM custody_entry WHERE kind = 'fill'") == [(24,)]
    assert _rows(
        stack,
        "SELECT count(*) FROM (SELECT entry_id, asset_id FROM custody_posting"
        " GROUP BY 1, 2 HAVING sum(amount_units) <> 0) unbalanced",
    ) == [(0,)]


def test_follower_ends_in_good_order_on_sigterm(stack: Stack) -> None:
    process = start(stack, "ledger_follow")
    wait_until(lambda: process.poll() is None and listening(process))
    process.send_signal(SIGTERM)
    assert process.wait(timeout=10) == 0


def test_signer_works_when_notified_and_ends_in_good_order_on_sigterm(
    stack: Stack, nursery: Nursery
) -> None:
    nursery.manage("signer_init", "--body", "custody")
    secret = stack.instance.key_passphrase("custody")
    process = start(stack, "custody_signer", NEXUS_SIGNER_PASSPHRASE=secret)
    (account,) = nursery.run(OPEN.format(holders="(5003,)"))
    derived = f"SELECT id FROM custody_account WHERE id = {account} AND attestation IS NOT NULL"
    wait_until(lambda: _rows(stack, derived))
    process.send_signal(SIGTERM)
    assert process.wait(timeout=10) == 0


def test_issuance_and_eligibility_survive_death_at_every_step(
    stack: Stack, nursery: Nursery, client: EngineClient, tmp_path: Path
) -> None:
    """Every step runs in a process that is killed after it, and at each crash point before that."""
    _officers(nursery, stack.instance.keys)
    nursery.run(DEPLOYED)
    holder = nursery.manage("party_apply", "--name=Kim")["holder"]
    _act(nursery, "compliance.identify", holder=holder, classes=1)
    nursery.run_killed("compliance.sweep()", "eligibility.answered")
    (account,) = nursery.run(OPEN.format(holders=f"({holder},)"))
    nursery.run_killed("custody.sweep()", "account.answered")
    _steps(nursery, 2)
    notice = tmp_path / "notice.json"
    terms = {"account": account, "amount_units": 77_000}
    document = {"notice_id": "N1", "bank": "hana", "asset": "KRW", **terms}
    notice.write_text(json.dumps({**document, "booked_at": "2026-11-20T09:00:00Z"}))
    signed = nursery.manage(
        "evidence_sign", str(notice), "--as=bank", f"--key={stack.instance.keys}/hana.key"
    )
    notice.write_text(json.dumps(signed))
    evidence = {"evidence_kind": "bank_notice", "evidence_id": "N1"}
    for _ in range(2):
        assert nursery.manage("bank_notice_receive", str(notice)) == evidence
    _act(nursery, "custody.mint", asset=KRW, **evidence, **terms)
    _steps(nursery, 1, ending="carry")
    nursery.run_killed("custody.sweep()", "issuance.answered")
    assert _balance(client, account) == 77_000
    _steps(nursery, 2)
    assert _balance(client, account) == 77_000
    assert _rows(stack, "SELECT count(*) FROM custody_issuance WHERE state = 'credited'") == [(1,)]
    confirmed = "SELECT count(*) FROM {} WHERE state = 'confirmed'"
    assert _rows(stack, confirmed.format("compliance_registryintent")) == [(1,)]
    derived = "SELECT 1 + count(*) FROM custody_account WHERE attestation IS NOT NULL"
    assert _rows(stack, confirmed.format("custody_custodyintent")) == _rows(stack, derived)
    nursery.manage("ledger_follow", "--once")
    assert _ledger(stack)[account, KRW] == 77_000
    assert nursery.manage("audit_verify")["records"] > 10
    assert BODY_POINTS[:3] == ("eligibility.answered", "account.answered", "issuance.answered")


WISH = """
from django.utils import timezone
from custody.models import Account
Account.objects.filter(pk={account}).update(registered_at=timezone.now())
wish = custody.withdrawal_request(
    account={account}, asset=2, amount_units=2_000, kind="token", client_reference="W1",
    destination="0x5B38Da6a701c568545dCfcB03FcB875f56beddC4", actor="process:test",
)
answer(str(wish.pk))
"""
RETURN = """
from uuid import UUID
from django.db import transaction
with transaction.atomic():
    custody.withdrawal_return(withdrawal_id=UUID("{wish}"), reason="test")
answer(1)
"""
DEPOSIT = """
for _ in range(2):
    found = custody.token_deposit_receive(
        account={account}, asset=2, amount_units=700, sender="0x" + 40 * "5",
        transaction_hash="0x" + 64 * "7", log_index=1, block_number=9,
    )
custody.token_deposits_confirm(upto_block=9)
answer(found.pk)
"""


def test_withdrawal_and_deposit_survive_death_at_every_step(
    stack: Stack, nursery: Nursery, client: EngineClient
) -> None:
    (account,) = nursery.run(OPEN.format(holders="(5009,)"))
    nursery.run(f"custody.account_prepare(number={account})\nanswer(1)")
    client.send(Credit(account, XAU, 5_000, "mint:w"))
    wish = nursery.run(WISH.format(account=account))
    state = f"SELECT count(*) FROM custody_withdrawal WHERE id = '{wish}' AND state = "
    for point, left in (("before_debit", 5_000), ("debited", 3_000)):
        nursery.run_killed("custody.sweep()", f"withdrawal.{point}")
        assert _balance(client, account, XAU) == left
    nursery.run("custody.sweep()\nanswer(1)")
    assert _rows(stack, state + "'held'") == [(1,)]
    assert _balance(client, account, XAU) == 3_000
    nursery.run(RETURN.format(wish=wish))
    nursery.run_killed("custody.sweep()", "withdrawal.returned")
    nursery.run("custody.sweep()\nanswer(1)")
    assert _rows(stack, state + "'returned'") == [(1,)]
    assert _balance(client, account, XAU) == 5_000
    nursery.run(DEPOSIT.format(account=account))
    nursery.run_killed("custody.sweep()", "deposit.answered")
    nursery.run("custody.sweep()\nanswer(1)")
    credited = "SELECT count(*) FROM custody_tokendeposit WHERE state = 'credited'"
    assert _rows(stack, credited) == [(1,)]
    assert _balance(client, account, XAU) == 5_700
    withdrawals = ("withdrawal.before_debit", "withdrawal.debited", "withdrawal.returned")
    assert BODY_POINTS[3:] == (*withdrawals, "deposit.answered")


STEPS = ("sweep", "custody_signer", "compliance_signer", "carry")


def _steps(nursery: Nursery, rounds: int, ending: str = "") -> None:
    """Let every process of the bodies do what waits, each killed right after, so many rounds."""
    for step in STEPS * rounds + (("sweep",) if not ending else ()):
        if step == "sweep":
            nursery.run("compliance.sweep()\nanswer(1)")
            nursery.run("custody.sweep()\nanswer(1)")
        elif step == "carry":
            nursery.run(CARRY)
        else:
            secret = nursery.stack.instance.key_passphrase(step.removesuffix("_signer"))
            nursery.manage(step, "--once", NEXUS_SIGNER_PASSPHRASE=secret)


def _officers(nursery: Nursery, keys: Path) -> None:
    for body in ("custody", "compliance"):
        nursery.manage("signer_init", "--body", body)
        for name in (f"{body}-one", f"{body}-two"):
            nursery.manage(
                "officer_create",
                f"--username={name}",
                f"--body={body}",
                f"--key-out={keys / name}.key",
            )
    nursery.manage(
        "evidence_key_create", "--name=hana", "--kind=bank", f"--key-out={keys}/hana.key"
    )


def _act(nursery: Nursery, kind: str, **payload: int | str) -> None:
    body, keys = kind.partition(".")[0], nursery.stack.instance.keys
    one, two = (
        (f"--officer={body}-{name}", f"--key={keys}/{body}-{name}.key") for name in ("one", "two")
    )
    proposed = nursery.manage(
        "act_propose", *one, f"--kind={kind}", f"--payload={json.dumps(payload)}", "--reason=test"
    )
    with pytest.raises(AssertionError, match="forbidden"):
        nursery.manage("act_approve", proposed["id"], *one)
    approved = nursery.manage("act_approve", proposed["id"], *two)
    assert (approved["state"], approved["approver"]) == ("approved", f"{body}-two")


def _balance(client: EngineClient, account: int, asset: int = KRW) -> int:
    reply = client.ask(GetBalances(account))
    assert isinstance(reply, Balances)
    return sum(one.available_units for one in reply.balances if one.asset == asset)
