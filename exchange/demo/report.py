"""What the demo shows at the end: the comparison of all books, and the figures as JSON."""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from custody import selectors as custody
from exchange.demo.session import Session
from exchange.demo.trader import Trader
from exchange.listings.references import SOURCE
from exchange.listings.selectors import instruments
from exchange.trading.selectors import fills_count
from settlement.selectors import settled_totals

NS_PER_MS = 1_000_000
BLOCKS = "▁▂▃▄▅▆▇█"


def figures(session: Session, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the demo's figures; `ack_ms` are over HTTP as a member sees them, signing left out."""
    settled = settled_totals()
    cuts = statistics.quantiles(session.ack_ns, n=100, method="inclusive")
    return {
        "orders": session.orders,
        "refusals": sum(session.refusals.values()),
        "fills": fills_count(),
        "settled_fills": settled.fills,
        "batches": settled.batches,
        "gas_per_fill": settled.gas_used // max(settled.fills, 1),
        "ack_ms_p50": round(cuts[49] / NS_PER_MS, 2),
        "ack_ms_p99": round(cuts[98] / NS_PER_MS, 2),
        "mismatches": len(mismatches(report)),
    }


def mismatches(report: Mapping[str, Any]) -> list[str]:
    """Return what differs once all is settled, a sentence each: then nothing may be in flight.

    The reconciler explains a difference by what is in flight; here engine, ledger and chain must
    be equal, and supply exactly what vault, registrar and bank vouch for.
    """
    found = [mismatch["message"] for mismatch in report["mismatches"]]
    for row in report["accounts"]:
        if len({row["engine"], row["ledger"], row["chain"]}) > 1:
            found.append(
                f"account {row['account']} asset {row['asset']}: engine {row['engine']}, "
                f"ledger {row['ledger']}, chain {row['chain']}"
            )
    for row in report["assets"]:
        if row["supply"] != row["outside_holdings"]:
            found.append(
                f"asset {row['asset']}: supply {row['supply']}, held outside for it "
                f"{row['outside_holdings']}"
            )
    return found


def books_show(console: Console, report: Mapping[str, Any]) -> None:
    """Print each asset's sums in engine, ledger and chain beside its reserve, and what differs."""
    assets = custody.assets_by_id()

    def shown(asset: int, units: int) -> str:
        decimals = assets[asset].decimals
        return f"{Decimal(units).scaleb(-decimals):,.{decimals}f}"

    cut = f"engine sequence {report['sequence']:,}, block {report['block_number']:,}"
    table = _table(f"all books at one cut: {cut}", "asset", "engine ledger chain")
    rows_of = defaultdict(list)
    for row in report["accounts"]:
        rows_of[row["asset"]].append((row["engine"], row["ledger"], row["chain"]))
    for asset, rows in sorted(rows_of.items()):
        sums = [shown(asset, sum(column)) for column in zip(*rows, strict=True)]
        agrees = all(len({*row}) == 1 for row in rows)
        table.add_row(assets[asset].code, *sums, _sign(agrees))
    console.print(table)
    console.print(f"sums of {len(report['accounts'])} balances, each compared by itself")
    reserves = _table("tokens on chain, and what outside holds for them", "asset", "supply reserve")
    for row in report["assets"]:
        if not row["supply"] and not row["outside_holdings"]:
            continue
        amounts = (shown(row["asset"], row[name]) for name in ("supply", "outside_holdings"))
        agrees = row["supply"] == row["outside_holdings"]
        reserves.add_row(assets[row["asset"]].code, *amounts, _sign(agrees))
    console.print(reserves)
    for message in mismatches(report):
        console.print(f"[bold red]{message}", soft_wrap=True)


def markets_show(console: Console, path: Mapping[str, Sequence[Decimal]], member: Trader) -> None:
    """Print each market's way through the months and what was traded, as its ticker says."""
    table = _table("nine markets", "market last", "fills volume unit Mio.KRW")
    table.add_column("month by month", no_wrap=True)
    for symbol, terms in instruments().items():
        ticker = member.send("GET", f"/v1/markets/{symbol}/ticker").document
        table.add_row(
            symbol,
            f"{Decimal(ticker['last']):,}",
            f"{ticker['trades']:,}",
            f"{Decimal(ticker['volume']):,}",
            terms.unit,
            f"{Decimal(ticker['amount']) / 10**6:,.1f}",
            "",
            sparkline(path[symbol]),
        )
    console.print(table)
    console.print(
        f"Metal prices: {SOURCE}. Configured, not published: {settings.MARKETS_KRW_PER_USD} KRW "
        f"a dollar, palladium at {settings.MARKETS_PALLADIUM_USD_PER_TOZ} dollars an ounce, and "
        "the first prices of both shares.",
        style="dim",
        soft_wrap=True,
    )


def sparkline(values: Sequence[Decimal]) -> str:
    """Return one block a value, from the lowest to the highest of them."""
    low, high = min(values), max(values)
    top = len(BLOCKS) - 1
    return "".join(
        BLOCKS[int((value - low) * top / (high - low)) if high > low else 0] for value in values
    )


def figures_show(console: Console, found: Mapping[str, Any], session: Session) -> None:
    """Print the figures, what was asked for, and what was refused under which code."""
    table = Table(title="the session", box=SIMPLE_HEAD, title_justify="left", show_header=False)
    for name, value in found.items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    console.print(table)
    for title, counts in (
        ("accepted", session.kinds),
        ("refused, as it must be", session.refusals),
    ):
        listed = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
        console.print(f"{title}: {listed}", soft_wrap=True)


def _sign(agrees: bool) -> str:
    return "[green]=" if agrees else "[bold red]≠"


def _table(title: str, names: str, amounts: str) -> Table:
    table = Table(
        title=title, box=SIMPLE_HEAD, title_justify="left", pad_edge=False, collapse_padding=True
    )
    for name in names.split():
        table.add_column(name, no_wrap=True)
    for name in (*amounts.split(), ""):
        table.add_column(name, justify="right", no_wrap=True)
    return table
