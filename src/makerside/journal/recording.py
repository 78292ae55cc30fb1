"""Recordings: market data files become event rows, and their defects are handled and counted.

The file itself is read by `recording_file.py`. Floats are turned into ticks and lots here, once, and
anything that is not on a grid is an error with its row number.

May import model only. Next: `writer.py`, `reader.py`.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.folder import read_run
from makerside.journal.reader import read_journal
from makerside.journal.recording_file import (
    KIND_TRADE,
    Columns,
    Table,
    check_values,
    last_rows,
    read_instrument,
    read_table,
)
from makerside.model.errors import DataError
from makerside.model.event import Flag, Kind, event_t
from makerside.model.instrument import Instrument
from makerside.model.price import price_t, prices_of
from makerside.model.run import JOURNAL_NAME
from makerside.model.units import MONEY_DECIMALS, NS_PER_MS

_MARKET_KINDS = (Kind.DELTA, Kind.SNAPSHOT, Kind.TRADE, Kind.BBO, Kind.GAP)
_KINDS = {1: Kind.DELTA, 2: Kind.SNAPSHOT, 3: Kind.TRADE, 4: Kind.BBO}
_INVERSE = ("binance_coinm-",)  # venues whose sizes are contracts of USD: linear accounts would be wrong
_DECIMALS_MAX = 8  # finer grids than 10^-8 exist on no venue that we trade
_LATENCY_MIN_NS = 1 * NS_PER_MS  # what a recorder's clock is shifted to when it ran before the venue's


@dataclass(frozen=True, slots=True)
class Column:
    """Numbers of a file that are to become integers. table : tells the place of each in the file"""

    name: str
    values: NDArray[np.float64]
    table: Table


@dataclass(frozen=True, slots=True)
class Recording:
    """Market rows of one instrument, ready for `step`.

    events  : (n,) event_t in arrival order, instrument index 0
    prices  : (k,) price_t, what the venue told beside its book, for the simulated venue
    defects : what was found and handled, by name; zero entries are left out
    """

    path: Path
    instrument: Instrument
    events: NDArray[Any]
    defects: dict[str, int] = field(default_factory=dict)
    prices: NDArray[Any] = field(default_factory=lambda: np.zeros(0, price_t))

    @property
    def duration_ns(self) -> int:
        """Local time from the first row to the last."""
        return int(self.events["ts_local_ns"][-1] - self.events["ts_local_ns"][0])


def load_recording(path: Path, instrument: Instrument | None = None) -> Recording:
    """Return a Parquet recording as event rows.

    instrument : its grid; the one that the file names, else inferred from prices and sizes
    errors     : DataError that names the file, and the row or column where it is not as described
    """
    table = read_table(path)
    check_values(table)
    named = read_instrument(path) if instrument is None else None
    if named is not None:
        return recording_of(table, named.instrument, may_round=named.is_found)
    return recording_of(table, instrument)


def recording_of(table: Table, instrument: Instrument | None = None, may_round: bool = False) -> Recording:
    """Return checked columns as event rows.

    instrument : its grid; inferred when not given
    may_round  : sizes beside the lot grid are rounded and counted, as on an inferred grid
    errors     : DataError with the row of a number that is on no grid
    """
    path = table.path
    if path.name.startswith(_INVERSE):
        raise DataError(f"{path}: inverse contracts (sizes in USD, money in coins) are not supported")
    if instrument is None:
        instrument, may_round = infer_instrument(table), True
    defects: dict[str, int] = {}
    table = table.take(~is_backlog(table.columns))
    columns = table.columns
    _count(defects, "backlog_trades_dropped", table.n_left_out)
    events = np.zeros(len(table), event_t)
    events["ts_venue_ns"] = columns["ts_exchange_ns"]
    events["ts_local_ns"] = _corrected_clock(columns, defects)
    prices = Column("price", columns["price"], table)
    sizes = Column("size", columns["size"], table)
    events["price_ticks"] = _to_steps(prices, instrument.tick_size, np.iinfo("i4").max)
    events["size_lots"] = _to_lots(sizes, instrument.lot_size, may_round, defects)
    for number, kind in _KINDS.items():
        events["kind"][columns["kind"] == number] = kind
    flags = np.where(columns["side"] < 0, int(Flag.SELL), 0)
    unknown = (columns["side"] == 0) & (columns["kind"] == KIND_TRADE)
    flags[unknown] |= Flag.UNKNOWN_SIDE
    flags[last_rows(columns)] |= Flag.LAST
    events["flags"] = flags
    _count(defects, "trades_without_side", int(unknown.sum()))
    return Recording(path, instrument, events, defects)


def load_recordings(path: Path) -> list[Recording]:
    """Return the recordings in a Parquet file (one) or in the folder of a run (one per symbol).

    errors : DataError; a run whose books contain our own orders (live, demo) is no recording
    """
    if not path.is_dir():
        return [load_recording(path)]
    values = read_run(path)
    if values.get("has_own_in_book", True):
        mode = values.get("mode")
        raise DataError(f"{path}: the books of a {mode} run contain our own orders; use a record or paper run")
    journal = read_journal(path / JOURNAL_NAME)
    is_market = journal.is_head & np.isin(journal.rows["kind"], _MARKET_KINDS)
    rows = journal.rows[is_market]
    at = np.flatnonzero(journal.is_head & (journal.rows["kind"] == Kind.PRICES))
    prices = prices_of(journal.rows[at], journal.rows[at + 1])
    found = []
    for index, description in enumerate(values["instruments"]):
        events = rows[rows["instrument"] == index].copy()
        if not ((events["price_ticks"] > 0) & (events["kind"] != Kind.GAP)).any():
            continue
        events["instrument"] = 0
        untimed = events["ts_venue_ns"] == 0
        events["ts_venue_ns"][untimed] = events["ts_local_ns"][untimed]
        instrument = Instrument.from_dict(description)
        found.append(Recording(path, instrument, events, prices=prices[prices["instrument"] == index]))
    if not found:
        raise DataError(f"{path}: the run has no market data")
    return found


def merge(recordings: list[Recording]) -> NDArray[Any]:
    """Return the rows of several recordings by local time, each with its place in the list as instrument.

    Messages stay whole: rows of one file that share a time keep their order and their neighbours.
    """
    parts = []
    for i, recording in enumerate(recordings):
        part = recording.events.copy()
        part["instrument"] = i
        parts.append(part)
    rows = np.concatenate(parts)
    order = np.argsort(rows["ts_local_ns"], kind="stable")
    return rows[order]


def _count(defects: dict[str, int], name: str, number: int) -> None:
    if number:
        defects[name] = defects.get(name, 0) + number


def infer_instrument(table: Table, tick: Decimal | None = None, lot: Decimal | None = None) -> Instrument:
    """Return the instrument of a recording; venue and symbol from the file's name, `VENUE-SYMBOL-...`.

    tick, lot : what is known of the grid; the rest is found in the numbers
    errors    : DataError when they have too many decimals
    """
    path = table.path
    venue, _, rest = path.stem.partition("-")
    symbol = rest.split("-")[0] if rest else path.stem
    if tick is None:
        tick = _grid(path, table.columns["price"], "price")
    if lot is None:
        # Money is counted in 10^-8: a finer lot is made coarser, and sizes are rounded to it.
        lot = max(_grid(path, table.columns["size"], "size"), Decimal(1).scaleb(-MONEY_DECIMALS) / tick)
    return Instrument(venue=venue, symbol=symbol, tick_size=tick, lot_size=lot)


def _grid(path: Path, values: NDArray[np.float64], what: str) -> Decimal:
    """Return the coarsest decimal grid that all values lie on."""
    distinct = np.unique(values)
    for decimals in range(_DECIMALS_MAX + 1):
        steps = np.rint(distinct * 10.0**decimals)
        if np.allclose(steps / 10.0**decimals, distinct, rtol=1e-12, atol=1e-12):
            common = int(np.gcd.reduce(steps.astype(np.int64)))
            # A grid of 5 or 20 units is likely a coincidence of a short file: keep powers of ten.
            power = len(str(common)) - 1 if common > 0 and str(common).strip("0") == "1" else 0
            return Decimal(1).scaleb(power - decimals)
    raise DataError(f"{path}: {what}s have more than {_DECIMALS_MAX} decimals; give the instrument's grid")


def _to_steps(column: Column, step: Decimal, limit: int) -> NDArray[np.int64]:
    values = column.values
    steps = np.rint(values / float(step))
    off = np.abs(steps * float(step) - values) > 1e-9 * np.maximum(1.0, np.abs(values))
    for bad, what in (
        (off, f"is not a multiple of {step}"),
        (steps > limit, f"is more than {limit} steps of {step}"),
    ):
        if bad.any():
            i = int(np.argmax(bad))
            raise DataError(f"{column.table.at(i)}: {column.name} {values[i]} {what}")
    return steps.astype(np.int64)


def _to_lots(column: Column, lot: Decimal, may_round: bool, defects: dict[str, int]) -> NDArray[np.int64]:
    """Return sizes in lots; on an inferred grid a size below or between lots is rounded, at least to one."""
    if not may_round:
        return _to_steps(column, lot, 1 << 53)
    values = column.values
    rounded = np.rint(values / float(lot))
    rounded = np.where((values > 0) & (rounded < 1), 1.0, rounded)
    off = np.abs(rounded * float(lot) - values) > 1e-9 * np.maximum(1.0, np.abs(values))
    _count(defects, "sizes_rounded", int(off.sum()))
    return _to_steps(Column(column.name, rounded * float(lot), column.table), lot, 1 << 53)


def is_backlog(columns: Columns) -> NDArray[np.bool_]:
    """Return which trades a venue sent on subscribing: they happened before the first row of the book."""
    is_trade: NDArray[np.bool_] = columns["kind"] == KIND_TRADE
    if is_trade.all():
        return np.zeros(len(is_trade), bool)
    first = columns["ts_exchange_ns"][~is_trade][0]
    is_early: NDArray[np.bool_] = columns["ts_exchange_ns"] < first
    return is_trade & is_early


def _corrected_clock(columns: Columns, defects: dict[str, int]) -> NDArray[np.int64]:
    """Return local times, shifted when the recorder's clock ran before the venue's."""
    local: NDArray[np.int64] = columns["ts_local_ns"]
    shortest = int((local - columns["ts_exchange_ns"]).min())
    if shortest >= 0:
        return local
    shift = _LATENCY_MIN_NS - shortest
    defects["clock_shift_ns"] = shift
    return local + shift
