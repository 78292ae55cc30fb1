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
    BOOK_KINDS,
    KIND_TRADE,
    Columns,
    Table,
    check_values,
    last_rows,
    read_instrument,
    read_table,
)
from makerside.model.errors import ConfigError, DataError
from makerside.model.event import Flag, Kind, event_t
from makerside.model.instrument import Instrument
from makerside.model.run import JOURNAL_NAME, RUN_NAME
from makerside.model.units import MONEY_DECIMALS, NS_PER_MS

_MARKET_KINDS = (Kind.DELTA, Kind.SNAPSHOT, Kind.TRADE, Kind.BBO, Kind.GAP)
_KINDS = {1: Kind.DELTA, 2: Kind.SNAPSHOT, 3: Kind.TRADE, 4: Kind.BBO, 5: Kind.GAP}
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
    defects : what was found and handled, by name; zero entries are left out
    """

    path: Path
    instrument: Instrument
    events: NDArray[Any]
    defects: dict[str, int] = field(default_factory=dict)

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
    refuse_inverse(table.path)
    if instrument is None:
        instrument, may_round = infer_instrument(table), True
    survey = Survey()
    survey.see(table.columns)
    conversion = Conversion(instrument, may_round, survey)
    events = conversion.events(table)
    return Recording(table.path, instrument, events, conversion.defects)


def refuse_inverse(path: Path) -> None:
    """Raise DataError for venues whose sizes are contracts of USD."""
    if path.name.startswith(_INVERSE):
        raise DataError(f"{path}: inverse contracts (sizes in USD, money in coins) are not supported")


class Survey:
    """What must be known of all rows before the first can become an event.

    book_begins_ns : venue time of the first row of a book, None without one
    """

    def __init__(self) -> None:
        self.book_begins_ns: int | None = None
        self._latency_min_ns: int | None = None
        self._before: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def see(self, columns: Columns) -> None:
        """Look at the next rows of the file."""
        venue, latency = columns["ts_exchange_ns"], columns["ts_local_ns"] - columns["ts_exchange_ns"]
        is_trade = columns["kind"] == KIND_TRADE
        if self.book_begins_ns is None:
            self.book_begins_ns = book_begins_ns(columns)
        if self.book_begins_ns is None:
            # Trades before any book: whether they count is known only when the book begins.
            self._before.append((venue, latency))
            return
        self._note(latency[~(is_trade & (venue < self.book_begins_ns))])

    def clock_shift_ns(self) -> int:
        """Return what local times must be shifted by: the recorder's clock may have run before the venue's."""
        for venue, latency in self._before:
            is_kept = venue >= (self.book_begins_ns or 0)
            self._note(latency[is_kept])
        self._before = []
        shortest = self._latency_min_ns
        return 0 if shortest is None or shortest >= 0 else _LATENCY_MIN_NS - shortest

    def _note(self, latency: NDArray[np.int64]) -> None:
        if len(latency):
            shortest = int(latency.min())
            known = self._latency_min_ns
            self._latency_min_ns = shortest if known is None else min(known, shortest)


class Conversion:
    """Turns the rows of one file into event rows, all at once or block by block; counts what it handles."""

    def __init__(self, instrument: Instrument, may_round: bool, survey: Survey) -> None:
        self.defects: dict[str, int] = {}
        self._instrument = instrument
        self._may_round = may_round
        self._book_begins_ns = survey.book_begins_ns
        self._clock_shift_ns = survey.clock_shift_ns()
        _count(self.defects, "clock_shift_ns", self._clock_shift_ns)

    def events(self, table: Table) -> NDArray[Any]:
        """Return whole messages as (n,) event_t; DataError with the row of a number that is on no grid."""
        defects, instrument = self.defects, self._instrument
        table = table.take(~_is_before(table.columns, self._book_begins_ns))
        columns = table.columns
        _count(defects, "backlog_trades_dropped", table.n_left_out)
        events = np.zeros(len(table), event_t)
        events["ts_venue_ns"] = columns["ts_exchange_ns"]
        events["ts_local_ns"] = columns["ts_local_ns"] + self._clock_shift_ns
        prices = Column("price", columns["price"], table)
        sizes = Column("size", columns["size"], table)
        events["price_ticks"] = _to_steps(prices, instrument.tick_size, np.iinfo("i4").max)
        events["size_lots"] = _to_lots(sizes, instrument.lot_size, self._may_round, defects)
        for number, kind in _KINDS.items():
            events["kind"][columns["kind"] == number] = kind
        flags = np.where(columns["side"] < 0, int(Flag.SELL), 0)
        unknown = (columns["side"] == 0) & (columns["kind"] == KIND_TRADE)
        flags[unknown] |= Flag.UNKNOWN_SIDE
        if len(table):
            flags[last_rows(columns)] |= Flag.LAST
        events["flags"] = flags
        _count(defects, "trades_without_side", int(unknown.sum()))
        return events


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
    found = []
    for index, instrument in enumerate(_instruments(path, values)):
        events = rows[rows["instrument"] == index].copy()
        if not ((events["price_ticks"] > 0) & (events["kind"] != Kind.GAP)).any():
            continue
        events["instrument"] = 0
        untimed = events["ts_venue_ns"] == 0
        events["ts_venue_ns"][untimed] = events["ts_local_ns"][untimed]
        found.append(Recording(path, instrument, events))
    if not found:
        raise DataError(f"{path}: the run has no market data")
    return found


def _instruments(path: Path, values: dict[str, Any]) -> list[Instrument]:
    try:
        return [Instrument.from_dict(description) for description in values["instruments"]]
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, ConfigError) as error:
        raise DataError(f"{path / RUN_NAME}: the instruments in it are unreadable ({error})") from None


def table_of(recording: Recording) -> Table:
    """Return event rows as the columns of a recording's file; `recording_of` is the inverse."""
    events, instrument = recording.events, recording.instrument
    kinds = np.zeros(int(max(_KINDS.values())) + 1, np.int8)
    kinds[list(_KINDS.values())] = list(_KINDS)
    side = np.where(events["flags"] & Flag.SELL, -1, 1).astype(np.int8)
    side[(events["flags"] & Flag.UNKNOWN_SIDE) != 0] = 0
    is_first = np.append(True, (events["flags"][:-1] & Flag.LAST) != 0)
    columns = {
        "ts_exchange_ns": events["ts_venue_ns"].copy(),
        "ts_local_ns": events["ts_local_ns"].copy(),
        "kind": kinds[events["kind"]],
        "side": side,
        "price": to_floats(events["price_ticks"], instrument.tick_size),
        "size": to_floats(events["size_lots"], instrument.lot_size),
        "msg": np.cumsum(is_first).astype(np.int32),
    }
    return Table(recording.path, columns, np.arange(len(events), dtype=np.int64), word="market row")


