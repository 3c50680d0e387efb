"""Markets, books, trades, tickers and the time: anybody may read them."""

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api.decoding import NoQuery, query_decode
from exchange.api.gathering import in_memory, in_thread
from exchange.api.pages import next_cursor
from exchange.api.schema import documented
from exchange.api.times import NS_PER_S, moment_ns, now_ns, time_format
from exchange.api.views import PublicView
from exchange.listings.selectors import (
    instrument_by_id,
    instrument_by_symbol,
    instruments,
    segments,
)
from exchange.listings.terms import InstrumentTerms
from exchange.marketdata import archive, store
from exchange.marketdata.api import shapes
from exchange.marketdata.books import Level
from exchange.marketdata.calls import Call
from exchange.marketdata.candles import INTERVALS_S, CandleRecord
from exchange.marketdata.tickers import Ticker
from matching.client import EngineUnavailable, engine_of_loop
from matching.protocol.queries import (
    GetInstruments,
    GetSegments,
    Instruments,
    InstrumentState,
    Segments,
    SegmentState,
)
from matching.protocol.units import PARTS_PER_MILLION, FillKind, Interruption, Phase, Side


class MarketsView(PublicView):
    @documented("list_markets", "List all markets", answer=shapes.Markets)
    def get(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        return Response(shapes.Markets([_market(terms) for terms in instruments().values()]))


class MarketView(PublicView):
    @documented("get_market", "Get a market", answer=shapes.Market)
    def get(self, request: Request, symbol: str) -> Response:
        query_decode(request, NoQuery)
        return Response(_market(instrument_by_symbol(symbol)))


class BookView(PublicView):
    @documented("get_book", "Get an order book", query=shapes.BookQuery, answer=shapes.Book)
    def get(self, request: Request, symbol: str) -> Response:
        depth = query_decode(request, shapes.BookQuery).depth
        terms = instrument_by_symbol(symbol)
        book = store.book_read(terms.id)
        return Response(
            shapes.Book(
                symbol,
                str(book.sequence),
                [_level(terms, level) for level in book.bids[:depth]],
                [_level(terms, level) for level in book.asks[:depth]],
            )
        )


class TradesView(PublicView):
    @documented(
        "list_trades", "List the last trades", query=shapes.TradesQuery, answer=shapes.Trades
    )
    def get(self, request: Request, symbol: str) -> Response:
        query = query_decode(request, shapes.TradesQuery)
        terms = instrument_by_symbol(symbol)
        found = store.trades_read(terms.id, query.limit, before=query.before)
        trades = [
            shapes.PublicTrade(
                trade_id=str(trade.fill_id),
                price=terms.tick.format(trade.price_ticks),
                quantity=terms.lot.format(trade.quantity_lots),
                amount=terms.quote.format(trade.quote_units),
                taker_side="buy" if trade.taker_side == Side.BUY else "sell",
                kind=FillKind(trade.kind).name.lower(),  # type: ignore[arg-type]  # never external
                traded_at=time_format(trade.time_ns),
            )
            for trade in found
        ]
        cursor = next_cursor([trade.fill_id for trade in found], query.limit)
        return Response(shapes.Trades(symbol, trades, cursor))


class AuctionView(PublicView):
    @documented("get_auction", "Get a market's call auctions", answer=shapes.Auction)
    def get(self, request: Request, symbol: str) -> Response:
        query_decode(request, NoQuery)
        terms = instrument_by_symbol(symbol)
        return Response(_auction(terms, store.call_read(terms.id)))


class SegmentsView(PublicView):
    @documented("list_segments", "List segments with index and breaker", answer=shapes.Segments)
    async def get(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        reply = await engine_of_loop().ask(GetSegments())
        assert isinstance(reply, Segments)
        names = await in_thread(segments)
        shown = [await in_memory(_segment, names, each) for each in reply.segments]
        return Response(shapes.Segments(shown, str(reply.sequence)))


class CandlesView(PublicView):
    @documented(
        "list_candles",
        "List candles of one interval, newest first",
        query=shapes.CandlesQuery,
        answer=shapes.Candles,
    )
    def get(self, request: Request, symbol: str) -> Response:
        query = query_decode(request, shapes.CandlesQuery)
        terms = instrument_by_symbol(symbol)
        found = archive.candles_read(
            terms.id,
            INTERVALS_S[query.interval],
            since_s=_seconds_from(query.since),
            until_s=_seconds_from(query.until),
            limit=query.limit,
        )
        return Response(
            shapes.Candles(symbol, query.interval, [_candle(terms, each) for each in found])
        )


class TickerView(PublicView):
    @documented("get_ticker", "Get the figures of the last 24 hours", answer=shapes.MarketTicker)
    def get(self, request: Request, symbol: str) -> Response:
        query_decode(request, NoQuery)
        terms = instrument_by_symbol(symbol)
        ((figures, book),) = store.tickers_read([terms.id])
        return Response(_ticker(terms, figures, book))


class TickersView(PublicView):
    @documented(
        "list_tickers",
        "List the figures of the last 24 hours of all markets",
        answer=shapes.Tickers,
    )
    def get(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        listed = list(instruments().values())
        found = store.tickers_read([terms.id for terms in listed])
        return Response(
            shapes.Tickers(
                [_ticker(terms, *each) for terms, each in zip(listed, found, strict=True)]
            )
        )


class StatusView(PublicView):
    @documented(
        "get_status",
        "Get whether orders are taken, and markets' phases",
        answer=shapes.ServiceStatus,
    )
    async def get(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        listed = await in_memory(instruments)
        found: dict[int, InstrumentState] = {}
        sequence = None
        try:
            reply = await engine_of_loop().ask(GetInstruments())
        except EngineUnavailable:
            pass
        else:
            assert isinstance(reply, Instruments)
            sequence = str(reply.sequence)
            found = {each.definition.instrument: each for each in reply.instruments}
        return Response(
            shapes.ServiceStatus(
                engine="ok" if sequence else "unavailable",
                sequence=sequence,
                markets=[_market_phase(terms, found.get(terms.id)) for terms in listed.values()],
            )
        )


class TimeView(PublicView):
    @documented("get_time", "Get this server's time", answer=shapes.ServerTime)
    def get(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        time_ns = now_ns()
        return Response(shapes.ServerTime(time_format(time_ns), time_ns // NS_PER_S))


def _market(terms: InstrumentTerms) -> shapes.Market:
    base, low, high = terms.base_price_ticks, terms.price_ticks_low, terms.price_ticks_high
    return shapes.Market(
        symbol=terms.symbol,
        base_asset=terms.base.code,
        quote_asset=terms.quote.code,
        unit=terms.unit,
        tick_size=terms.tick.format(1),
        tick_table=[
            shapes.TickBand(terms.tick.format(start), terms.tick.format(step))
            for start, step in terms.tick_table
        ],
        lot_size=terms.lot.format(1),
        quantity_max=terms.lot.format(terms.quantity_lots_max),
        base_price=terms.tick.format(base) if base else None,
        price_low=terms.tick.format(low) if low else None,
        price_high=terms.tick.format(high) if high else None,
        maker_fee_ppm=terms.maker_fee_ppm,
        taker_fee_ppm=terms.taker_fee_ppm,
        fee_tiers=[
            shapes.FeeTier(tier, str(volume), maker, taker)
            for tier, (volume, (maker, taker)) in enumerate(
                zip(settings.MARKETS_FEE_TIER_VOLUMES_KRW, terms.fee_tiers, strict=False), 1
            )
        ],
        value_max=terms.quote.format(terms.notional_units_max)
        if terms.notional_units_max
        else None,
        collar_ppm=terms.collar_ppm,
        dynamic_ppm=terms.dynamic_ppm,
        closing_dynamic_ppm=terms.closing_dynamic_ppm,
        static_ppm=terms.static_ppm,
        volatility_auction_s=terms.volatility_auction_ns // NS_PER_S,
        random_end_s=terms.random_end_ns // NS_PER_S,
        allocation=terms.allocation.name.lower(),  # type: ignore[arg-type]  # the shape names both
        calendar=terms.calendar,
        phase=_phase(terms.phase),
        phase_ends_at=_time(terms.phase_ends_at_ns),
    )


def _market_phase(terms: InstrumentTerms, state: InstrumentState | None) -> shapes.MarketPhase:
    """Return a market's phase, the last known where the engine does not tell."""
    if state is None:
        ends_at = _time(terms.phase_ends_at_ns)
        return shapes.MarketPhase(terms.symbol, _phase(terms.phase), ends_at, None)
    return shapes.MarketPhase(
        terms.symbol, _phase(state.phase), _time(state.ends_at_ns), state.killed
    )


def _auction(terms: InstrumentTerms, call: Call) -> shapes.Auction:
    def price(ticks: int) -> str | None:
        return terms.tick.format(ticks) if ticks else None

    def quantity(lots: int) -> str | None:
        return terms.lot.format(lots) if lots else None

    surplus = call.surplus_lots
    return shapes.Auction(
        symbol=terms.symbol,
        phase=_phase(Phase(call.phase)),
        phase_ends_at=_time(call.ends_at_ns),
        indicative_price=price(call.indicative_ticks),
        indicative_quantity=quantity(call.indicative_lots),
        surplus_quantity=quantity(abs(surplus)),
        surplus_side=("buy" if surplus > 0 else "sell") if surplus else None,
        last_price=price(call.auction_ticks),
        last_quantity=quantity(call.auction_lots),
        last_at=_time(call.auction_ns),
        interruption=shapes.Interruption(
            cause="static" if call.interrupted_by == Interruption.STATIC else "dynamic",
            price=terms.tick.format(call.interrupted_at_ticks),
            reference_price=terms.tick.format(call.interrupted_around_ticks),
            interrupted_at=time_format(call.interrupted_ns),
        )
        if call.interrupted_ns
        else None,
    )


def _segment(names: Mapping[int, str], state: SegmentState) -> shapes.Segment:
    definition, base = state.definition, state.base_index
    return shapes.Segment(
        name=names.get(definition.segment, str(definition.segment)),
        markets=[
            shapes.Constituent(instrument_by_id(number).symbol, weight)
            for number, weight in definition.constituents
        ],
        index=str(state.index),
        base_index=str(base) if base else None,
        change_ppm=(state.index - base) * PARTS_PER_MILLION // base if base else None,
        stage=state.stage,
        stages=[
            shapes.BreakerStage(
                each.fall_ppm,
                each.further_ppm,
                each.halt_ns // NS_PER_S,
                each.auction_ns // NS_PER_S,
                each.closes,
            )
            for each in definition.stages
        ],
        hold_s=definition.hold_ns // NS_PER_S,
        quiet_s=definition.quiet_ns // NS_PER_S,
        closes_at=_time(state.closes_at_ns),
    )


def _time(time_ns: int) -> str | None:
    return time_format(time_ns) if time_ns else None


def _phase(phase: Phase) -> shapes.PhaseName:
    return phase.name.lower()  # type: ignore[return-value]  # the shape names all phases


def _seconds_from(moment: datetime | None) -> int | None:
    """Return the first whole second not before a time."""
    return None if moment is None else -(-moment_ns(moment) // NS_PER_S)


def _candle(terms: InstrumentTerms, candle: CandleRecord) -> shapes.Candle:
    price = terms.tick.format
    return shapes.Candle(
        begin=time_format(candle.begin_s * NS_PER_S),
        open=price(candle.open_ticks),
        high=price(candle.high_ticks),
        low=price(candle.low_ticks),
        close=price(candle.close_ticks),
        volume=terms.lot.format(candle.volume_lots),
        amount=terms.quote.format(candle.quote_units),
        trades=candle.trades,
    )


def _ticker(terms: InstrumentTerms, figures: Ticker, book: store.StoredBook) -> shapes.MarketTicker:
    def price(ticks: int) -> str | None:
        return terms.tick.format(ticks) if ticks else None

    return shapes.MarketTicker(
        symbol=terms.symbol,
        last=price(figures.last),
        open=price(figures.first),
        high=price(figures.high),
        low=price(figures.low),
        change=terms.tick.format(figures.last - figures.first) if figures.first else None,
        volume=terms.lot.format(figures.volume_lots),
        amount=terms.quote.format(figures.quote_units),
        trades=figures.trades,
        bid=price(book.bids[0][0]) if book.bids else None,
        ask=price(book.asks[0][0]) if book.asks else None,
    )


def _level(terms: InstrumentTerms, level: Level) -> shapes.BookLevel:
    price_ticks, quantity_lots, orders = level
    return shapes.BookLevel(terms.tick.format(price_ticks), terms.lot.format(quantity_lots), orders)
