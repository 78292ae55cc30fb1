"""Defects of a recording, found in its rows as they are: counted, and the first of each located.

`recording.py` handles what it can while loading; here nothing is handled. Rows whose values are impossible
are reported and left out of what follows. What is a matter of degree has a limit in `Limits`.

May import model only. Next: `recording_file.py`, `touches.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.recording import is_backlog
from makerside.journal.recording_file import (
    KIND_BBO,
    KIND_GAP,
    KIND_TRADE,
    NO_UNIT,
    TIMES,
    UNITS_NS,
    VALUE_RULES,
    Columns,
    Table,
    last_rows,
    read_table,
    units_of,
)
from makerside.journal.touches import Progress, touches_of
from makerside.model.units import NS_PER_S

PLACES_KEPT = 5
_BPS = 1e4
# The shortest latency of so long a time is the clocks' difference plus the fastest way; jams are shorter.
_LATENCY_BLOCK_NS = 10 * NS_PER_S
_DOUBLED_SHARE = 0.5  # of all trades that equal the one before, when each came twice
_SIZE_DEVIATIONS = 8  # of the logarithm, robust; real sizes are spread over some three of them
_SIZE_FACTOR_MIN = 1_000.0  # times the median, where sizes hardly differ

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is a defect.

    gap_ns          : local time without a message, or without a book while trades arrive
    clock_step_ns   : change of the shortest latency, for good
    redelivery_ns   : the same trade again after at least this local time
    far_bps         : a trade's price beyond the touch, or a move of the mid between two messages
    """

    gap_ns: int = 10 * NS_PER_S
    clock_step_ns: int = 1 * NS_PER_S
    redelivery_ns: int = 1 * NS_PER_S
    far_bps: float = 100.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a defect is. row : as its table counts;  ts_local_ns : its local time;  detail : how bad"""

    row: int
    ts_local_ns: int
    detail: str


@dataclass(frozen=True, slots=True)
class Defect:
    """One sort of defect. name : for machines;  meaning : for people;  places : the first few"""

    name: str
    meaning: str
    count: int
    places: list[Place]


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with a file; `defects` is empty when nothing is."""

    path: Path
    n_rows: int
    first_ns: int
    last_ns: int
    defects: list[Defect] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    """Rows with a defect. details : one text per row, or made of a number by `unit`"""

    name: str
    meaning: str
    rows: NDArray[Any]
    numbers: NDArray[Any] | None = None
    unit: str = ""


def find_defects(path: Path, limits: Limits | None = None) -> Findings:
    """Return the defects of a Parquet recording; DataError when it cannot be read at all."""
    return defects_of(read_table(path), limits)


def defects_of(table: Table, limits: Limits | None = None, on_progress: Progress | None = None) -> Findings:
    """Return the defects of the rows of a recording, whatever file they come from."""
    limits = limits or Limits()
    found = [one for one in _all(table, limits, on_progress) if len(one.rows)]
    local = table.columns["ts_local_ns"]
    return Findings(
        table.path, len(table), int(local.min()), int(local.max()), [_defect(one, table) for one in found]
    )


def _defect(found: _Found, table: Table) -> Defect:
    columns, places = table.columns, []
    for i, row in enumerate(found.rows[:PLACES_KEPT].tolist()):
        if found.numbers is not None:
            detail = f"{found.numbers[i]:,.6g} {found.unit}".strip()
        else:
            detail = f"price {columns['price'][row]:.12g}, size {columns['size'][row]:.12g}"
        places.append(Place(int(table.numbers[row]), int(columns["ts_local_ns"][row]), detail))
    return Defect(found.name, found.meaning, len(found.rows), places)


def _all(table: Table, limits: Limits, on_progress: Progress | None) -> Iterator[_Found]:
    columns = table.columns
    impossible = np.zeros(len(table), bool)
    for name, words, broken in VALUE_RULES:
        bad = broken(columns)
        if name != "local_time_back":
            impossible |= bad
            yield _Found(name, words, np.flatnonzero(bad))
    yield from _units(columns)
    yield from _clocks(columns, limits)
    if impossible.all():
        return
    # What follows works on the sound rows; `places` still tells where they are in the table.
    places = np.flatnonzero(~impossible)
    sound = table.take(~impossible).columns
    for one in (*_gaps(sound, limits), *_book(sound, limits, on_progress), *_repeats(sound, limits)):
        yield _Found(one.name, one.meaning, places[one.rows], one.numbers, one.unit)
    for one in (*_sizes(sound), *_trades(sound)):
        yield _Found(one.name, one.meaning, places[one.rows], one.numbers, one.unit)


