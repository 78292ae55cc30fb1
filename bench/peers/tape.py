"""The synthetic tape of the comparisons: a seeded book of price levels with prints, and its rows for a peer.

A zero-intelligence market: nobody in it knows anything. About 72 % of the rows change the book within 20
ticks of the touch, 9 % are prints, the rest is deeper; four to five rows a message, about 120 messages a
second, feed latency 5 to 20 ms. It is no model of a market; it is a load with the statistics of one, and
its book never crosses, so that two backtesters need not agree on what a crossed book means.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from makerside.journal.hftbacktest import BUY, DEPTH, EXCH, LOCAL, SELL, TRADE, event_dtype
from makerside.model.event import Flag, Kind, event_t
from makerside.model.instrument import Instrument
from makerside.model.units import ASK, BID
from makerside.research.backtest import venue_order

TICK, LOT = Decimal("0.1"), Decimal("0.001")
MIDDLE = 300_000  # ticks: 30,000 USD
SPAN = 1 << 17  # ticks that the book covers
LOW = MIDDLE - SPAN // 2
EDGE = 4_000  # the walk must stay this far from the ends
START_NS = 1_700_000_000_000_000_000
OPENING_LEVELS = 2_000  # per side; deeper than the walk is likely to go
NEAR_TICKS = 20
TRADE_SHARE = 0.2  # of the messages
SEED = 7

_DELTA, _SNAPSHOT, _TRADE = int(Kind.DELTA), int(Kind.SNAPSHOT), int(Kind.TRADE)
_LAST, _SELL = int(Flag.LAST), int(Flag.SELL)


@njit(cache=True)
def _level_lots(distance):
    """Return the size of a level: log-normal, growing with its distance from the touch."""
    lots = 1_000.0 * np.exp(np.random.normal(0.0, 0.9)) * (0.5 + 0.1 * min(distance, 40))
    return max(1, round(lots))


@njit(cache=True)
def _write(rows, n, clock, kind, side, place, lots):
    """Write a row at `n`, unless the tape is full; returns the next place."""
    if n >= len(rows):
        return n
    row = rows[n]
    row["ts_venue_ns"] = clock[0]
    row["ts_local_ns"] = clock[1]
    row["size_lots"] = lots
    row["price_ticks"] = place + LOW
    row["instrument"] = 0
    row["kind"] = kind
    row["flags"] = _SELL if side == ASK else 0
    return n + 1


@njit(cache=True)
def _set(book, best, side, place, lots):
    """Change a level and keep the best prices."""
    book[side, place] = lots
    step = 1 if side == ASK else -1
    if lots > 0:
        if (best[side] - place) * step > 0:
            best[side] = place
    elif place == best[side]:
        while book[side, best[side]] == 0:
            best[side] += step


@njit(cache=True)
def _tick_clock(clock, latency):
    """Move both clocks to the next message; returns the new feed latency, which wanders between 5 and 20 ms."""
    mean_gap = 10e6 if np.random.random() < 0.8 else 1e6
    clock[0] += int(np.random.exponential(mean_gap)) + 1
    latency = 0.95 * latency + 0.05 * (5e6 + 15e6 * np.random.random()) + np.random.normal(0.0, 0.5e6)
    latency = min(max(latency, 5e6), 20e6)
    clock[1] = max(clock[1] + 1, clock[0] + int(latency))
    return latency


@njit(cache=True)
def _trade_message(rows, n, clock, book, best):
    """One to three prints against one side, each level's new size behind its last print."""
    passive = ASK if np.random.random() < 0.5 else BID
    aggressor = BID if passive == ASK else ASK  # a buyer's print has no SELL flag, like a bid
    left_prints = 1 + np.random.randint(3)
    while left_prints > 0:
        left_prints -= 1
        place = best[passive]
        here = book[passive, place]
        lots = min(here, max(1, round(np.random.exponential(350.0))))
        n = _write(rows, n, clock, _TRADE, aggressor, place, lots)
        book[passive, place] = here - lots
        if here == lots or left_prints == 0:
            n = _write(rows, n, clock, _DELTA, passive, place, here - lots)
            _set(book, best, passive, place, here - lots)
    return n


@njit(cache=True)
def _book_message(rows, n, clock, book, best):
    """A few levels change: most near the touch, some inside the spread, some deep."""
    for _ in range(1 + int(np.random.exponential(4.0))):
        side = BID if np.random.random() < 0.5 else ASK
        chance = np.random.random()
        if best[ASK] - best[BID] > 1 and np.random.random() < 0.25:
            distance = -1
        elif chance < 0.4:
            distance = np.random.randint(NEAR_TICKS)
        elif chance < 0.77:
            distance = min(NEAR_TICKS - 1, int(np.random.exponential(5.0)))
        else:
            distance = min(400, NEAR_TICKS + int(np.random.exponential(60.0)))
        place = best[side] + distance * (1 if side == ASK else -1)
        gone = np.random.random() < (0.05 if distance == 0 else 0.2)
        lots = 0 if gone and distance >= 0 else _level_lots(max(distance, 0))
        n = _write(rows, n, clock, _DELTA, side, place, lots)
        _set(book, best, side, place, lots)
    return n


@njit(cache=True)
def _fill_hole(rows, n, clock, book, best, side):
    """Put a level behind the touch when four of the next five are empty: markets have no such holes."""
    step = 1 if side == ASK else -1
    empty = 0
    for distance in range(1, 6):
        if book[side, best[side] + step * distance] == 0:
            empty += 1
    if empty < 4:
        return n
    lots = _level_lots(1)
    n = _write(rows, n, clock, _DELTA, side, best[side] + step, lots)
    _set(book, best, side, best[side] + step, lots)
    return n


