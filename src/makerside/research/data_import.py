"""Import: market data of other formats, and other people's files, into the one that everything reads.

Every file goes the same way: its own reader makes columns, then their times become nanoseconds, every
value is checked, every price and size is put on the grid once, and only then is anything written.

May import venues and journal. Next: `data_sources.py`, `wire_import.py`, `../journal/tardis.py`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from makerside.journal import candles
from makerside.journal.candle_defects import candle_defects_of
from makerside.journal.price_units import check_candle_units, check_price_units
from makerside.journal.recording import Recording, infer_instrument, recording_of
from makerside.journal.recording_file import (
    NamedInstrument,
    Table,
    check_values,
    in_nanoseconds,
    write_table,
)
from makerside.model.errors import DataError
from makerside.model.instrument import Instrument
from makerside.research.data_sources import Said, Wanted, are_candles, read_recording


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    n_rows    : written; loading may drop some (see the recording's defects)
    time_unit : of the source;  notes : what was left out, counted by name
    """

    recording: Recording
    n_rows: int
    n_bytes: int
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
    sources: Path | Sequence[Path], out: Path, wanted: Wanted | None = None
) -> Imported | ImportedCandles:
    """Read sources whole, check them, and write them as a recording, or as candles.

    sources : one, or the files of one instrument that belong together (Tardis: book and trades)
    errors  : DataError with the row or line of the first defect; then nothing was written
    """
    paths = [sources] if isinstance(sources, Path) else list(sources)
    wanted = wanted or Wanted()
    if any(are_candles(path) for path in paths):
        if len(paths) > 1:
            raise DataError(f"{paths[1]}: candles are imported one file at a time")
        return _import_candles(paths[0], out, wanted)
    table, said, notes = read_recording(paths, wanted)
    table, unit = in_nanoseconds(table)
    check_values(table)
    check_price_units(table)
    named = _named(table, said, wanted)
    recording = recording_of(table, named.instrument, may_round=named.is_found)
    n_bytes = write_table(out, table.columns, named)
    return Imported(replace(recording, path=out), len(table), n_bytes, unit, named.is_found, notes)


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
