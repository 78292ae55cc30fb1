"""Backtest: a recording through the compiled loop, with the outputs of a live run.

The journal is written by the loop itself, block by block, so that `replay`, the report and every
later analysis read a backtest like any other run.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.config.tree import Config, SimulationConfig
from makerside.core.digest import digest_text
from makerside.engine import Engine, opening_rows
from makerside.journal.reader import Journal, heads
from makerside.journal.recording import Recording, merge
from makerside.journal.writer import JournalWriter
from makerside.model.event import DETAIL_ROWS, FIRST_ACTION, Flag, Kind
from makerside.model.instrument import Instrument
from makerside.model.price import merge_prices, price_t
from makerside.model.units import NEVER_NS, NS_PER_MS
from makerside.net.clock import stopwatch_ns
from makerside.research.accounting import make_accounting, with_rule_fees
from makerside.runtime.run import RunRecord, latency_of
from makerside.sim.build import WorldSettings, make_walk
from makerside.sim.latency import delay_feed, make_latency
from makerside.sim.perp_build import add_accounting
from makerside.sim.perp_records import funding_rate_t
from makerside.sim.records import IN_ORDER, row_t

TIMED_MESSAGES = 20_000
BLOCK_ROWS = 1 << 19  # journal rows between two looks at progress and Ctrl-C
Progress = Callable[[int, int], None]
AS_IT_LIES = np.array([IN_ORDER], np.int64)  # a tape that is in order of venue time needs no list of its rows


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
    """Return the indices of a tape's book rows and prints in venue time; rows of one time keep their order."""
    is_house = np.isin(tape["kind"], (Kind.DELTA, Kind.SNAPSHOT, Kind.TRADE, Kind.BBO))
    is_house[1:] &= tape["kind"][:-1] != Kind.PRICES  # what follows one is its continuation
    where = np.flatnonzero(is_house)
    times = tape["ts_venue_ns"][where]
    if (times[1:] >= times[:-1]).all():
        return where
    return where[np.argsort(times, kind="stable")]


def order_at_venue(tape: NDArray[Any]) -> NDArray[np.int64]:
    """Return `venue_order`, or AS_IT_LIES when that is every row, one after the other."""
    from makerside.sim.loop import is_in_order

    return AS_IT_LIES if is_in_order(tape) else venue_order(tape)


@dataclass(frozen=True, slots=True)
class Tape:
    """Recordings merged, one symbol each, as any number of simulations may read them at once.

    events : (n,) event_t by local time;  order : (n,) int64, its indices by venue time
    prices : (k,) price_t by venue time, for the simulated venue alone
    """

    instruments: list[Instrument]
    reference_ticks: list[int]
    events: NDArray[Any]
    order: NDArray[np.int64]
    prices: NDArray[Any] = field(default_factory=lambda: np.zeros(0, price_t))

    @classmethod
    def of(cls, recordings: list[Recording], simulation: SimulationConfig | None = None) -> "Tape":
        """Return the tape of recordings.

        simulation : its feed leg is added to the recordings' own time from venue to us; None adds nothing
        """
        if simulation is not None and simulation.feed_quantiles_ms:
            events = merge(recordings, may_share=False)
            delay_feed(make_latency(simulation), events)
        else:
            feed_ms = 0.0 if simulation is None else simulation.feed_ms
            events = merge(recordings, round(feed_ms * NS_PER_MS), may_share=True)
        instruments = [recording.instrument for recording in recordings]
        reference = [first_mid_ticks(events, i) for i in range(len(instruments))]
        prices = merge_prices([recording.prices for recording in recordings])
        return cls(instruments, reference, events, order_at_venue(events), prices)

    @property
    def start_ns(self) -> int:
        """Local time of the first row."""
        return int(self.events["ts_local_ns"][0])