@njit(cache=True)
def fill_tape(rows, seed):
    """Fill all rows, beginning with one snapshot; returns how many, less when the price walked off the book.

    rows : (n,) event_t, zeroed, n > 2 * OPENING_LEVELS
    """
    np.random.seed(seed)
    book = np.zeros((2, SPAN), np.int64)
    best = np.array([SPAN // 2, SPAN // 2 + 1])
    clock = np.array([START_NS, START_NS + 10_000_000])
    latency = 10e6
    n = 0
    for distance in range(OPENING_LEVELS):
        for side in (BID, ASK):
            place = best[side] + distance * (1 if side == ASK else -1)
            book[side, place] = _level_lots(distance)
            n = _write(rows, n, clock, _SNAPSHOT, side, place, book[side, place])
    rows[n - 1]["flags"] |= _LAST
    while n < len(rows):
        latency = _tick_clock(clock, latency)
        if np.random.random() < TRADE_SHARE:
            n = _trade_message(rows, n, clock, book, best)
        else:
            n = _book_message(rows, n, clock, book, best)
        for side in (BID, ASK):
            n = _fill_hole(rows, n, clock, book, best, side)
        rows[n - 1]["flags"] |= _LAST
        if best[BID] < EDGE or best[ASK] > SPAN - EDGE:
            return n
    return n


@dataclass(frozen=True)
class TapeFiles:
    """One tape on disk, in both forms. events : our rows;  peer : those of hftbacktest"""

    name: str
    instrument: Instrument
    events: Path
    peer: Path

    def describe(self) -> dict[str, Any]:
        """Return what both sides are told: where the rows are, the grid, a price, when the recorder began."""
        first = np.load(self.events, mmap_mode="r")[:1_000]
        return {
            "name": self.name,
            "events": str(self.events),
            "peer": str(self.peer),
            "instrument": self.instrument.as_dict(),
            "tick_size": float(self.instrument.tick_size),
            "lot_size": float(self.instrument.lot_size),
            "price": float(np.median(first["price_ticks"])) * float(self.instrument.tick_size),
            "start_ns": int(first["ts_local_ns"][0]),
        }


def make(folder: Path, n_rows: int, say: Callable[[str], None]) -> TapeFiles:
    """Return the synthetic tape of a length, from the folder or made anew."""
    instrument = Instrument(venue="synthetic", symbol="BTC", tick_size=TICK, lot_size=LOT)
    made_by = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    name = f"synthetic-{n_rows}-{SEED}-{made_by}"
    files = TapeFiles(name, instrument, folder / f"{name}.npy", folder / f"{name}-peer.npy")
    if not (files.events.exists() and files.peer.exists()):
        say(f"making a tape of {n_rows:,} rows ...")
        rows = np.zeros(n_rows, event_t)
        made = fill_tape(rows, SEED)
        assert made == n_rows, f"the price left the book after {made:,} rows"
        save(files, rows)
    return files


def save(files: TapeFiles, rows: np.ndarray) -> None:
    """Write both forms, each whole or not at all."""
    files.events.parent.mkdir(parents=True, exist_ok=True)
    for path, values in ((files.events, rows), (files.peer, peer_rows(rows, files.instrument))):
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.save(file, values)
        os.replace(part, path)


def peer_rows(rows: np.ndarray, instrument: Instrument) -> np.ndarray:
    """Return rows of one instrument as hftbacktest takes them: (n,) or (2n,) event_dtype, sizes in coins.

    rows : DELTA, TRADE, and SNAPSHOT only as the first message (the book is empty then: they are changes)
    A tape whose venue times go back is told twice, once in the order of each clock.
    """
    found = np.zeros(len(rows), event_dtype)
    is_sell = (rows["flags"] & _SELL) != 0
    sort = np.where(rows["kind"] == _TRADE, TRADE, DEPTH)
    found["ev"] = sort | np.where(is_sell, SELL, BUY) | EXCH | LOCAL
    found["exch_ts"], found["local_ts"] = rows["ts_venue_ns"], rows["ts_local_ns"]
    found["px"] = rows["price_ticks"] * float(instrument.tick_size)
    found["qty"] = rows["size_lots"] * float(instrument.lot_size)
    if (np.diff(found["exch_ts"]) >= 0).all():
        return found
    at_venue, here = found[venue_order(rows)], found.copy()
    at_venue["ev"] &= np.uint64(~LOCAL & (1 << 64) - 1)
    here["ev"] &= np.uint64(~EXCH & (1 << 64) - 1)
    return np.concatenate([at_venue, here])


def statistics(rows: np.ndarray) -> dict[str, float]:
    """Return what describes a tape: shares of rows, rates, latencies."""
    seconds = (int(rows["ts_local_ns"][-1]) - int(rows["ts_local_ns"][0])) / 1e9
    latency_ms = (rows["ts_local_ns"] - rows["ts_venue_ns"]) / 1e6
    return {
        "rows": len(rows),
        "messages": int(np.count_nonzero(rows["flags"] & _LAST)),
        "seconds": seconds,
        "rows_per_s": len(rows) / seconds,
        "trade_share": float(np.mean(rows["kind"] == _TRADE)),
        "latency_ms_mean": float(latency_ms.mean()),
        "latency_ms_min": float(latency_ms.min()),
        "latency_ms_max": float(latency_ms.max()),
    }
