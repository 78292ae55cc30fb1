"""Runs whose truth is known: our own orders in a first-in-first-out market, as a journal would tell them."""

import numpy as np

from builders import MS, config_of, plain
from makerside.journal.reader import Journal, heads
from makerside.model.action import ActionKind, action_t
from makerside.model.event import Flag, Kind, Reason, event_t, order_detail_t
from makerside.model.units import BUY, NS_PER_S, SELL
from makerside.research.order_flow import ASK_TICKS, BID_TICKS, OrderKind
from makerside.research.own_orders import own_run
from makerside.research.queue_truth import NEVER, Race, Trial
from makerside.runtime.run import RunRecord

LAST, SELL_FLAG = int(Flag.LAST), int(Flag.SELL)
ENTRY_NS, RESPONSE_NS = 40 * MS, 25 * MS


def market_rows(flow):
    """Return the sums of the levels and the prints of an order-by-order market: (n,) event_t."""
    levels, rows = {}, []
    for side, price in ((BUY, BID_TICKS), (SELL, ASK_TICKS)):
        flags = (SELL_FLAG if side == SELL else 0) | (LAST if side == SELL else 0)
        rows.append((0, 0, 1, price, 0, int(Kind.SNAPSHOT), flags))
    for ts_ns, kind, _, side, price, lots in flow.rows.tolist():
        is_add = kind == OrderKind.ADD
        level = levels[side, price] = max(0, levels.get((side, price), 0) + (lots if is_add else -lots))
        if kind == OrderKind.FILL:
            aggressor = SELL_FLAG if side == BUY else 0
            rows.append((ts_ns, ts_ns, lots, price, 0, int(Kind.TRADE), aggressor | LAST))
        rows.append((ts_ns, ts_ns, level, price, 0, int(Kind.DELTA), LAST | (SELL_FLAG if side == SELL else 0)))
    return np.array(rows, event_t)


def fifo_probes(flow, every_s, horizon_s):
    """Return (rested ns, side, price, true fill ns or NEVER) of orders of no size that join the best levels."""
    trial = Trial(every_s=every_s, horizon_s=horizon_s, levels=1, warmup_s=100.0)
    race = Race([], trial)
    race.run(flow.rows)
    return [(one.ts_ns, one.side, one.price_ticks, one.fills_ns[0]) for one in race.probes]


def fifo_run(flow, every_s=20.0, horizon_s=60.0, mode="backtest"):
    """Return the run of a bot that rests one lot and cancels it after a horizon, filled by the true queue."""
    parts = [market_rows(flow)]
    for number, (rested_ns, side, price, fill_ns) in enumerate(fifo_probes(flow, every_s, horizon_s), 1):
        end_ns = rested_ns + round(horizon_s * NS_PER_S)
        parts += order_rows(number, rested_ns, side, price, min(fill_ns, NEVER), end_ns)
    rows = np.concatenate(parts)
    record = RunRecord(mode, config_of({}), [plain()], [BID_TICKS], False, {})
    return own_run(flow.name, record, Journal(rows, heads(rows)))


def order_rows(number, rested_ns, side, price, fill_ns, end_ns):
    """Return the rows of one order's life: decided, acknowledged, filled or cancelled."""
    flags = SELL_FLAG if side == SELL else 0
    parts = [action(ActionKind.PLACE, number, rested_ns - ENTRY_NS, price, flags | int(Flag.POST_ONLY))]
    parts.append(answer(Kind.ORDER_ACK, number, rested_ns, price, flags, 0))
    if fill_ns <= end_ns:
        parts.append(answer(Kind.FILL, number, fill_ns, price, flags, number))
    else:
        parts.append(action(ActionKind.CANCEL, number, end_ns - ENTRY_NS, price, flags))
        parts.append(answer(Kind.ORDER_CANCELED, number, end_ns, price, flags, int(Reason.USER)))
    return parts


def action(kind, number, ts_ns, price, flags):
    """Return an action as two rows of the journal."""
    rows = np.zeros(1, action_t)
    rows["client_order_id"], rows["ts_decided_ns"], rows["price_ticks"] = number, ts_ns, price
    rows["size_lots"], rows["kind"], rows["flags"] = 1, kind, flags
    return rows.view(event_t)


def answer(kind, number, ts_ns, price, flags, reference):
    """Return a report as two rows of the journal."""
    rows = np.zeros(2, event_t)
    rows[0] = (ts_ns, ts_ns + RESPONSE_NS, 1, price, 0, kind, flags | LAST)
    rows[1:].view(order_detail_t)[0] = (number, number, reference, 0)
    return rows
