"""Markets, books, trades, tickers and the time: anybody may read them."""

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api.decoding import query_decode
from exchange.api.schema import documented
from exchange.api.times import NS_PER_S, now_ns, time_format
from exchange.api.views import PublicView
from exchange.listings.selectors import instrument_by_symbol, instruments
from exchange.listings.terms import InstrumentTerms
from exchange.marketdata import store
from exchange.marketdata.api import shapes
from exchange.marketdata.books import Level
from matching.protocol.units import Side


class MarketsView(PublicView):
    @documented("list_markets", "List all markets", answer=shapes.Markets)
    def get(self, request: Request) -> Response:
        return Response(shapes.Markets([_market(terms) for terms in instruments().values()]))


class MarketView(PublicView):
    @documented("get_market", "Get a market", answer=shapes.Market)
    def get(self, request: Request, symbol: str) -> Response:
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
        limit = query_decode(request, shapes.TradesQuery).limit
        terms = instrument_by_symbol(symbol)
        trades = [
            shapes.PublicTrade(
                trade_id=str(trade.fill_id),
                price=terms.tick.format(trade.price_ticks),
                quantity=terms.lot.format(trade.quantity_lots),
                amount=terms.quote.format(trade.quote_units),
                taker_side="buy" if trade.taker_side == Side.BUY else "sell",
                traded_at=time_format(trade.time_ns),
            )
            for trade in store.trades_read(terms.id, limit)
        ]
        return Response(shapes.Trades(symbol, trades))


class TickerView(PublicView):
    @documented("get_ticker", "Get the figures of the last 24 hours", answer=shapes.MarketTicker)
    def get(self, request: Request, symbol: str) -> Response:
        terms = instrument_by_symbol(symbol)
        figures, book = store.ticker_read(terms.id), store.book_read(terms.id)

        def price(ticks: int) -> str | None:
            return terms.tick.format(ticks) if ticks else None

        return Response(
            shapes.MarketTicker(
                symbol=symbol,
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
        )


class TimeView(PublicView):
    @documented("get_time", "Get this server's time", answer=shapes.ServerTime)
    def get(self, request: Request) -> Response:
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
        calendar=terms.calendar,
        phase=terms.phase.name.lower(),  # type: ignore[arg-type]
    )


def _level(terms: InstrumentTerms, level: Level) -> shapes.BookLevel:
    price_ticks, quantity_lots, orders = level
    return shapes.BookLevel(terms.tick.format(price_ticks), terms.lot.format(quantity_lots), orders)
