"""Backtest: a recording through the compiled loop, with the outputs of a live run.

The journal is written by the loop itself, block by block, so that `replay`, the report and every
later analysis read a backtest like any other run.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.config.tree import Config
from makerside.engine import Engine, opening_rows
from makerside.journal.reader import Journal, heads
from makerside.journal.recording import Recording, merge
from makerside.journal.writer import JournalWriter
from makerside.model.event import DETAIL_ROWS, FIRST_ACTION, Flag, Kind, event_t
from makerside.model.instrument import Instrument
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


@dataclass(frozen=True, slots=True)
class Tape:
    """Recordings merged, one symbol each, as any number of simulations may read them at once.

    events : (n,) event_t by local time;  order : (n,) int64, its indices by venue time
    """

    instruments: list[Instrument]
    reference_ticks: list[int]
    events: NDArray[Any]
    order: NDArray[np.int64]

    @classmethod
    def of(cls, recordings: list[Recording], feed_ms: float) -> "Tape":
        """Return the tape of recordings. feed_ms : added to the recordings' own time from venue to us"""
        events = merge(recordings, round(feed_ms * NS_PER_MS), may_share=True)
        instruments = [recording.instrument for recording in recordings]
        reference = [first_mid_ticks(events, i) for i in range(len(instruments))]
        return cls(instruments, reference, events, venue_order(events))

    @property
    def start_ns(self) -> int:
        """Local time of the first row."""
        return int(self.events["ts_local_ns"][0])


class Simulation:
    """One configuration on a tape, run piece by piece.

    instruments : those of the tape, perhaps with other fees
    """

    def __init__(self, config: Config, tape: Tape, instruments: list[Instrument]) -> None:
        from makerside.model.desk import ACTIONS_CAPACITY
        from makerside.sim.loop import INBOX_ROWS, MESSAGE_ROWS_MAX, simulate

        settings = config.simulation
        self.tape = tape
        self.engine = Engine(config, instruments, tape.reference_ticks, has_own_in_book=False)
        self.opening = opening_rows(1, settings.cash_usd, tape.start_ns)
        self.engine.step(self.opening)
        self.sims = make_simulation(
            round(settings.entry_ms * NS_PER_MS),
            round(settings.response_ms * NS_PER_MS),
            round(config.pacing.timer_ms * NS_PER_MS),
            tape.start_ns,
        )
        self.reserve = MESSAGE_ROWS_MAX + 2 * ACTIONS_CAPACITY + INBOX_ROWS  # rows that a block needs at least
        self._exchanges = make_exchanges(instruments, settings.queue, settings.queue_exponent)
        self._inbox = np.zeros(INBOX_ROWS, event_t)
        self._simulate = simulate

    @property
    def is_done(self) -> bool:
        """Whether the tape has ended."""
        return bool(self.sims["is_done"][0])

    def advance(self, block: NDArray[Any]) -> int:
        """Run until a journal block is full, or what `sims` says; returns its rows used."""
        engine = self.engine
        return int(
            self._simulate(
                self.tape.events,
                self.tape.order,
                self._exchanges,
                self.sims,
                engine.markets,
                engine.accounts,
                engine.traders,
                engine.desks,
                self._inbox,
                block,
            )
        )


def with_fees(instrument: Instrument, config: Config) -> Instrument:
    """Return an instrument with the configured fees where it has none: a data file does not know them."""
    if instrument.taker_fee:
        return instrument
    return replace(
        instrument,
        maker_fee=Decimal(repr(config.simulation.maker_fee_bps)) / 10_000,
        taker_fee=Decimal(repr(config.simulation.taker_fee_bps)) / 10_000,
    )


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
    tape = Tape.of(recordings, config.simulation.feed_ms)
    simulation = Simulation(config, tape, tape.instruments)
    journal.append(simulation.opening)
    size = BLOCK_ROWS + simulation.reserve
    is_complete = True
    try:
        while not simulation.is_done:
            journal.commit(simulation.advance(journal.block(size)[:size]))
            if on_progress is not None:
                on_progress(int(simulation.sims["i_local"][0]), len(tape.events))
        journal.seal(simulation.engine.state_bytes())
    except KeyboardInterrupt:  # perhaps between a block and its count: the state may be ahead of the journal
        is_complete = False
    return BacktestResult(simulation.engine, int(simulation.sims["n_actions"][0]), is_complete)


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
