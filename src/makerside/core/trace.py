"""Trace: `step` over a journal's events, noting touch, own quotes and position as it goes.

For reports and statistics: the same code that traded says what it saw. Pure.
"""

from numba import types

from makerside.core.diff import is_quoting
from makerside.core.kernel import Record, kernel, records
from makerside.core.step import step
from makerside.model.account import account_t
from makerside.model.desk import desk_t
from makerside.model.event import DETAIL_ROWS, Flag, event_t
from makerside.model.market import MarketStatus, market_t
from makerside.model.run import trace_t
from makerside.model.trader import trader_t
from makerside.model.units import BUY

LAST = int(Flag.LAST)


@kernel
def _best_own(trader: Record, side: int) -> int:
    """Return the best price of our working orders on a side, 0 when there is none."""
    best = 0
    for i in range(trader["n_active"]):
        order = trader["orders"][trader["active"][i]]
        if not is_quoting(order) or order["side"] != side:
            continue
        price = order["price_ticks"]
        if best == 0 or (price > best if side == BUY else price < best):
            best = price
    return best


@kernel
def _note(row: Record, market: Record, account: Record, trader: Record, index: int) -> None:
    row["ts_local_ns"] = market["ts_local_ns"]
    row["ts_venue_ns"] = market["ts_venue_ns"]
    row["instrument"] = index
    row["bid_ticks"] = market["bid_ticks"]
    row["ask_ticks"] = market["ask_ticks"]
    row["own_bid_ticks"] = _best_own(trader, BUY)
    row["own_ask_ticks"] = _best_own(trader, -BUY)
    row["position_lots"] = account["positions"][index]["position_lots"]


@kernel
def _is_news(row: Record, before: Record) -> bool:
    """Return whether a row says something that the row before it did not."""
    return (
        row["bid_ticks"] != before["bid_ticks"]
        or row["ask_ticks"] != before["ask_ticks"]
        or row["own_bid_ticks"] != before["own_bid_ticks"]
        or row["own_ask_ticks"] != before["own_ask_ticks"]
        or row["position_lots"] != before["position_lots"]
    )


@kernel(
    types.int64(
        records(event_t),
        records(market_t),
        records(account_t),
        records(trader_t),
        records(desk_t),
        records(trace_t),
        records(trace_t),
    )
)
def trace(
    events: Record,
    markets: Record,
    accounts: Record,
    traders: Record,
    desks: Record,
    lasts: Record,
    out: Record,
) -> int:
    """Feed a journal's events to `step`, message by message; returns the rows written to `out`.

    events : (n,) event_t;  lasts : (m,) trace_t, zeroed, one per market;  out : (k,) trace_t
    One row per market and message whose touch, own quotes or position changed, as long as `out` has
    room; trader i is taken to trade market i, as the engine builds them.
    """
    n = len(events)
    used = 0
    start = 0
    i = 0
    while i < n:
        is_end = int(events[i]["flags"]) & LAST != 0
        i += 1 + DETAIL_ROWS[int(events[i]["kind"])]
        if i < n and not is_end:
            continue
        step(events[start:i], markets, accounts, traders, desks)
        start = i
        for m in range(len(markets)):
            market = markets[m]
            if market["status"] != MarketStatus.OK or used >= len(out):
                continue
            row = out[used]
            _note(row, market, accounts[0], traders[m], m)
            if _is_news(row, lasts[m]):
                lasts[m] = row
                used += 1
    return used