class Simulation:
    """One or many configurations on a tape, walked piece by piece; each has an engine of its own.

    configs, instruments : by world; the tape's instruments, perhaps with other fees. The markets that they
                           see must be the same (`shares_market`)
    is_lean              : no journal; see `sim.records.walk_t`
    """

    def __init__(
        self, configs: list[Config], tape: Tape, instruments: list[list[Instrument]], is_lean: bool = False
    ) -> None:
        from makerside.sim.loop import simulate

        self.tape = tape
        self.engines = [
            Engine(config, ours, tape.reference_ticks, has_own_in_book=False)
            for config, ours in zip(configs, instruments, strict=True)
        ]
        self.opening = opening_rows(1, configs[0].simulation.cash_usd, tape.start_ns)
        settings = []
        for config, ours, engine in zip(configs, instruments, self.engines, strict=True):
            engine.step(opening_rows(1, config.simulation.cash_usd, tape.start_ns))
            settings.append(_world_settings(config, ours))
        self.engine = self.engines[0]
        self.walk = make_walk(settings, tape.start_ns, is_lean)
        self._rates = np.zeros(0, funding_rate_t)
        accounting = make_accounting(configs, instruments, tape.start_ns)
        if accounting is not None:
            add_accounting(self.walk, accounting, tape.start_ns)
            self._rates = accounting.rates
        self._accounts = np.concatenate([engine.accounts for engine in self.engines])
        self._traders = np.concatenate([engine.traders for engine in self.engines])
        self._simulate = simulate

    @property
    def is_done(self) -> bool:
        """Whether the tape has ended."""
        return bool(self.walk.walks[0]["is_done"])

    @property
    def is_full(self) -> bool:
        """Whether the last `advance` stopped because its block was full: it goes on when it is called again."""
        return bool(self.walk.walks[0]["is_full"])

    @property
    def rows_done(self) -> int:
        """Rows of the tape that the traders have seen."""
        return int(self.walk.walks[0]["i_local"])

    def advance(self, block: NDArray[Any], until_ns: int = NEVER_NS) -> int:
        """Walk until a journal block is full, or up to and including a local time; returns its rows used.

        In a lean walk each world has its own part of the block, of which `worlds["n_rows"]` are used.
        """
        walk, engine = self.walk, self.engine
        walk.walks[0]["ts_stop_ns"] = until_ns
        return int(
            self._simulate(
                self.tape.events,
                self.tape.order.view(row_t),
                self.tape.prices,
                self._rates,
                walk.houses,
                walk.pits,
                walk.worlds,
                walk.walks,
                engine.markets,
                self._accounts,
                self._traders,
                engine.desks,
                block,
            )
        )

    def own_rows(self, block: NDArray[Any]) -> list[NDArray[Any]]:
        """Return what the last `advance` of a lean walk wrote, by world: views of the block."""
        size = len(block) // len(self.engines)
        used = self.walk.worlds["n_rows"].tolist()
        return [block[w * size : w * size + n] for w, n in enumerate(used)]

    def digest(self, world: int = 0) -> str:
        """Return the digest of all actions of a world so far; see `core.digest`."""
        return digest_text(self.walk.worlds[world]["digest"])

    def equity_e8(self, mids_x2: list[int]) -> NDArray[np.int64]:
        """Return cash and unrealised PnL by world, rounded down to 10^-8: (p,) int64.

        mids_x2 : bid + ask of each symbol when both sides were there last: the book may be empty now
        """
        total_x2 = 2 * self._accounts["cash_e8"]
        for i, mid_x2 in enumerate(mids_x2):
            position = self._accounts["positions"][:, i]
            held, cost = position["position_lots"], position["cost_e8"]
            total_x2 += held * mid_x2 * position["unit_value_e8"] - 2 * np.sign(held) * cost
        equity: NDArray[np.int64] = total_x2 // 2
        return equity

    def settle(self) -> None:
        """Bring the engines to where the walk is; before that they are where it began."""
        n = len(self.engine.traders)
        for w, engine in enumerate(self.engines):
            engine.accounts[:] = self._accounts[w : w + 1]
            engine.traders[:] = self._traders[w * n : (w + 1) * n]
            if w > 0:
                engine.markets[:] = self.engine.markets


def block_rows(rows: int, n_worlds: int = 1) -> int:
    """Return the size of a journal block that takes so many rows of each world at least."""
    from makerside.sim.walk_traders import MESSAGE_ROWS_MAX, OWN_ROWS_MIN

    return n_worlds * (rows + OWN_ROWS_MIN) + (MESSAGE_ROWS_MAX if n_worlds == 1 else 0)


def _world_settings(config: Config, instruments: list[Instrument]) -> WorldSettings:
    simulation = config.simulation
    return WorldSettings(
        instruments=instruments,
        queue=simulation.queue,
        queue_exponent=simulation.queue_exponent,
        latency=latency_of(config),
        timer_ns=round(config.pacing.timer_ms * NS_PER_MS),
        is_timed=config.pacing.decide_on == "timer",
    )


def with_fees(instrument: Instrument, config: Config, start_ns: int | None = None) -> Instrument:
    """Return an instrument with the configured fees where it has none: a data file does not know them.

    start_ns : of the tape; its day decides where the configuration asks for the venue's own fees
    """
    if config.simulation.fees == "rule":
        assert start_ns is not None
        return with_rule_fees(instrument, config.simulation, start_ns)
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
    tape = Tape.of(recordings, config.simulation)
    simulation = Simulation([config], tape, [tape.instruments])
    journal.append(simulation.opening)
    size = block_rows(BLOCK_ROWS)
    is_complete = True
    try:
        while not simulation.is_done:
            journal.commit(simulation.advance(journal.block(size)[:size]))
            if on_progress is not None:
                on_progress(simulation.rows_done, len(tape.events))
        simulation.settle()
        journal.seal(simulation.engine.state_bytes())
    except KeyboardInterrupt:  # perhaps between a block and its count: the state may be ahead of the journal
        is_complete = False
        simulation.settle()
    return BacktestResult(simulation.engine, int(simulation.walk.worlds["n_actions"][0]), is_complete)


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
