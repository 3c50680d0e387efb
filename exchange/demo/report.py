"""What the demo shows at the end: the comparison of all books, and the figures as JSON."""

import statistics
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from custody import selectors as custody
from exchange.demo.session import Session
from exchange.trading.selectors import fills_count
from settlement.selectors import settled_totals

NS_PER_MS = 1_000_000


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
        "mismatches": len(report["mismatches"]) + len(reserve_mismatches(report)),
    }


def reserve_mismatches(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return assets whose supply is not exactly what vault and bank vouch for."""
    return [row for row in report["assets"] if row["supply"] != row["outside_holdings"]]


def books_show(console: Console, report: Mapping[str, Any], labels: Mapping[int, str]) -> None:
    """Print each account's balance in engine, ledger and chain, and each asset's reserve."""
    assets = custody.assets_by_id()

    def shown(asset: int, units: int) -> str:
        decimals = assets[asset].decimals
        return f"{Decimal(units).scaleb(-decimals):,.{decimals}f}"

    cut = f"engine sequence {report['sequence']}, block {report['block_number']}"
    table = _table(f"all books at one cut: {cut}", "account asset", "engine ledger chain")
    for row in report["accounts"]:
        values = [row["engine"], row["ledger"], row["chain"]]
        agrees = len({*values}) == 1
        table.add_row(
            labels.get(row["account"], f"account {row['account']}"),
            assets[row["asset"]].code,
            *(shown(row["asset"], units) for units in values),
            "[green]=" if agrees else "[bold red]≠",
        )
    console.print(table)
    reserves = _table("tokens on chain, and what vault and bank hold", "asset", "supply reserve")
    for row in report["assets"]:
        if not row["supply"] and not row["outside_holdings"]:
            continue
        reserves.add_row(
            assets[row["asset"]].code,
            shown(row["asset"], row["supply"]),
            shown(row["asset"], row["outside_holdings"]),
            "[green]=" if row["supply"] == row["outside_holdings"] else "[bold red]≠",
        )
    console.print(reserves)
    for mismatch in report["mismatches"]:
        console.print(f"[bold red]{mismatch['message']}", soft_wrap=True)


def _table(title: str, names: str, amounts: str) -> Table:
    table = Table(
        title=title, box=SIMPLE_HEAD, title_justify="left", pad_edge=False, collapse_padding=True
    )
    for name in names.split():
        table.add_column(name, no_wrap=True)
    for name in (*amounts.split(), ""):
        table.add_column(name, justify="right", no_wrap=True)
    return table


def figures_show(console: Console, found: Mapping[str, Any], refusals: Mapping[str, int]) -> None:
    """Print the figures, and what was refused under which code."""
    table = Table(title="the session", box=SIMPLE_HEAD, title_justify="left", show_header=False)
    for name, value in found.items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    console.print(table)
    listed = ", ".join(f"{code} {count}" for code, count in sorted(refusals.items()))
    console.print(f"refused, as it must be: {listed}", soft_wrap=True)
