"""Backtest: a recording through the compiled loop, with the outputs of a live run.

The journal is written by the loop itself, block by block, so that `replay`, the report and every
later analysis read a backtest like any other run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.config.tree import Config
from makerside.engine import Engine, opening_rows
from makerside.journal.reader import Journal, heads
from makerside.journal.recording import Recording, merge
from makerside.journal.writer import JournalWriter
from makerside.model.event import DETAIL_ROWS, FIRST_ACTION, Flag, Kind, event_t
from makerside.model.units import NS_PER_MS
from makerside.net.clock import stopwatch_ns
from makerside.runtime.run import RunRecord
from makerside.sim.build import make_exchanges, make_simulation

TIMED_MESSAGES = 20_000
BLOCK_ROWS = 1 << 19  # journal rows between two looks at progress and Ctrl-C
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """What a backtest leaves in memory; everything else is in its journal."""

    engine: Engine
    n_actions: int
    is_complete: bool  # False: it was interrupted


def first_mid_ticks(events: NDArray[Any], instrument: int) -> int:
    """Return a price near the start of a tape: the median of its first hundred prices."""
    rows = events[events["instrument"] == instrument]
    prices = rows["price_ticks"][(rows["price_ticks"] > 0) & (rows["kind"] <= Kind.BBO)][:100]
    return int(np.median(prices))


def venue_order(tape: NDArray[Any]) -> NDArray[np.int64]:
    """Return the indices of a tape in venue time; rows of one time keep their order."""
    times = tape["ts_venue_ns"]
    if (times[1:] >= times[:-1]).all():
        return np.arange(len(tape), dtype=np.int64)
    return np.argsort(times, kind="stable").astype(np.int64)


def run_backtest(
    config: Config,
    recordings: list[Recording],
    journal: JournalWriter,
    on_progress: Progress | None = None,
) -> BacktestResult:
    """Run a configuration over recordings, one symbol each, and write its journal.

    on_progress : called with (rows done, rows in all) between blocks; KeyboardInterrupt inside a call
                  or between blocks ends the run early, with all files in order
    """
    from makerside.model.desk import ACTIONS_CAPACITY
    from makerside.sim.loop import INBOX_ROWS, MESSAGE_ROWS_MAX, simulate

    tape = merge(recordings)
    tape["ts_local_ns"] += round(config.simulation.feed_ms * NS_PER_MS)
    instruments = [recording.instrument for recording in recordings]
    reference = [first_mid_ticks(tape, i) for i in range(len(instruments))]
    engine = Engine(config, instruments, reference, has_own_in_book=False)
    start_ns = int(tape["ts_local_ns"][0])
    opening = opening_rows(1, config.simulation.cash_usd, start_ns)
    engine.step(opening)
    journal.append(opening)
    exchanges = make_exchanges(instruments, config.simulation.queue)
    settings = config.simulation
    sims = make_simulation(
        round(settings.entry_ms * NS_PER_MS),
        round(settings.response_ms * NS_PER_MS),
        round(config.pacing.timer_ms * NS_PER_MS),
        start_ns,
    )
    order = venue_order(tape)
    inbox = np.zeros(INBOX_ROWS, event_t)
    reserve = MESSAGE_ROWS_MAX + 2 * ACTIONS_CAPACITY + INBOX_ROWS
    is_complete = True
    try:
        while sims["is_done"][0] == 0:
            block = journal.block(BLOCK_ROWS + reserve)[: BLOCK_ROWS + reserve]
            used = simulate(
                tape,
                order,
                exchanges,
                sims,
                engine.markets,
                engine.accounts,
                engine.traders,
                engine.desks,
                inbox,
                block,
            )
            journal.commit(used)
            if on_progress is not None:
                on_progress(int(sims["i_local"][0]), len(tape))
        journal.seal(engine.state_bytes())
    except KeyboardInterrupt:  # perhaps between a block and its count: the state may be ahead of the journal
        is_complete = False
    return BacktestResult(engine, int(sims["n_actions"][0]), is_complete)


def time_decisions(record: RunRecord, journal: Journal, messages: int = TIMED_MESSAGES) -> NDArray[np.int64]:
    """Return how long `step` takes per message when it is called from Python, as a live run calls it: ns.

    Feeds the first messages of a journal to a fresh engine, one call each; all of it in one compiled loop
    cannot be timed from inside.
    """
    events = journal.rows[: 64 * messages].copy()
    is_head = heads(events)
    is_last = is_head & ((events["flags"] & Flag.LAST) != 0) & (events["kind"] < FIRST_ACTION)
    is_action = is_head & (events["kind"] >= FIRST_ACTION)
    engine = record.engine()
    taken: list[int] = []
    start = 0
    for end in np.flatnonzero(is_last)[:messages].tolist():
        stop = end + 1 + int(DETAIL_ROWS[events["kind"][end]])
        rows = events[start:stop]
        while len(rows) and is_action[start]:
            start += 2
            rows = events[start:stop]
        if stop > len(events):
            break
        begun = stopwatch_ns()
        engine.step(rows)
        taken.append(stopwatch_ns() - begun)
        start = stop
    return np.asarray(taken, np.int64)
