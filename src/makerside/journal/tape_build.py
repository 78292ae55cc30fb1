"""Making tapes from recordings, block by block: memory stays that of a block, whatever the file's length.

A Parquet file is walked twice, once to check every value and to learn what must be known of all rows (grid,
clocks, where the book begins), once to make events. May import model only. Next: `tape.py`, `recording.py`.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.recording import (
    Conversion,
    Recording,
    Survey,
    instrument_from,
    load_recordings,
    refuse_inverse,
)
from makerside.journal.recording_file import (
    NamedInstrument,
    Table,
    checked,
    count_rows,
    read_blocks,
    read_instrument,
)
from makerside.journal.tape import HASH_ROWS, Description, write_tape

Progress = Callable[[int, int], None]  # (rows done, rows in all)
_PASSES = 2


def tape_paths(folder: Path, key: str, n_places: int) -> list[Path]:
    """Return the files of the tapes of one source."""
    return [folder / f"{key}-{place}.tape" for place in range(n_places)]


def build_tapes(source: Path, folder: Path, key: str, on_progress: Progress | None = None) -> list[Path]:
    """Write the tapes of a Parquet file (one) or of the folder of a run (one per symbol); returns their paths.

    errors : DataError as `load_recordings`; UserError when a tape cannot be written
    """
    if source.is_dir():
        recordings = load_recordings(source)
        paths = tape_paths(folder, key, len(recordings))
        # The first is written last: where it is, the others are.
        for place in reversed(range(len(recordings))):
            one = recordings[place]
            description = Description(one.instrument, one.defects, place, len(recordings))
            write_tape(paths[place], description, _pieces(one, on_progress))
        return paths
    paths = tape_paths(folder, key, 1)
    build_tape(source, paths[0], on_progress)
    return paths


def build_tape(source: Path, out: Path, on_progress: Progress | None = None) -> int:
    """Write the tape of a Parquet recording; returns its bytes. errors : as `build_tapes`"""
    refuse_inverse(source)
    progress = _Counted(count_rows(source), on_progress)
    named, survey = _survey(source, progress.of(read_blocks(source)))
    conversion = Conversion(named.instrument, named.is_found, survey)
    blocks = (conversion.events(table) for table in progress.of(read_blocks(source)))
    return write_tape(out, Description(named.instrument, conversion.defects), blocks)


def _survey(source: Path, blocks: Iterable[Table]) -> tuple[NamedInstrument, Survey]:
    """Check all rows; return the grid that the file names or its numbers show, and what all rows tell."""
    named, survey = read_instrument(source), Survey()
    prices, sizes = np.empty(0), np.empty(0)
    for table in checked(blocks):
        survey.see(table.columns)
        if named is None:
            prices = np.union1d(prices, table.columns["price"])
            sizes = np.union1d(sizes, table.columns["size"])
    return named or NamedInstrument(instrument_from(source, prices, sizes), is_found=True), survey


def _pieces(recording: Recording, on_progress: Progress | None) -> Iterator[NDArray[Any]]:
    n = len(recording.events)
    for begin in range(0, n, HASH_ROWS):
        yield recording.events[begin : begin + HASH_ROWS]
        if on_progress is not None:
            on_progress(min(n, begin + HASH_ROWS), n)


class _Counted:
    """Tells how many rows have gone by, over all passes."""

    def __init__(self, n_rows: int, on_progress: Progress | None) -> None:
        self._done, self._total = 0, _PASSES * n_rows
        self._on_progress = on_progress

    def of(self, blocks: Iterable[Table]) -> Iterator[Table]:
        for table in blocks:
            yield table
            self._done += len(table)
            if self._on_progress is not None:
                self._on_progress(self._done, self._total)
