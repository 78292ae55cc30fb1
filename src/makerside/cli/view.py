"""The terminal view of a running bot: book, own orders, fills, position, PnL parts, speed.

Reads `Shell.statistics`, four times a second. Without a terminal it prints a line a second instead.
"""

import asyncio
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from makerside.model.instrument import Instrument
from makerside.model.market import NO_ASK, NO_BID, MarketStatus
from makerside.model.order import OrderState
from makerside.model.units import BUY, E8
from makerside.runtime.shell import LegStatistics, Shell, ShellStatistics

REFRESH_S = 0.25
LINE_S = 1.0
BUY_STYLE, SELL_STYLE = "cyan", "dark_orange"


async def watch(shell: Shell, ready: dict[str, Any], console: Console) -> None:
    """Show a run until cancelled."""
    if not console.is_terminal:
        await _print_lines(shell, console)
        return
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while True:
            live.update(render(shell.statistics(), shell.engine.instruments, ready), refresh=True)
            await asyncio.sleep(REFRESH_S)


async def _print_lines(shell: Shell, console: Console) -> None:
    while True:
        await asyncio.sleep(LINE_S)
        console.print(line(shell.statistics(), shell.engine.instruments), soft_wrap=True)


def line(stats: ShellStatistics, instruments: list[Instrument]) -> str:
    """Return one line about a run."""
    parts = []
    for leg, instrument in list(zip(stats.legs, instruments, strict=True))[:3]:
        net = (leg.realized_e8 + leg.unrealized_e8 - leg.fees_e8) / E8
        parts.append(
            f"{leg.symbol} {_price(instrument, leg.bid_ticks)}/{_price(instrument, leg.ask_ticks)} "
            f"orders {len(leg.orders)} fills {leg.n_fills} position {instrument.size_text(leg.position_lots)} "
            f"net {net:+.2f}"
        )
    more = f" (+{len(stats.legs) - 3} symbols)" if len(stats.legs) > 3 else ""
    return f"{'; '.join(parts)}{more}; decision p50 {stats.decision_p50_ns / 1e3:.1f} us"


def render(stats: ShellStatistics, instruments: list[Instrument], ready: dict[str, Any]) -> Group:
    """Return the whole view."""
    head = Text.assemble(
        ("makerside ", "bold"),
        (f"{ready['venue']} on {ready['url']}", "cyan"),
        (f"   {ready['facts'].get('market', '')}, speed {ready['clock']['speed']:g}x", "dim"),
    )
    panels: list[Any] = [head, _totals(stats)]
    if len(stats.legs) == 1:
        columns = Columns(
            [
                Panel(_book(stats.legs[0], instruments[0]), title="book", border_style="dim"),
                Panel(_orders(stats.legs[0], instruments[0]), title="our orders", border_style="dim"),
                Panel(_fills(stats, instruments), title="last fills", border_style="dim"),
            ]
        )
        panels.append(columns)
    panels.append(Panel(_legs(stats, instruments), title="markets", border_style="dim", expand=False))
    return Group(*panels)


def _book(leg: LegStatistics, instrument: Instrument) -> Table:
    """Return the best levels, asks above bids, with what of ours stands in each."""
    own = {(side, price): lots for side, price, lots, _ in leg.orders}
    table = Table(box=None, pad_edge=False)
    for name in ("price", "size", "ours"):
        table.add_column(name, justify="right")
    for side, levels, style in ((-BUY, tuple(reversed(leg.asks)), SELL_STYLE), (BUY, leg.bids, BUY_STYLE)):
        for price, lots in levels:
            ours = own.get((side, price))
            table.add_row(
                Text(instrument.price_text(price), style=style),
                instrument.size_text(lots),
                Text(instrument.size_text(ours), style="bold") if ours else "",
            )
    return table


def _totals(stats: ShellStatistics) -> Table:
    realized = sum(leg.realized_e8 for leg in stats.legs) / E8
    unrealized = sum(leg.unrealized_e8 for leg in stats.legs) / E8
    fees = sum(leg.fees_e8 for leg in stats.legs) / E8
    table = Table.grid(padding=(0, 3))
    net = realized + unrealized - fees
    table.add_row(
        Text.assemble("net ", (f"{net:+.4f} USD", "bold green" if net >= 0 else "bold red")),
        f"realised {realized:+.4f}",
        f"unrealised {unrealized:+.4f}",
        f"fees {-fees:+.4f}",
    )
    table.add_row(
        f"fills {sum(leg.n_fills for leg in stats.legs)}",
        f"actions {stats.n_actions:,}",
        f"decisions {stats.n_decisions:,}",
        _speed(stats),
    )
    return table


def _speed(stats: ShellStatistics) -> str:
    text = f"decision p50 {stats.decision_p50_ns / 1e3:.1f} us, p99 {stats.decision_p99_ns / 1e3:.1f} us"
    if stats.wire_p50_ns:
        text += f"; bytes to bytes p50 {stats.wire_p50_ns / 1e3:.0f} us"
    return text


def _legs(stats: ShellStatistics, instruments: list[Instrument]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("symbol")
    for name in ("bid", "ask", "our bid", "our ask", "position", "fills", "net USD"):
        table.add_column(name, justify="right")
    table.add_column("state")
    for leg, instrument in zip(stats.legs, instruments, strict=True):
        bids = [price for side, price, _, _ in leg.orders if side == BUY]
        asks = [price for side, price, _, _ in leg.orders if side != BUY]
        net = (leg.realized_e8 + leg.unrealized_e8 - leg.fees_e8) / E8
        table.add_row(
            leg.symbol,
            _price(instrument, leg.bid_ticks),
            _price(instrument, leg.ask_ticks),
            Text(instrument.price_text(max(bids)) if bids else "-", style=BUY_STYLE),
            Text(instrument.price_text(min(asks)) if asks else "-", style=SELL_STYLE),
            instrument.size_text(leg.position_lots),
            str(leg.n_fills),
            Text(f"{net:+.4f}", style="green" if net >= 0 else "red"),
            MarketStatus(leg.status).name.lower(),
        )
    return table


def _orders(leg: LegStatistics, instrument: Instrument) -> Table:
    """Return our orders, asks above bids."""
    table = Table(box=None, pad_edge=False)
    table.add_column("side")
    for name in ("price", "open size"):
        table.add_column(name, justify="right")
    table.add_column("state")
    for side, price, lots, state in sorted(leg.orders, key=lambda order: (order[0], -order[1])):
        style, name = (BUY_STYLE, "buy") if side == BUY else (SELL_STYLE, "sell")
        state_name = OrderState(state).name.lower().replace("_", " ")
        table.add_row(
            Text(name, style=style), instrument.price_text(price), instrument.size_text(lots), state_name
        )
    return table


def _fills(stats: ShellStatistics, instruments: list[Instrument]) -> Table:
    """Return the last fills, newest first."""
    table = Table(box=None, pad_edge=False)
    for name in ("age", "side", "price", "size"):
        table.add_column(name, justify="left" if name == "side" else "right")
    for ts_ns, index, side, price, lots in reversed(stats.fills):
        style, name = (BUY_STYLE, "buy") if side == BUY else (SELL_STYLE, "sell")
        age_s = max(0.0, (stats.now_ns - ts_ns) / 1e9)
        instrument = instruments[index]
        table.add_row(
            f"{age_s:.0f} s", Text(name, style=style), instrument.price_text(price), instrument.size_text(lots)
        )
    return table


def _price(instrument: Instrument, ticks: int) -> str:
    return "-" if ticks in (NO_BID, NO_ASK, 0) else instrument.price_text(ticks)
