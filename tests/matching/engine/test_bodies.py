"""What bodies command: instruments, phases, accounts, eligibility, credits and debits."""

import msgspec
import pytest

from matching.engine import Engine, SequenceBroken
from matching.protocol.commands import (
    AnyCommand,
    CancelAll,
    Charge,
    Credit,
    Debit,
    OpenAccount,
    Sequenced,
    SetEligibility,
    SetPhase,
)
from matching.protocol.events import (
    AccountOpened,
    Credited,
    Debited,
    EligibilityChanged,
    InstrumentDefined,
    OrderCancelled,
    PhaseChanged,
    ReferenceRepeated,
)
from matching.protocol.queries import (
    Book,
    GetBook,
    GetInstruments,
    GetMovement,
    GetStatus,
    Instruments,
    InstrumentState,
    MovementFound,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import UNITS_MAX, AccountKind, CancelReason, Phase
from tests.matching.market import (
    ALICE,
    BOB,
    BUY,
    GOLD,
    KRW,
    REVENUE,
    SELL,
    XAU,
    Market,
    gold,
    order,
    shares,
)

BAD = Refusal.MALFORMED


def test_instrument_begins_closed_and_repeats_alike() -> None:
    market = Market()
    assert market.do(gold()) == (InstrumentDefined(gold()),)
    assert market.do(gold()) == (InstrumentDefined(gold()),)
    reply = market.engine.answer(GetInstruments())
    assert reply == Instruments(2, (InstrumentState(gold(), Phase.CLOSED, 0),))


@pytest.mark.parametrize(
    "changes",
    [
        {"base_asset": 13},
        {"quote_asset": 13},
        {"base_units_per_lot": 1},
        {"quote_units_per_tick_lot": 1},
        {"instrument_class": 2},
    ],
)
def test_instrument_keeps_its_assets_units_and_class(
    market: Market, changes: dict[str, int]
) -> None:
    changed = msgspec.structs.replace(gold(), **changes)
    market.refuses(changed, Refusal.CONFLICTING_DEFINITION)


@pytest.mark.parametrize(
    "changes",
    [
        {"instrument": 0},
        {"instrument": 2**63},
        {"base_asset": -1},
        {"base_asset": KRW},
        {"base_units_per_lot": 0},
        {"quote_units_per_tick_lot": 2**63},
        {"instrument_class": 0},
        {"instrument_class": 3},
        {"quantity_lots_max": 0},
        {"quantity_lots_max": 2**40 + 1},
        {"price_ticks_low": -1},
        {"price_ticks_high": 2**40 + 1},
        {"price_ticks_low": 5, "price_ticks_high": 4},
        {"maker_fee_ppm": -1_000_001},
        {"maker_fee_ppm": 1_000_001},
        {"taker_fee_ppm": -1},
        {"taker_fee_ppm": 1_000_001},
    ],
)
def test_unsound_definition_is_malformed(market: Market, changes: dict[str, int]) -> None:
    definition = msgspec.structs.replace(gold(), **{"instrument": 7, **changes})
    market.refuses(definition, BAD)


def test_new_band_cancels_orders_outside_it(market: Market) -> None:
    low, kept, high = (market.rest(ALICE, SELL, price, 1) for price in (100, 105, 110))
    events = market.do(gold(price_ticks_low=101, price_ticks_high=109))
    assert events[1:] == tuple(
        OrderCancelled(order_id, ALICE, GOLD, CancelReason.RESTRICTED, 1)
        for order_id in (low, high)
    )
    assert market.open_orders() == {kept: 1}


def test_phase_needs_an_instrument_and_trading_a_revenue_account() -> None:
    market = Market([gold()])
    market.refuses(SetPhase(77, Phase.HALTED), Refusal.UNKNOWN_INSTRUMENT)
    market.refuses(SetPhase(GOLD, Phase.CONTINUOUS), Refusal.UNKNOWN_ACCOUNT)
    assert market.do(SetPhase(GOLD, Phase.HALTED)) == (PhaseChanged(GOLD, Phase.HALTED),)
    market.do(OpenAccount(REVENUE, 900, AccountKind.REVENUE))
    market.do(SetPhase(GOLD, Phase.CONTINUOUS))


def test_late_phase_is_refused_when_a_newer_one_was_decided(market: Market) -> None:
    assert market.do(SetPhase(GOLD, Phase.HALTED, 20)) == (PhaseChanged(GOLD, Phase.HALTED),)
    market.refuses(SetPhase(GOLD, Phase.CONTINUOUS, 19), Refusal.STALE_VERSION)
    market.refuses(SetPhase(GOLD, Phase.CONTINUOUS, -1), Refusal.MALFORMED)
    assert market.do(SetPhase(GOLD, Phase.HALTED, 20)) == (PhaseChanged(GOLD, Phase.HALTED),)
    assert market.do(SetPhase(GOLD, Phase.CONTINUOUS, 21)) == (
        PhaseChanged(GOLD, Phase.CONTINUOUS),
    )
    market.refuses(SetPhase(GOLD, Phase.HALTED, 20), Refusal.STALE_VERSION)


def test_account_repeats_alike_and_never_changes(market: Market) -> None:
    before = market.engine.state_hash()
    opened = (AccountOpened(ALICE, 100, AccountKind.MEMBER),)
    assert market.do(OpenAccount(ALICE, 100)) == opened
    assert market.engine.state_hash() == before
    conflict = Refusal.CONFLICTING_DEFINITION
    market.refuses(OpenAccount(ALICE, 101), conflict)
    market.refuses(OpenAccount(ALICE, 100, AccountKind.REVENUE), conflict)
    market.refuses(OpenAccount(77, 900, AccountKind.REVENUE), conflict)
    for account, holder in ((0, 1), (1, 0), (-1, 1), (2**63, 1), (1, 2**63)):
        market.refuses(OpenAccount(account, holder), BAD)


def test_unknown_holder_may_trade_nothing(market: Market) -> None:
    market.do(OpenAccount(77, 777))
    market.do(Credit(77, KRW, 10_000, "seven"))
    market.refuses(order(77, BUY, 100, 1), Refusal.NOT_ELIGIBLE)
    assert market.do(SetEligibility(777, 1, 1)) == (EligibilityChanged(777, 1, 1, False),)
    market.rest(77, BUY, 100, 1)


def test_eligibility_may_come_before_the_account(market: Market) -> None:
    market.do(SetEligibility(777, 5, 1))
    market.do(OpenAccount(77, 777))
    market.do(Credit(77, KRW, 10_000, "seven"))
    market.rest(77, BUY, 100, 1)


def test_eligibility_version_must_rise(market: Market) -> None:
    market.do(SetEligibility(100, 5, 1, frozen=True))
    market.refuses(SetEligibility(100, 4, 3), Refusal.STALE_VERSION)
    market.refuses(SetEligibility(100, 5, 3), Refusal.STALE_VERSION)
    market.refuses(SetEligibility(100, 5, 1), Refusal.STALE_VERSION)
    before = market.engine.state_hash()
    repeated = market.do(SetEligibility(100, 5, 1, frozen=True))
    assert repeated == (EligibilityChanged(100, 5, 1, True),)
    assert market.engine.state_hash() == before
    for command in (SetEligibility(0, 1, 1), SetEligibility(1, 0, 1), SetEligibility(1, 1, -1)):
        market.refuses(command, BAD)


def test_credit_and_debit_count_once_by_reference(market: Market) -> None:
    credit, debit = Credit(BOB, KRW, 500, "bank/1"), Debit(BOB, KRW, 200, "bank/2")
    assert market.do(credit) == (Credited(BOB, KRW, 500, "bank/1"),)
    credited = market.engine.sequence
    assert market.do(debit) == (Debited(BOB, KRW, 200, "bank/2"),)
    before = market.engine.state_hash()
    assert market.do(credit) == (ReferenceRepeated("bank/1", credited),)
    assert market.do(debit) == (ReferenceRepeated("bank/2", credited + 1),)
    assert market.engine.state_hash() == before
    assert market.gained(BOB) == {KRW: 300}
    for command in (
        Credit(BOB, KRW, 501, "bank/1"),
        Credit(ALICE, KRW, 500, "bank/1"),
        Debit(BOB, KRW, 500, "bank/1"),
    ):
        market.refuses(command, Refusal.REFERENCE_REUSED)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (Credit(BOB, KRW, 0, "r"), BAD),
        (Credit(BOB, KRW, -1, "r"), BAD),
        (Credit(BOB, KRW, 2**63, "r"), BAD),
        (Credit(BOB, 0, 1, "r"), BAD),
        (Credit(BOB, KRW, 1, ""), BAD),
        (Credit(BOB, KRW, 1, "r" * 97), BAD),
        (Credit(BOB, KRW, 1, "r\n"), BAD),
        (Credit(77, KRW, 1, "r"), Refusal.UNKNOWN_ACCOUNT),
        (Debit(77, KRW, 1, "r"), Refusal.UNKNOWN_ACCOUNT),
        (Credit(BOB, KRW, UNITS_MAX, "r"), Refusal.AMOUNT_OVERFLOW),
        (Debit(BOB, KRW, 1_000_001, "r"), Refusal.INSUFFICIENT_BALANCE),
        (Debit(BOB, 55, 1, "r"), Refusal.INSUFFICIENT_BALANCE),
    ],
)
def test_movement_is_refused_by_code(market: Market, command: AnyCommand, code: Refusal) -> None:
    market.refuses(command, code)


