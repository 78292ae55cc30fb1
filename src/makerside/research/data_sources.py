"""Sources of market data: which format a file is of, and its rows as columns, for import and check alike.

May import venues and journal. Next: `data_import.py`, `data_check.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from makerside.journal import candles
from makerside.journal.csv_file import CSV_SUFFIXES, read_header
from makerside.journal.hftbacktest import read_npz
from makerside.journal.recording import load_recordings, table_of
from makerside.journal.recording_file import NamedInstrument, Table, read_instrument, read_table
from makerside.journal.tardis import is_tardis, read_tardis
from makerside.model.errors import DataError
from makerside.research.wire_import import read_wire
from makerside.venues.hyperliquid.meta import VENUE

WIRE_SUFFIXES = (".jsonl", ".jsonl.zst", ".jsonl.gz")
ACCEPTED = (
    f"accepted are .parquet (recordings, candles), .npz (hftbacktest), {', '.join(WIRE_SUFFIXES)} "
    f"(wire of Hyperliquid), {', '.join(CSV_SUFFIXES)} (Tardis, candles), and folders of record and paper runs"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user says of the source; None is found in the file or taken from its name."""

    venue: str | None = None
    symbol: str | None = None
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None


Said = NamedInstrument | Wanted  # what a source says of its instrument


def are_candles(source: Path) -> bool:
    """Return whether a source holds candles; DataError when it cannot be looked at."""
    if source.is_dir():
        return False
    if source.name.endswith(CSV_SUFFIXES):
        header = read_header(source)
        return candles.is_bare(header) or candles.are_candles(header)
    if source.suffix != ".parquet" or not source.exists():
        return False
    names = candles.names_of(source)
    return names is not None and candles.are_candles(names)


def read_recording(sources: Sequence[Path], wanted: Wanted) -> tuple[Table, Said, dict[str, int]]:
    """Return the columns of sources that hold a recording, what they say of their instrument, and notes.

    errors : DataError with the row or line of what cannot be read
    """
    source = sources[0]
    if all(one.name.endswith(CSV_SUFFIXES) for one in sources):
        files = [(one, read_header(one)) for one in sources]
        for one, header in files:
            if not is_tardis(header):
                raise DataError(
                    f"{one}: line 1: columns {', '.join(header)[:80]} are of no known format; {ACCEPTED}"
                )
        table, venue, symbol = read_tardis(files, wanted.symbol)
        return table, Wanted(venue, symbol), {}
    if len(sources) > 1:
        raise DataError(f"{sources[1]}: only CSV files of Tardis (book, trades) are read together")
    if source.is_dir():
        return _read_run(source, wanted)
    if source.name.endswith(WIRE_SUFFIXES):
        table, symbol, notes = read_wire(source, wanted.symbol)
        return table, Wanted(VENUE, symbol), notes
    if source.suffix == ".npz":
        table, notes = read_npz(source)
        return table, Wanted(), notes
    if source.suffix == ".parquet":
        return read_table(source), read_instrument(source) or Wanted(), {}
    raise DataError(f"{source}: unknown format {source.suffix!r}; {ACCEPTED}")


def _read_run(source: Path, wanted: Wanted) -> tuple[Table, Said, dict[str, int]]:
    recordings = load_recordings(source)
    symbols = [one.instrument.symbol for one in recordings]
    if wanted.symbol is None and len(recordings) > 1:
        raise DataError(f"{source}: the run has {', '.join(symbols)}; choose one with --symbol")
    if wanted.symbol is not None and wanted.symbol not in symbols:
        raise DataError(f"{source}: no {wanted.symbol} in it; the run has {', '.join(symbols)}")
    chosen = recordings[symbols.index(wanted.symbol) if wanted.symbol else 0]
    return table_of(chosen), NamedInstrument(chosen.instrument, is_found=False), {}
