"""Facts of a run, worked out from its journal: fills, money, markouts (formulas d-15, d-20).

The journal is replayed with a trace, so that the mids are those that the bot itself saw. Money is
exact: integers of 10^-8, or of half of that where a mid lies between two ticks.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.engine import Engine
from makerside.journal.reader import Journal, read_journal
from makerside.model.event import Flag, Kind, order_detail_t
from makerside.model.run import JOURNAL_NAME, trace_t
from makerside.model.units import E8, NS_PER_S
from makerside.runtime.run import RunRecord, read_record

HORIZONS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
Z_95 = 1.959963984540054

fill_t = np.dtype(
    [
        ("ts_venue_ns", "i8"),
        ("ts_local_ns", "i8"),
        ("instrument", "i8"),
        ("side", "i8"),
        ("price_ticks", "i8"),
        ("size_lots", "i8"),
        ("is_taker", "i8"),
        ("fee_e8", "i8"),
        ("mid_x2_ticks", "i8"),  # bid + ask before the fill, by venue time; 0 when there was none
    ]
)


@dataclass(frozen=True, slots=True)
class Markout:
    """Mean mid move after fills at one horizon, weighted by size.

    gross_bps : side x (mid then - fill price) / mid now, in bps;  net_bps : less the fee
    ci_bps    : half the width of the 95 % interval of the mean;  n : fills whose horizon the run covers
    """

    horizon_s: float
    gross_bps: float
    net_bps: float
    ci_bps: float
    n: int


@dataclass(frozen=True, slots=True)
class Money:
    """PnL of one instrument, exact. realised + unrealised = spread + inventory."""

    realized: Decimal
    unrealized: Decimal
    fees: Decimal
    funding: Decimal
    spread: Decimal
    inventory: Decimal
    volume: Decimal

    @classmethod
    def sum(cls, parts: "list[Money]") -> "Money":
        """Return the PnL of several instruments together."""
        return cls(*(sum((getattr(one, name) for one in parts), Decimal(0)) for name in cls.__slots__))

    @property
    def net(self) -> Decimal:
        """Everything together."""
        return self.realized + self.unrealized - self.fees + self.funding


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run's journal says."""

    record: RunRecord
    journal: Journal
    engine: Engine  # in its final state
    trace: NDArray[Any]
    fills: NDArray[Any]
    money: list[Money]  # per instrument
    markouts: list[Markout]


def read_facts(folder: Path) -> RunFacts:
    """Return the facts of a run folder."""
    return facts_of(read_record(folder), read_journal(folder / JOURNAL_NAME))


def facts_of(record: RunRecord, journal: Journal) -> RunFacts:
    """Return the facts of a run."""
    from makerside.core.trace import trace

    engine = record.engine()
    events = np.ascontiguousarray(journal.events)
    out = np.zeros(
        max(1, int(np.count_nonzero(events["flags"] & Flag.LAST)) * len(record.instruments)), trace_t
    )
    lasts = np.zeros(len(record.instruments), trace_t)
    n = trace(events, engine.markets, engine.accounts, engine.traders, engine.desks, lasts, out)
    rows = out[:n]
    fills = fills_of(journal, rows, len(record.instruments))
    money = [money_of(engine, fills, i, rows) for i in range(len(record.instruments))]
    return RunFacts(record, journal, engine, rows, fills, money, markouts_of(engine, fills, rows))


def fills_of(journal: Journal, trace: NDArray[Any], n_instruments: int) -> NDArray[Any]:
    """Return the unique fills of our own orders with the mid before each."""
    heads = np.flatnonzero(journal.is_head & (journal.rows["kind"] == Kind.FILL))
    rows = journal.rows[heads]
    details = np.ascontiguousarray(journal.rows[heads + 1]).view(order_detail_t)
    _, first = np.unique(details["reference"], return_index=True)
    own = np.sort(first[details["client_order_id"][first] > 0])
    rows, details = rows[own], details[own]
    fills = np.zeros(len(rows), fill_t)
    for name in ("ts_venue_ns", "ts_local_ns", "instrument", "price_ticks", "size_lots"):
        fills[name] = rows[name]
    fills["side"] = np.where(rows["flags"] & Flag.SELL, -1, 1)
    fills["is_taker"] = (rows["flags"] & Flag.TAKER) != 0
    fills["fee_e8"] = details["fee_e8"]
    for i in range(n_instruments):
        times, mids_x2 = _mids(trace, i)
        mine = fills["instrument"] == i
        before = np.searchsorted(times, fills["ts_venue_ns"][mine], side="left") - 1
        fills["mid_x2_ticks"][mine] = np.where(before >= 0, mids_x2[before] if len(mids_x2) else 0, 0)
    return fills


