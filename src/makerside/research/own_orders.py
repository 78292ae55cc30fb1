"""Our own orders of a run, as its journal tells them: when each was decided, rested, filled, ended.

All times of the market are on one clock, that of the exchange which filled us: the venue's time of a row, or
in a paper run the time at which it reached us, since there the exchange is in our own process.

Next: `queue_paths.py`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.reader import Journal, read_journal
from makerside.model.action import ActionKind
from makerside.model.errors import JournalError
from makerside.model.event import Flag, Kind, Reason, order_detail_t
from makerside.model.layout import row_type
from makerside.model.run import JOURNAL_NAME
from makerside.model.units import BUY, SELL
from makerside.runtime.run import RunRecord, read_record

MARKET_KINDS = (Kind.DELTA, Kind.SNAPSHOT, Kind.TRADE, Kind.BBO, Kind.GAP)
_ENDS = (Kind.ORDER_CANCELED, Kind.ORDER_EXPIRED, Kind.ORDER_SELF_TRADE, Kind.ORDER_FILLED)
_ANSWERS_A_PLACE = (Kind.ORDER_ACK, Kind.ORDER_REJECT, Kind.FILL)

own_order_t = row_type(
    [
        ("client_order_id", "i8"),
        ("instrument", "i8"),
        ("side", "i8"),
        ("price_ticks", "i8"),
        ("size_lots", "i8"),
        ("flags", "i8"),
        ("decided_ns", "i8"),
        ("answered_ns", "i8"),  # exchange's time of the first answer to the placing; 0: none
        ("rested_ns", "i8"),  # exchange's time of the ack; 0: it never rested
        ("fill_ns", "i8"),  # of the first fill; 0: none
        ("is_taker", "i8"),  # the first fill took
        ("end_ns", "i8"),  # of its end; of the run's when it has none
        ("cancel_decided_ns", "i8"),  # of its only cancel; 0: none, or several
        ("canceled_ns", "i8"),  # exchange's time of the answer to that cancel; 0: none
        ("fill_mid_x2_ticks", "i8"),  # bid + ask before the first fill: filled by `queue_paths`
    ]
)


@dataclass(frozen=True, slots=True)
class OwnRun:
    """A run as calibration reads it.

    orders       : (n,) own_order_t in the order of their decisions
    responses_ns : (k,) int64, our time less the exchange's of every report about our orders
    taker_fills  : (f, 4) int64: order's place in `orders`, price, lots, side
    market       : (m,) event_t, public rows in order of `market_ns`, (m,) int64 on the exchange's clock
    """

    name: str
    record: RunRecord
    journal: Journal
    orders: NDArray[Any]
    responses_ns: NDArray[np.int64]
    taker_fills: NDArray[np.int64]
    market: NDArray[Any]
    market_ns: NDArray[np.int64]

    @property
    def has_own_in_book(self) -> bool:
        """Whether the book of the market rows contains our own orders."""
        return self.record.has_own_in_book


def read_run(folder: Path) -> OwnRun:
    """Return a run's own orders.

    errors : JournalError when the folder holds no run, a damaged one, or one without its market rows
    """
    record = read_record(folder)
    journal = read_journal(folder / JOURNAL_NAME)
    run = own_run(folder.name, record, journal)
    if not len(run.market):
        raise JournalError(f"{folder}: its journal holds no market rows; calibration needs book and trades")
    return run


def own_run(name: str, record: RunRecord, journal: Journal) -> OwnRun:
    """Return the own orders of a journal."""
    market, market_ns = _market(journal, "ts_local_ns" if record.mode == "paper" else "ts_venue_ns")
    orders = _placed(journal)
    orders["end_ns"] = market_ns[-1] if len(market_ns) else 0
    place = {identity: i for i, identity in enumerate(orders["client_order_id"].tolist())}
    rows, details = _reports(journal)
    takers = _follow(orders, place, rows, details)
    _note_cancels(orders, place, journal)
    is_timed = rows["ts_venue_ns"] > 0
    responses = (rows["ts_local_ns"] - rows["ts_venue_ns"])[is_timed]
    return OwnRun(name, record, journal, orders, responses, takers, market, market_ns)


def _market(journal: Journal, clock: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    rows = journal.rows[journal.is_head & np.isin(journal.rows["kind"], MARKET_KINDS)]
    # A gap has no time of the venue: it stands where it was noticed.
    times = np.where(rows["kind"] == Kind.GAP, 0, rows[clock])
    times = np.where(times == 0, np.maximum.accumulate(times), times)
    order = np.argsort(times, kind="stable")
    return np.ascontiguousarray(rows[order]), np.ascontiguousarray(times[order])


def _placed(journal: Journal) -> NDArray[Any]:
    actions = journal.actions
    actions = actions[actions["kind"] == ActionKind.PLACE]
    orders = np.zeros(len(actions), own_order_t)
    for name in ("client_order_id", "instrument", "price_ticks", "size_lots", "flags"):
        orders[name] = actions[name]
    orders["decided_ns"] = actions["ts_decided_ns"]
    orders["side"] = np.where(actions["flags"] & Flag.SELL, SELL, BUY)
    return orders


def _reports(journal: Journal) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the rows and details of all reports about our own orders, each trade once."""
    kind = journal.rows["kind"]
    at = np.flatnonzero(journal.is_head & (kind >= Kind.ORDER_ACK) & (kind <= Kind.ORDER_NEVER_EXISTED))
    details = np.ascontiguousarray(journal.rows[at + 1]).view(order_detail_t)
    is_own = details["client_order_id"] > 0
    rows, details = journal.rows[at[is_own]], details[is_own]
    trades = np.where(rows["kind"] == Kind.FILL, details["reference"], -1 - np.arange(len(rows)))
    first = np.sort(np.unique(trades, return_index=True)[1])
    return rows[first], details[first]


