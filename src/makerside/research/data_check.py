"""Check: the defects of any source that can be imported, candles included; nothing is changed.

May import venues and journal. Next: `../journal/defects.py`, `../journal/candle_defects.py`.
"""

from contextlib import suppress
from pathlib import Path

from makerside.journal.candle_defects import candle_defects_of
from makerside.journal.candles import read_candles
from makerside.journal.defects import Findings, Limits, defects_of
from makerside.journal.recording_file import in_nanoseconds
from makerside.journal.touches import Progress
from makerside.model.errors import DataError
from makerside.research.data_sources import Wanted, are_candles, read_recording


def check_source(
    source: Path,
    limits: Limits | None = None,
    symbol: str | None = None,
    on_progress: Progress | None = None,
) -> Findings:
    """Return the defects of a source.

    symbol : which, where a source has several
    errors : DataError when it cannot be read at all
    """
    if are_candles(source):
        return candle_defects_of(read_candles(source), limits)
    table, _, _ = read_recording([source], Wanted(symbol=symbol))
    # Mixed units are a defect, and reported as one; limits in time then mean little.
    with suppress(DataError):
        table, _ = in_nanoseconds(table)
    return defects_of(table, limits, on_progress)