def test_charges_leave_with_their_debit_or_nothing_does(market: Market) -> None:
    charges = (Charge("fee", KRW, 70), Charge("vat", KRW, 30))
    debit = Debit(BOB, XAU, 200, "bar/1", charges)
    assert market.do(debit) == (
        Debited(BOB, XAU, 200, "bar/1"),
        Debited(BOB, KRW, 70, "bar/1:fee"),
        Debited(BOB, KRW, 30, "bar/1:vat"),
    )
    assert market.gained(BOB) == {XAU: -200, KRW: -100}
    assert market.do(debit) == (ReferenceRepeated("bar/1", market.engine.sequence - 1),)
    market.refuses(Debit(BOB, XAU, 200, "bar/1"), Refusal.REFERENCE_REUSED)
    available = market.balances(BOB)[KRW][0]
    dear = (Charge("fee", KRW, available), Charge("vat", KRW, 1))
    market.refuses(Debit(BOB, XAU, 200, "bar/2", dear), Refusal.INSUFFICIENT_BALANCE)
    market.refuses(Debit(BOB, KRW, available, "won", dear[1:]), Refusal.INSUFFICIENT_BALANCE)
    assert market.gained(BOB) == {XAU: -200, KRW: -100}
    market.engine._check()


@pytest.mark.parametrize(
    "charges",
    [
        (Charge("fee", KRW, 0),),
        (Charge("fee", KRW, -1),),
        (Charge("fee", KRW, 2**63),),
        (Charge("fee", 0, 1),),
        (Charge("", KRW, 1),),
        (Charge("f e", KRW, 1),),
        (Charge("f" * 95, KRW, 1),),
        (Charge("fee", KRW, 1), Charge("fee", KRW, 1)),
        tuple(Charge(name, KRW, 1) for name in "abcde"),
    ],
)
def test_charge_is_refused_when_it_is_malformed(
    market: Market, charges: tuple[Charge, ...]
) -> None:
    market.refuses(Debit(BOB, XAU, 1, "r", charges), BAD)