def _units(columns: Columns) -> Iterator[_Found]:
    """A file of made-up times has no unit anywhere, and no defect."""
    units = {name: units_of(columns[name]) for name in TIMES}
    first = int(units["ts_local_ns"][0])
    bad = np.logical_or.reduce([units[name] != first for name in TIMES])
    name = "no unit" if first == NO_UNIT else list(UNITS_NS)[first]
    yield _Found("mixed_time_units", f"times not in {name} as in row 0", np.flatnonzero(bad))


def _clocks(columns: Columns, limits: Limits) -> Iterator[_Found]:
    local, venue = columns["ts_local_ns"], columns["ts_exchange_ns"]
    back = np.flatnonzero(np.diff(local) < 0) + 1
    yield _Found(
        "local_time_back", "the recorder's clock went back", back, (local[back - 1] - local[back]) / 1e9, "s"
    )
    is_trade, is_best = columns["kind"] == KIND_TRADE, columns["kind"] == KIND_BBO
    for name, of_feed in (("books", ~is_trade & ~is_best), ("best_prices", is_best), ("trades", is_trade)):
        rows = np.flatnonzero(of_feed)
        steps = np.diff(venue[rows])
        back = np.flatnonzero(steps < 0)
        yield _Found(
            f"venue_time_back_{name}",
            f"the venue's time of {name.replace('_', ' ')} went back",
            rows[back + 1],
            -steps[back] / 1e9,
            "s",
        )
    early = np.flatnonzero(local < venue)
    yield _Found(
        "received_before_sent",
        "local time before the venue's: one of the clocks is wrong",
        early,
        (venue[early] - local[early]) / 1e6,
        "ms",
    )
    yield _clock_steps(columns, limits)


def _clock_steps(columns: Columns, limits: Limits) -> _Found:
    """A clock that was set changes the shortest latency for good; a slow network does so for a while."""
    rows = np.flatnonzero(~is_backlog(columns))
    local = columns["ts_local_ns"][rows]
    latency = local - columns["ts_exchange_ns"][rows]
    blocks = np.maximum.accumulate(local) // _LATENCY_BLOCK_NS if len(rows) else local
    starts = np.flatnonzero(np.append(True, blocks[1:] != blocks[:-1])) if len(rows) else rows
    shortest = np.minimum.reduceat(latency, starts) if len(rows) else latency
    ends = np.append(starts[1:], len(rows))
    found: list[int] = []
    sizes: list[float] = []
    for block in range(2, len(shortest) - 1):
        before, after = shortest[block - 2 : block], shortest[block : block + 2]
        up, down = int(after.min() - before.max()), int(before.min() - after.max())
        if max(up, down) < limits.clock_step_ns:
            continue
        inside = latency[starts[block - 1] : ends[block]]
        jumps = np.diff(inside) * (1 if up > 0 else -1)
        found.append(int(rows[starts[block - 1] + int(np.argmax(jumps)) + 1]))
        sizes.append((up if up > 0 else -down) / 1e9)
    return _Found(
        "clock_step",
        "the difference of the two clocks changed for good",
        np.array(found, np.int64),
        np.array(sizes),
        "s",
    )


def _gaps(columns: Columns, limits: Limits) -> Iterator[_Found]:
    local = columns["ts_local_ns"]
    after = np.flatnonzero(np.diff(local) > limits.gap_ns) + 1
    yield _Found("gap", "nothing arrived before this row", after, (local[after] - local[after - 1]) / 1e9, "s")
    told = np.flatnonzero(columns["kind"] == KIND_GAP)
    yield _Found("interruption", "the recorder itself says that the feed was interrupted", told)
    books = np.flatnonzero(columns["kind"] != KIND_TRADE)
    steps = np.diff(local[books])
    # Trades between two book rows that are neighbours of each other only in the book.
    is_alone = (steps > limits.gap_ns) & (np.diff(books) > 1)
    after = books[np.flatnonzero(is_alone) + 1]
    yield _Found("book_gap", "trades arrived, but no book before this row", after, steps[is_alone] / 1e9, "s")


def _book(columns: Columns, limits: Limits, on_progress: Progress | None) -> Iterator[_Found]:
    bids, asks = touches_of(columns, on_progress)
    states = np.flatnonzero(np.isfinite(bids) & np.isfinite(asks))
    if not len(states):
        return
    bid, ask = bids[states], asks[states]
    crossed = states[bid > ask]
    yield _Found(
        "crossed_book",
        "after this message the best bid is above the best ask",
        crossed,
        (bid - ask)[bid > ask],
        "",
    )
    yield _Found("locked_book", "after this message best bid and ask are equal", states[bid == ask])
    mid = (bid + ask) / 2
    moves = np.abs(np.diff(mid)) / mid[:-1] * _BPS
    jumped = np.flatnonzero(moves > limits.far_bps)
    yield _Found("mid_jump", "the mid moved far in one message", states[jumped + 1], moves[jumped], "bp")
    trades = np.flatnonzero(columns["kind"] == KIND_TRADE)
    last = np.searchsorted(states, trades) - 1
    trades, last = trades[last >= 0], last[last >= 0]
    prices = columns["price"][trades]
    low, high = np.minimum(bid, ask)[last], np.maximum(bid, ask)[last]
    far = np.maximum(np.maximum(low - prices, prices - high), 0) / mid[last] * _BPS
    is_far = far > limits.far_bps
    yield _Found("price_outlier", "a trade far outside the best prices", trades[is_far], far[is_far], "bp")


