"""Laws: whatever is commanded, balances are conserved, books whole, and a replay arrives alike."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.engine import Engine, Image
from matching.protocol.codec import encode
from matching.protocol.commands import (
    Advance,
    AmendOrder,
    AnyCommand,
    BeginSession,
    BreakerStage,
    CancelAll,
    CancelOrder,
    Charge,
    Credit,
    Debit,
    DefineInstrument,
    DefineSegment,
    HoldRoute,
    OpenAccount,
    OrderTerms,
    PlaceOrder,
    ReleaseRoute,
    Sequenced,
    SetEligibility,
    SetFeeTier,
    SetHeartbeat,
    SetKillSwitch,
    SetPhase,
    Transfer,
)
from matching.protocol.events import Filled, Refused, Transferred
from matching.protocol.units import (
    UNITS_MAX,
    AccountKind,
    Allocation,
    Medium,
    OrderKind,
    Phase,
    SelfTradePrevention,
    TimeInForce,
)
from tests.matching.market import BUY, FUNDS, GOLD, KRW, NOON_NS, SELL, XAU, Market, gold, opening

DAY_NS = 24 * 3_600 * 10**9
_LIMITED = (
    OrderKind.LIMIT,
    OrderKind.STOP_LIMIT,
    OrderKind.CONDITIONAL_LIMIT,
    OrderKind.MIDPOINT,
)

accounts = st.integers(1, 6)
lots = st.integers(1, 40) | st.sampled_from([-1, 0, 1_001, 2**40, 2**63])
prices = st.integers(95, 105) | st.sampled_from([-1, 0, 2**40, 2**41])
order_ids = st.integers(20, 80)
names = st.sampled_from([f"n{number}" for number in range(300)])
amounts = st.integers(1, 2 * FUNDS) | st.sampled_from([-1, 0, UNITS_MAX, 2**63])
rates = st.sampled_from([0, 1, 333, 25_000, 1_000_000])

placed = st.builds(
    PlaceOrder,
    account=accounts,
    client_order_id=names,
    instrument=st.sampled_from([1, 1, 1, 2, 3]),
    side=st.sampled_from([BUY, SELL]),
    kind=st.just(OrderKind.LIMIT),
    time_in_force=st.sampled_from([TimeInForce.GTC, TimeInForce.GTC, *TimeInForce]),
    price_ticks=prices,
    quantity_lots=lots,
    post_only=st.sampled_from([False, False, False, True]),
    self_trade_prevention=st.sampled_from(SelfTradePrevention),
    medium=st.sampled_from(Medium),
)
marketed = st.builds(
    lambda order, force: msgspec.structs.replace(
        order, kind=OrderKind.MARKET, time_in_force=force, price_ticks=0, post_only=False
    ),
    placed,
    st.sampled_from([TimeInForce.IOC, TimeInForce.FOK]),
)
lots_or_none = st.sampled_from([0, 0, 1, 3, 50])
termed = st.builds(
    lambda order, kind, force, stop, trail, display, minimum, expiry, tag: msgspec.structs.replace(
        order,
        kind=kind,
        time_in_force=force,
        price_ticks=order.price_ticks if kind in _LIMITED else 0,
        terms=OrderTerms(
            stop_price_ticks=stop if kind in (OrderKind.STOP, OrderKind.STOP_LIMIT) else 0,
            trail_ticks=trail if kind is OrderKind.TRAILING_STOP else 0,
            display_lots=display,
            minimum_lots=minimum,
            expires_at_ns=expiry if force is TimeInForce.GTD else 0,
            tag=tag,
        ),
    ),
    placed,
    st.sampled_from(OrderKind),
    st.sampled_from(TimeInForce),
    prices,
    st.integers(1, 5),
    lots_or_none,
    lots_or_none,
    st.integers(NOON_NS, NOON_NS + 2 * DAY_NS),
    st.sampled_from(["", "grid"]),
)
paired = st.builds(
    lambda order, name: msgspec.structs.replace(
        order, time_in_force=TimeInForce.GTC, terms=OrderTerms(pair=name)
    ),
    placed,
    names,
)
orders = st.one_of(
    placed,
    placed,
    marketed,
    termed,
    termed,
    paired,
    st.builds(AmendOrder, accounts, order_ids, prices, lots),
    st.builds(CancelOrder, accounts, order_ids),
    st.builds(CancelOrder, accounts, st.sampled_from([0, 0, 0, 20]), names),
)
acts = st.one_of(
    st.builds(
        CancelAll, st.integers(0, 6), st.integers(0, 3), st.integers(0, 2),
        st.sampled_from(["", "grid"]),
    ),
    st.builds(
        SetPhase, st.integers(1, 3), st.sampled_from([Phase.CONTINUOUS, *Phase]), st.just(0),
        st.sampled_from([0, NOON_NS + 10**9]),
    ),
    st.builds(
        SetKillSwitch, st.sampled_from([0, 2, 3]), st.sampled_from([0, 0, 1]), st.booleans()
    ),
    st.builds(SetHeartbeat, accounts, st.sampled_from([0, 10**9, 10**15])),
    st.builds(SetFeeTier, st.integers(99, 103), st.integers(0, 17)),
    st.builds(Transfer, accounts, accounts, st.just(KRW), amounts, st.sampled_from("ijklm")),
    st.builds(
        HoldRoute, accounts, st.sampled_from([0]) | order_ids, st.integers(1, 3),
        st.sampled_from([BUY, SELL]), prices, lots, st.sampled_from([0, 500]),
        st.sampled_from("nopqr"),
    ),
    st.builds(ReleaseRoute, st.sampled_from("nopqr"), st.integers(0, 9), st.sampled_from("stuvw")),
    st.builds(BeginSession, st.just(1), st.sampled_from([NOON_NS + DAY_NS, NOON_NS])),
    st.builds(
        DefineSegment, st.just(1), st.sampled_from([((1, 1),), ((1, 2), (2, 1))]),
        st.just((BreakerStage(20_000, 0, 10**9, 10**9), BreakerStage(50_000, 0, 0, 0, True))),
        st.just(10**9), st.just(0),
    ),
    st.builds(
        SetEligibility, st.integers(99, 103), st.integers(0, 9), st.integers(0, 3), st.booleans()
    ),
    st.builds(OpenAccount, accounts, st.integers(99, 103), st.sampled_from(AccountKind)),
    st.builds(Credit, accounts, st.sampled_from([XAU, KRW]), amounts, st.sampled_from("abcdefgh")),
    st.builds(
        Debit, accounts, st.sampled_from([XAU, KRW]), amounts, st.sampled_from("abcdefgh"),
        st.sampled_from(
            [(), (Charge("fee", KRW, 7),), (Charge("fee", XAU, 5), Charge("vat", KRW, 3))]
        ),
    ),
    st.builds(
        lambda low, high, maker, sign, taker, table, bound, base, shared: gold(
            price_ticks_low=low, price_ticks_high=high, maker_fee_ppm=maker * sign,
            taker_fee_ppm=taker, tick_table=table, dynamic_ppm=bound, static_ppm=bound,
            volatility_auction_ns=10**9, random_end_ns=10**9, base_price_ticks=base,
            allocation=shared, fee_tiers=((0, taker), (-maker, taker)),
        ),
        st.integers(0, 100), st.integers(101, 200), rates, st.sampled_from([-1, 1]), rates,
        st.sampled_from([(), (), ((0, 1), (99, 3)), ((0, 2), (100, 5), (100, 1))]),
        st.sampled_from([0, 20_000, 40_000]), st.sampled_from([0, 100]),
        st.sampled_from(Allocation),
    ),
)  # fmt: skip
commands: st.SearchStrategy[list[AnyCommand]] = st.lists(
    st.one_of(orders, orders, orders, orders, acts), min_size=40, max_size=120
)
steps = st.sampled_from([1, 1, 1, 1, 10**9, DAY_NS])


def _through_bytes(image: Image) -> Image:
    return msgspec.msgpack.decode(encode(image), type=Image)


@settings(max_examples=80)
@given(commands, st.data())
def test_any_commands_conserve_balances_and_replay_alike(
    given_commands: list[AnyCommand], data: st.DataObject
) -> None:
    market = Market(opening())
    cut = len(market.log) + data.draw(st.integers(0, len(given_commands)))
    middle = None
    for command in given_commands:
        if len(market.log) == cut:
            middle = _through_bytes(market.engine.image()), market.log[-1]
        step = data.draw(steps)
        if market.engine.due_ns <= market.time_ns + step:
            market.do(Advance(data.draw(st.integers(0, 2**32 - 1))), step)
        before = market.engine.state_hash()
        events = market.do(command, step)
        if isinstance(events[0], Refused) and step != DAY_NS:
            assert market.engine.state_hash() == before
    _assert_replays_alike(market, Engine(), 0)
    if middle is not None:
        image, last = middle
        _assert_replays_alike(market, Engine.restore(image, last.sequence, last.time_ns), cut)


def _assert_replays_alike(market: Market, engine: Engine, start: int) -> None:
    other = Market()
    for sequenced in market.log[:start]:
        other.engine.apply(sequenced)
    for sequenced in market.log[start:]:
        assert engine.apply(sequenced) == other.engine.apply(sequenced)
    engine._check()
    assert engine.state_hash() == market.engine.state_hash()


@settings(max_examples=40)
@given(commands)
def test_fills_alone_explain_every_balance(given_commands: list[AnyCommand]) -> None:
    """What followers post from events is what the engine holds."""
    market = Market(opening())
    revenue = 1
    ledger: dict[tuple[int, int], int] = {}
    for account in (2, 3, 4, 5):
        ledger |= {(account, asset): FUNDS for asset in (11, 12, KRW)}

    def post(account: int, asset: int, units: int) -> None:
        ledger[account, asset] = ledger.get((account, asset), 0) + units

    fill_ids = []
    for command in given_commands:
        for event in market.do(command):
            if type(event).__name__ in {"Credited", "Debited"}:
                sign = 1 if isinstance(command, Credit) else -1
                post(event.account, event.asset, sign * event.amount_units)  # type: ignore[union-attr]
            if isinstance(event, Transferred):
                post(event.from_account, event.asset, -event.amount_units)
                post(event.to_account, event.asset, event.amount_units)
            if not isinstance(event, Filled):
                continue
            fill_ids.append(event.fill_id)
            base = XAU if event.instrument == GOLD else 12
            buying = event.taker_side is BUY
            buyer, seller = event.taker_account, event.maker_account
            buyer, seller = (buyer, seller) if buying else (seller, buyer)
            fees = (event.taker_fee_units, event.maker_fee_units)
            buyer_fee, seller_fee = fees if buying else fees[::-1]
            post(buyer, base, event.base_units)
            post(seller, base, -event.base_units)
            post(buyer, KRW, -event.quote_units - buyer_fee)
            post(seller, KRW, event.quote_units - seller_fee)
            post(revenue, KRW, buyer_fee + seller_fee)
    assert fill_ids == list(range(1, len(fill_ids) + 1))
    held = {
        (account, asset): sum(units)
        for account in range(1, 7)
        for asset, units in market.balances(account).items()
    }
    assert held == {key: units for key, units in ledger.items() if units}


def test_equal_commands_make_equal_engines_through_the_wire() -> None:
    first, second = Engine(), Engine()
    decode = msgspec.msgpack.Decoder(Sequenced).decode
    for place, command in enumerate(opening(), 1):
        sequenced = Sequenced(place, place, command)
        assert first.apply(sequenced) == second.apply(decode(encode(sequenced)))
    assert first.state_hash() == second.state_hash()


def test_definition_round_trips() -> None:
    assert msgspec.msgpack.decode(encode(gold()), type=DefineInstrument) == gold()
