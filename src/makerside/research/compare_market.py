"""Does the synthetic market treat our quotes like the recording does? Fill rate and markouts of both.

The same configuration runs over the recording and over synthetic rows with the same latencies and queue
model; what differs is the market alone.
"""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from makerside.config.tree import Config
from makerside.journal.reader import read_journal
from makerside.journal.recording import Recording
from makerside.journal.writer import JournalWriter
from makerside.model.instrument import Instrument
from makerside.model.run import JOURNAL_NAME
from makerside.research.backtest import first_mid_ticks, run_backtest
from makerside.research.facts import facts_of
from makerside.runtime.run import RunRecord


@dataclass(frozen=True, slots=True)
class QuoteFacts:
    """How a market treated a configuration's quotes. Markouts are gross, in our favour when positive."""

    fills_per_minute: float
    volume_usd_per_minute: float
    rejected_share: float
    markout_bps_1s: float
    markout_bps_5s: float
    markout_bps_10s: float


def quote_facts(config: Config, events: NDArray[Any], instrument: Instrument) -> QuoteFacts:
    """Return what a configuration met on market rows. events : (n,) event_t, instrument index 0"""
    rows = events.copy()
    rows["instrument"] = 0
    recording = Recording(Path("rows"), instrument, rows)
    record = RunRecord("backtest", config, [instrument], [first_mid_ticks(rows, 0)], False, {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / JOURNAL_NAME
        with JournalWriter(path) as journal:
            result = run_backtest(config, [recording], journal)
        facts = facts_of(record, read_journal(path))
    minutes = recording.duration_ns / 6e10
    trader = result.engine.traders[0]
    markouts = {one.horizon_s: one.gross_bps for one in facts.markouts}
    return QuoteFacts(
        fills_per_minute=len(facts.fills) / minutes,
        volume_usd_per_minute=float(facts.money[0].volume) / minutes,
        rejected_share=float(trader["n_rejects"]) / max(1, int(trader["n_placed"])),
        markout_bps_1s=markouts[1.0],
        markout_bps_5s=markouts[5.0],
        markout_bps_10s=markouts[10.0],
    )


def mean_quote_facts(found: list[QuoteFacts]) -> QuoteFacts:
    """Return the mean over several stretches."""
    first = found[0]
    sums = {name: sum(getattr(one, name) for one in found) / len(found) for name in first.__slots__}
    return replace(first, **sums)
