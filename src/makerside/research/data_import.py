"""Import: market data of other formats, and other people's files, into the one that everything reads.

Every file goes the same way: its own reader makes columns, then their times become nanoseconds, every
value is checked, every price and size is put on the grid once, and only then is anything written.

May import venues and journal. Next: `wire_import.py`, `../journal/hftbacktest.py`.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from makerside.journal.hftbacktest import read_npz
from makerside.journal.recording import Recording, infer_instrument, recording_of
from makerside.journal.recording_file import (
    NamedInstrument,
    Table,
    check_values,
    in_nanoseconds,
    read_instrument,
    read_table,
    write_table,
)
from makerside.model.errors import DataError
from makerside.model.instrument import Instrument
from makerside.research.wire_import import read_wire
from makerside.venues.hyperliquid.meta import VENUE

WIRE_SUFFIXES = (".jsonl", ".jsonl.zst", ".jsonl.gz")
ACCEPTED = f"accepted are .npz (hftbacktest), .parquet and {', '.join(WIRE_SUFFIXES)} (wire of Hyperliquid)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user says of the source; None is found in the file or taken from its name."""

    venue: str | None = None
    symbol: str | None = None
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None


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


def import_recording(source: Path, out: Path, wanted: Wanted | None = None) -> Imported:
    """Read a source whole, check it, and write it as a recording.

    errors : DataError with the row or line of the first defect; then nothing was written
    """
    wanted = wanted or Wanted()
    table, said, notes = _read(source, wanted)
    table, unit = in_nanoseconds(table)
    check_values(table)
    named = _named(table, said, wanted)
    recording = recording_of(table, named.instrument, may_round=named.is_found)
    n_bytes = write_table(out, table.columns, named)
    return Imported(replace(recording, path=out), len(table), n_bytes, unit, named.is_found, notes)


def _read(source: Path, wanted: Wanted) -> tuple[Table, NamedInstrument | Wanted, dict[str, int]]:
    """Return the columns of a source, and what it says of its instrument."""
    if source.is_dir():
        raise DataError(f"{source}: is a folder; {ACCEPTED}")
    if source.name.endswith(WIRE_SUFFIXES):
        table, symbol, notes = read_wire(source, wanted.symbol)
        return table, Wanted(VENUE, symbol), notes
    if source.suffix == ".npz":
        table, notes = read_npz(source)
        return table, Wanted(), notes
    if source.suffix == ".parquet":
        return read_table(source), read_instrument(source) or Wanted(), {}
    raise DataError(f"{source}: unknown format {source.suffix!r}; {ACCEPTED}")


def _named(table: Table, said: NamedInstrument | Wanted, wanted: Wanted) -> NamedInstrument:
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
