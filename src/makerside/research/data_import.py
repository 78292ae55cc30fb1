"""Import: market data of other formats, and other people's files, into the one that everything reads.

Every file goes the same way: its own reader makes columns, then their times become nanoseconds, every
value is checked, every price and size is put on the grid once, and only then is anything written.

May import venues and journal. Next: `data_sources.py`, `wire_import.py`, `../journal/tardis.py`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from makerside.journal import candles
from makerside.journal.candle_defects import candle_defects_of
from makerside.journal.price_units import check_candle_units, check_price_units
from makerside.journal.recording import Conversion, Survey, infer_instrument, refuse_inverse
from makerside.journal.recording_file import (
    NamedInstrument,
    Table,
    blocks_of,
    check_values,
    in_nanoseconds,
)
from makerside.journal.recording_write import write_table
from makerside.model.errors import DataError
from makerside.model.instrument import Instrument
from makerside.research.data_sources import Said, Wanted, are_candles, read_recording

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    n_rows    : written; loading may drop some, which is counted in `defects`
    time_unit : of the source;  notes : what was left out, counted by name
    """

    instrument: Instrument
    n_rows: int
    duration_ns: int
    n_bytes: int
    defects: dict[str, int]
    time_unit: str
    is_grid_found: bool
    notes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportedCandles:
    """What an import of candles did. notes : what was left out;  defects : what was found and left as it is"""

    venue: str
    symbol: str
    interval_ns: int
    n_rows: int
    n_bytes: int
    time_unit: str
    notes: dict[str, int]
    defects: dict[str, int]


def import_recording(
    sources: Path | Sequence[Path], out: Path, wanted: Wanted | None = None, report: Report | None = None
) -> Imported | ImportedCandles:
    """Read sources whole, check them, and write them as a recording, or as candles.

    sources : one, or the files of one instrument that belong together (Tardis: book and trades)
    report  : told how far it is: (what is being done, done, in all)
    errors  : DataError with the row or line of the first defect; then nothing was written
    """
    paths = [sources] if isinstance(sources, Path) else list(sources)
    wanted = wanted or Wanted()
    if any(are_candles(path) for path in paths):
        if len(paths) > 1:
            raise DataError(f"{paths[1]}: candles are imported one file at a time")
        return _import_candles(paths[0], out, wanted)
    report = report or _silent
    report("read", 0, 1)
    table, said, notes = read_recording(paths, wanted)
    table, unit = in_nanoseconds(table)
    check_values(table)
    check_price_units(table)
    named = _named(table, said, wanted)
    defects = _check_grid(table, named, partial(report, "check"))
    n_bytes = write_table(out, table.columns, named, partial(report, "write"))
    local = table.columns["ts_local_ns"]
    return Imported(
        named.instrument,
        len(table),
        int(local[-1] - local[0]),
        n_bytes,
        defects,
        unit,
        named.is_found,
        notes,
    )


def _silent(what: str, done: int, total: int) -> None:
    """Show nothing."""


def _check_grid(
    table: Table, named: NamedInstrument, on_progress: Callable[[int, int], None]
) -> dict[str, int]:
    """Put every row on the grid once, as loading will; returns what loading will handle, by name."""
    refuse_inverse(table.path)
    survey, done = Survey(), 0
    for block in blocks_of(table):
        survey.see(block.columns)
    conversion = Conversion(named.instrument, named.is_found, survey)
    for block in blocks_of(table):
        conversion.events(block)
        done += len(block)
        on_progress(done, len(table))
    return conversion.defects


def _named(table: Table, said: Said, wanted: Wanted) -> NamedInstrument:
    """Return the instrument: what the user says, else what the file says, else what is found."""
    is_grid_given = wanted.tick_size is not None and wanted.lot_size is not None
    if isinstance(said, NamedInstrument):
        instrument, is_found = said.instrument, said.is_found and not is_grid_given
    else:
        instrument = infer_instrument(table, wanted.tick_size, wanted.lot_size)
        is_found = not is_grid_given
        if said.venue and said.symbol:
            instrument = replace(instrument, venue=said.venue, symbol=said.symbol)
    changes = {
        "venue": wanted.venue,
        "symbol": wanted.symbol,
        "tick_size": wanted.tick_size,
        "lot_size": wanted.lot_size,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    return NamedInstrument(Instrument.from_dict(instrument.as_dict() | given), is_found)


def _import_candles(source: Path, out: Path, wanted: Wanted) -> ImportedCandles:
    if wanted.tick_size is not None or wanted.lot_size is not None:
        raise DataError(f"{source}: candles have no grid; leave --tick-size and --lot-size out")
    table, unit = candles.in_nanoseconds(candles.read_candles(source))
    candles.check_candles(table)
    check_candle_units(table)
    kept = candles.without_repeats(table)
    interval_ns = candles.interval_of(kept)
    venue, symbol, _ = candles.read_facts(source) or (*candles.names_from(source), 0)
    venue, symbol = wanted.venue or venue, wanted.symbol or symbol
    defects = Counter({one.name: one.count for one in candle_defects_of(kept).defects})
    notes = {"repeated_candles": kept.n_left_out} if kept.n_left_out else {}
    n_bytes = candles.write_candles(out, kept.columns, venue, symbol, interval_ns)
    return ImportedCandles(venue, symbol, interval_ns, len(kept), n_bytes, unit, notes, dict(defects))