def _repeats(columns: Columns, limits: Limits) -> Iterator[_Found]:
    hashes = _row_hashes(columns)
    yield _Found("duplicate_message", "the message before it, once more", _same_as_before(columns, hashes))
    yield _Found(
        "repeated_trade",
        "a trade that arrived before, with the same time, price and size",
        _redelivered(columns, hashes, limits),
    )
    shown = np.flatnonzero(columns["kind"] != KIND_TRADE)
    keys = (columns["price"][shown], columns["side"][shown], columns["kind"][shown], _groups(columns)[shown])
    order = np.lexsort(keys)
    is_twice = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    rows = np.sort(shown[order][1:][is_twice])
    yield _Found("level_told_twice", "a price of one side twice in one message", rows)


def _groups(columns: Columns) -> NDArray[np.int64]:
    """Return the number of the run of rows that each row's message is."""
    ends = last_rows(columns)
    return np.cumsum(ends) - ends


def _row_hashes(columns: Columns) -> NDArray[np.uint64]:
    """Return 64 bits of venue time, kind, side, price and size of each row."""
    hashes = np.zeros(len(columns["kind"]), np.uint64)
    for name in ("ts_exchange_ns", "kind", "side", "price", "size"):
        values = columns[name]
        bits = values.view(np.uint64) if values.itemsize == 8 else values.astype(np.int64).view(np.uint64)
        hashes = (hashes ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    return hashes


def _same_as_before(columns: Columns, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the first rows of messages that equal the one of their feed before, venue time included.

    One market order can make several prints that are alike, and nothing here numbers them: only where they
    come in pairs all along was a recorder listening twice.
    """
    ends = np.flatnonzero(last_rows(columns))
    starts = np.append(0, ends[:-1] + 1)
    sums = np.add.reduceat(hashes, starts)
    kinds = columns["kind"][starts]
    found = []
    for kind in np.unique(kinds):
        places = np.flatnonzero(kinds == kind)
        is_same = sums[places][1:] == sums[places][:-1]
        if kind != KIND_TRADE or is_same.sum() >= _DOUBLED_SHARE * len(places):
            found.append(starts[places[1:][is_same]])
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)


def _redelivered(columns: Columns, hashes: NDArray[np.uint64], limits: Limits) -> NDArray[np.int64]:
    """Return trades that equal an earlier one and arrived much later: a venue repeats them on reconnecting."""
    trades = np.flatnonzero(columns["kind"] == KIND_TRADE)
    order = trades[np.argsort(hashes[trades], kind="stable")]
    local = columns["ts_local_ns"][order]
    is_same = hashes[order][1:] == hashes[order][:-1]
    # Against the first of its kind: the fourth of a burst that came twice is late as well.
    starts = np.maximum.accumulate(np.where(np.append(True, ~is_same), np.arange(len(order)), 0))
    late = local - local[starts] >= limits.redelivery_ns
    return np.sort(order[late])


def _sizes(columns: Columns) -> Iterator[_Found]:
    is_trade = columns["kind"] == KIND_TRADE
    for name, rows in (("trade", np.flatnonzero(is_trade)), ("level", np.flatnonzero(~is_trade))):
        rows = rows[columns["size"][rows] > 0]
        if not len(rows):
            continue
        logs = np.log(columns["size"][rows])
        middle = np.median(logs)
        deviation = 1.4826 * float(np.median(np.abs(logs - middle)))
        is_huge = logs - middle > max(_SIZE_DEVIATIONS * deviation, np.log(_SIZE_FACTOR_MIN))
        times = np.exp(logs[is_huge] - middle)
        yield _Found(
            f"{name}_size_outlier",
            f"the size of a {name} is out of all proportion",
            rows[is_huge],
            times,
            "x median",
        )


def _trades(columns: Columns) -> Iterator[_Found]:
    yield _Found(
        "backlog_trade",
        "a trade of before the first book; loading drops it",
        np.flatnonzero(is_backlog(columns)),
    )
    unknown: Mask = (columns["kind"] == KIND_TRADE) & (columns["side"] == 0)
    yield _Found("trade_without_side", "the source does not tell the aggressor", np.flatnonzero(unknown))