def test_debit_leaves_what_orders_hold(market: Market) -> None:
    market.rest(BOB, SELL, 100, 9_000 // 10)
    market.refuses(Debit(BOB, XAU, 910_001, "out"), Refusal.INSUFFICIENT_BALANCE)
    market.do(Debit(BOB, XAU, 910_000, "out"))
    assert market.balances(BOB)[XAU] == (0, 90_000)


def test_whole_63_bits_can_be_credited_and_no_unit_more(market: Market) -> None:
    market.do(Credit(ALICE, 55, UNITS_MAX - 1, "a"))
    market.do(Credit(BOB, 55, 1, "b"))
    market.refuses(Credit(BOB, 55, 1, "c"), Refusal.AMOUNT_OVERFLOW)
    market.do(Debit(ALICE, 55, 1, "d"))
    market.do(Credit(BOB, 55, 1, "c"))


def test_book_is_answered_to_the_depth_asked(market: Market) -> None:
    for price in (100, 101, 102):
        market.rest(ALICE, SELL, price, 1)
        market.rest(BOB, BUY, price - 10, 2)
    market.rest(BOB, SELL, 100, 3)
    assert market.book(depth=2).asks == ((100, 4, 2), (101, 1, 1))
    assert market.book(depth=1).bids == ((92, 2, 1),)
    assert market.book().bids == ((92, 2, 1), (91, 2, 1), (90, 2, 1))
    assert market.engine.answer(GetBook(77)) == Book(market.engine.sequence, 77, (), ())
    with pytest.raises(TypeError, match="GetStatus"):
        market.engine.answer(GetStatus())


@pytest.mark.parametrize(("sequence", "time_ns"), [(2, 0), (4, 9**20), (3, 0)])
def test_engine_refuses_a_command_out_of_order(sequence: int, time_ns: int) -> None:
    engine = Engine()
    for place in (1, 2):
        engine.apply(Sequenced(place, place, CancelAll(1)))
    with pytest.raises(SequenceBroken, match="expected sequence 3 above 2 ns"):
        engine.apply(Sequenced(sequence, time_ns, CancelAll(1)))
    assert (engine.sequence, engine.time_ns) == (2, 2)


def test_state_hash_leaves_out_sequence_and_clock(market: Market) -> None:
    other = Market([gold(), SetPhase(77, Phase.CLOSED)])
    assert Market([gold()]).engine.state_hash() == other.engine.state_hash()
    assert Market([shares()]).engine.state_hash() != other.engine.state_hash()


def test_movement_is_told_by_its_reference(market: Market) -> None:
    credit = Credit(ALICE, KRW, 5_000, "deposit:7")
    market.do(credit)
    sequence = market.engine.sequence
    market.do(Debit(ALICE, KRW, 5_000_000_000_000, "withdrawal:7"))
    found = market.engine.answer(GetMovement("deposit:7"))
    assert found == MovementFound(market.engine.sequence, credit, sequence)
    assert market.engine.answer(GetMovement("withdrawal:7")) == MovementFound(
        market.engine.sequence, None, 0
    )
