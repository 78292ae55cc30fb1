"""Recordings for backtest and sweep: opened from the cache of tapes, which is filled with a progress bar."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from makerside.cli.options import console, progress_bar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from makerside.journal.recording import Recording


def read_recordings(sources: list[str]) -> "list[Recording]":
    """Return the recordings of all sources; UserError when a symbol is there twice: it would trade twice.

    sources : Parquet files or folders of runs, as paths or URIs
    """
    from makerside.model.errors import UserError
    from makerside.research.sources import shown
    from makerside.research.tapes import open_recordings

    found: dict[str, Recording] = {}
    places: dict[str, str] = {}
    for source in sources:
        with reported() as report:
            recordings = open_recordings(source, report, note)
        for recording in recordings:
            symbol = recording.instrument.symbol
            if symbol in found:
                raise UserError(
                    f"--data {shown(source)}: {symbol} is in {places[symbol]} already; one file per symbol"
                )
            found[symbol], places[symbol] = recording, shown(source)
    return list(found.values())


def note(text: str) -> None:
    """Tell people what is not as it should be, and no reason to stop."""
    console().print(text, style="yellow", markup=False)


@contextmanager
def reported() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function (what, done, in all) that shows a bar from its first call on; none without a call."""
    bars: dict[str, tuple[Progress, TaskID]] = {}

    def close() -> None:
        for bar, _ in bars.values():
            bar.stop()
        bars.clear()

    def report(what: str, done: int, total: int) -> None:
        if what not in bars:
            close()  # one bar at a time
            bar = progress_bar(what)
            bar.start()
            bars[what] = (bar, bar.add_task("", total=total))
        bar, task = bars[what]
        bar.update(task, completed=done, total=total)

    try:
        yield report
    finally:
        close()