def _mids(trace: NDArray[Any], instrument: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return venue times (not decreasing) and bid + ask of one instrument."""
    rows = trace[trace["instrument"] == instrument]
    times = np.maximum.accumulate(rows["ts_venue_ns"]) if len(rows) else rows["ts_venue_ns"]
    return times, rows["bid_ticks"] + rows["ask_ticks"]


def _half_e8(amount: int) -> Decimal:
    """Return an amount of half 10^-8 units as exact decimal money."""
    return Decimal(amount) / Decimal(2 * E8)


def money_of(engine: Engine, fills: NDArray[Any], instrument: int, trace: NDArray[Any]) -> Money:
    """Return the PnL of one instrument, exact, in the engine's final state."""
    position = engine.accounts[0]["positions"][instrument]
    unit = int(position["unit_value_e8"])
    mids_x2 = _mids(trace, instrument)[1]
    held, cost = int(position["position_lots"]), int(position["cost_e8"])
    last_x2 = int(mids_x2[-1]) if len(mids_x2) else 0
    value_x2 = held * last_x2 * unit
    unrealized_x2 = value_x2 - 2 * cost if held >= 0 else value_x2 + 2 * cost
    spread_x2 = 0
    for fill in fills[fills["instrument"] == instrument]:
        mid_x2 = int(fill["mid_x2_ticks"]) or 2 * int(fill["price_ticks"])
        spread_x2 += int(fill["side"]) * (mid_x2 - 2 * int(fill["price_ticks"])) * int(fill["size_lots"]) * unit
    realized = int(position["realized_e8"])
    gross_x2 = 2 * realized + unrealized_x2
    return Money(
        realized=Decimal(realized) / E8,
        unrealized=_half_e8(unrealized_x2),
        fees=Decimal(int(position["fees_e8"])) / E8,
        funding=Decimal(int(position["funding_e8"])) / E8,
        spread=_half_e8(spread_x2),
        inventory=_half_e8(gross_x2 - spread_x2),
        volume=Decimal(int(position["volume_e8"])) / E8,
    )


def markouts_of(engine: Engine, fills: NDArray[Any], trace: NDArray[Any]) -> list[Markout]:
    """Return the markouts of fills, all instruments together, one per horizon."""
    moves: dict[float, list[NDArray[np.float64]]] = {horizon: [] for horizon in HORIZONS_S}
    for i in range(len(engine.instruments)):
        times, mids_x2 = _mids(trace, i)
        mine = fills[(fills["instrument"] == i) & (fills["mid_x2_ticks"] > 0)]
        if len(mine) == 0 or len(times) == 0:
            continue
        unit = int(engine.accounts[0]["positions"][i]["unit_value_e8"])
        notional = mine["price_ticks"].astype(float) * mine["size_lots"] * unit
        fee_bps = mine["fee_e8"] / notional * 1e4
        for horizon in HORIZONS_S:
            then = mine["ts_venue_ns"] + int(horizon * NS_PER_S)
            seen = then <= times[-1]
            after = mids_x2[np.searchsorted(times, then[seen], side="right") - 1]
            part = mine[seen]
            gross = part["side"] * (after - 2 * part["price_ticks"]) / part["mid_x2_ticks"] * 1e4
            moves[horizon].append(np.column_stack([gross, fee_bps[seen], notional[seen]]))
    return [_markout(horizon, parts) for horizon, parts in moves.items()]


def _markout(horizon_s: float, parts: list[NDArray[np.float64]]) -> Markout:
    table = np.concatenate(parts) if parts else np.zeros((0, 3))
    n = len(table)
    if n == 0:
        return Markout(horizon_s, math.nan, math.nan, math.nan, 0)
    gross, fee, weight = table.T
    mean = float(np.average(gross, weights=weight))
    fee_mean = float(np.average(fee, weights=weight))
    # Interval of a weighted mean: squared weights say how many equal fills these are worth.
    variance = float(np.average((gross - mean) ** 2, weights=weight))
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    ci = Z_95 * math.sqrt(variance / effective) if effective > 1 else math.nan
    return Markout(horizon_s, mean, mean - fee_mean, ci, n)