def to_floats(steps: NDArray[Any], step: Decimal) -> NDArray[np.float64]:
    """Return the floats nearest to the decimal numbers: both operands of the division are exact."""
    above, below = step.as_integer_ratio()
    whole = steps.astype(np.int64) * above
    assert not len(whole) or int(np.abs(whole).max()) < 1 << 53
    floats: NDArray[np.float64] = whole / float(below)
    return floats


def merge(recordings: list[Recording], shift_ns: int = 0, may_share: bool = False) -> NDArray[Any]:
    """Return the rows of several recordings by local time, each with its place in the list as instrument.

    Messages stay whole: rows of one file that share a time keep their order and their neighbours.

    shift_ns  : added to all local times
    may_share : the caller only reads: the rows of a single recording are returned as they lie, mapped or not
    """
    if len(recordings) == 1:
        events = recordings[0].events  # instrument 0, in order of local time already
        if may_share and shift_ns == 0:
            return events
        rows = events.copy()
    else:
        parts = []
        for i, recording in enumerate(recordings):
            part = recording.events.copy()
            part["instrument"] = i
            parts.append(part)
        rows = np.concatenate(parts)
        rows = rows[np.argsort(rows["ts_local_ns"], kind="stable")]
    if shift_ns:
        rows["ts_local_ns"] += shift_ns
    return rows


def _count(defects: dict[str, int], name: str, number: int) -> None:
    if number:
        defects[name] = defects.get(name, 0) + number


def infer_instrument(table: Table, tick: Decimal | None = None, lot: Decimal | None = None) -> Instrument:
    """Return the instrument of a recording; venue and symbol from the file's name, `VENUE-SYMBOL-...`.

    tick, lot : what is known of the grid; the rest is found in the numbers
    errors    : DataError when they have too many decimals
    """
    columns = table.columns
    prices = np.unique(columns["price"]) if tick is None else None
    sizes = np.unique(columns["size"]) if lot is None else None
    return instrument_from(table.path, tick or prices, lot or sizes)


def instrument_from(
    path: Path, tick: Decimal | NDArray[np.float64] | None, lot: Decimal | NDArray[np.float64] | None
) -> Instrument:
    """Return the instrument of a recording from its grid, or from all distinct prices and sizes."""
    venue, _, rest = path.stem.partition("-")
    symbol = rest.split("-")[0] if rest else path.stem
    if not isinstance(tick, Decimal):
        assert tick is not None
        tick = _grid(path, tick, "price")
    if not isinstance(lot, Decimal):
        assert lot is not None
        # Money is counted in 10^-8: a finer lot is made coarser, and sizes are rounded to it.
        lot = max(_grid(path, lot, "size"), Decimal(1).scaleb(-MONEY_DECIMALS) / tick)
    return Instrument(venue=venue, symbol=symbol, tick_size=tick, lot_size=lot)


def _grid(path: Path, distinct: NDArray[np.float64], what: str) -> Decimal:
    """Return the coarsest decimal grid that all values lie on."""
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
    return _is_before(columns, book_begins_ns(columns))


def book_begins_ns(columns: Columns) -> int | None:
    """Return the venue's time of the first row of a book, None when there is none."""
    is_book = np.isin(columns["kind"], BOOK_KINDS)
    return int(columns["ts_exchange_ns"][int(np.argmax(is_book))]) if is_book.any() else None


def _is_before(columns: Columns, begins_ns: int | None) -> NDArray[np.bool_]:
    is_trade: NDArray[np.bool_] = columns["kind"] == KIND_TRADE
    if begins_ns is None:
        return np.zeros(len(is_trade), bool)
    is_early: NDArray[np.bool_] = columns["ts_exchange_ns"] < begins_ns
    return is_trade & is_early