def _follow(
    orders: NDArray[Any], place: dict[int, int], rows: NDArray[Any], details: NDArray[Any]
) -> NDArray[np.int64]:
    """Write what the reports say into the orders; returns the taker fills."""
    takers: list[tuple[int, int, int, int]] = []
    numbers = zip(
        rows["kind"].tolist(),
        rows["ts_venue_ns"].tolist(),
        rows["flags"].tolist(),
        rows["price_ticks"].tolist(),
        rows["size_lots"].tolist(),
        details["client_order_id"].tolist(),
        details["reference"].tolist(),
        strict=True,
    )
    for kind, ts_ns, flags, price, lots, identity, reference in numbers:
        i = place.get(identity)
        if i is None or ts_ns == 0:
            continue
        order = orders[i]
        if kind in _ANSWERS_A_PLACE and order["answered_ns"] == 0:
            order["answered_ns"] = ts_ns
        if kind == Kind.ORDER_ACK and order["rested_ns"] == 0:
            order["rested_ns"] = ts_ns
        if kind == Kind.FILL:
            if order["fill_ns"] == 0:
                order["fill_ns"], order["is_taker"] = ts_ns, int(flags & Flag.TAKER != 0)
            if flags & Flag.TAKER:
                takers.append((i, price, lots, int(order["side"])))
        if kind in _ENDS:
            order["end_ns"] = ts_ns
        if (kind == Kind.ORDER_CANCELED and reference == Reason.USER) or kind == Kind.CANCEL_TOO_LATE:
            order["canceled_ns"] = ts_ns
    return np.array(takers, np.int64).reshape(-1, 4)


def _note_cancels(orders: NDArray[Any], place: dict[int, int], journal: Journal) -> None:
    actions = journal.actions
    actions = actions[actions["kind"] == ActionKind.CANCEL]
    times: dict[int, list[int]] = {}
    for identity, ts_ns in zip(
        actions["client_order_id"].tolist(), actions["ts_decided_ns"].tolist(), strict=True
    ):
        times.setdefault(identity, []).append(ts_ns)
    for identity, decided in times.items():
        if len(decided) == 1 and identity in place:
            orders[place[identity]]["cancel_decided_ns"] = decided[0]
