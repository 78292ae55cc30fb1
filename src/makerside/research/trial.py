"""Many parameter sets in one walk over a shared tape: the figures of a backtest of each, without its journal.

The walk is that of `run_backtest`, stopped at equal times to look at the equity; neither where it stops nor
who walks along changes anything, so that actions and money are those of the backtest of the same set, byte
for byte (tested). Of the journal only the fills are kept; a digest stands for the actions. What all sets
share, the tape and the market as the bot sees it, is read by any number of threads at once: the walk does
not hold Python's lock.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.config.tree import Config
from makerside.engine import Engine
from makerside.journal.reader import Journal, heads
from makerside.model.event import Flag, event_t
from makerside.model.run import trace_t
from makerside.model.units import NEVER_NS, NS_PER_S
from makerside.research.accounting import accounting_key
from makerside.research.backtest import Simulation, Tape, block_rows, with_fees
from makerside.research.grid import ParameterSet
from makerside.research.trial_figures import trial_figures
from makerside.sim.records import PITS_MAX

SAMPLE_ROWS = 4_000  # of the tape between two looks at the equity
SAMPLES_MIN, SAMPLES_MAX = 64, 1_000
LEAN_ROWS = 1 << 14  # journal rows of one call, beside the reserve


class Stopped(Exception):
    """The sweep was told to stop; the trial has no result."""


@dataclass(frozen=True, slots=True)
class SharedMarket:
    """What all trials read.

    trace      : (k,) trace_t, the market without us whenever its touch changed
    sample_ns  : (m,) int64, equally spaced local times at which equity is looked at; the last is the end
    mids_x2    : (m, symbols) int64, bid + ask last seen whole then, 0 before the first; the last are the tape's
    sha256     : of the tape
    """

    tape: Tape
    trace: NDArray[Any]
    sample_ns: NDArray[np.int64]
    mids_x2: NDArray[np.int64]
    sha256: str

    @property
    def period_s(self) -> float:
        """Time between two samples."""
        return float(self.sample_ns[1] - self.sample_ns[0]) / NS_PER_S


@dataclass(frozen=True, slots=True)
class Trial:
    """What one parameter set did.

    figures   : counts, and money as exact decimal texts;  markouts : gross bps by horizon in s
    equity_e8 : (m,) int64, cash and unrealised at the sample times, 10^-8
    """

    index: int
    settings: dict[str, Any]
    figures: dict[str, int | str]
    markouts: dict[str, float]
    actions_digest: str
    equity_e8: NDArray[np.int64]

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` is its inverse."""
        return {
            "index": self.index,
            "settings": self.settings,
            "figures": self.figures,
            "markouts": self.markouts,
            "actions_digest": self.actions_digest,
            "equity_e8": self.equity_e8.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Trial":
        """Return the trial that `as_dict` described."""
        return cls(**{**values, "equity_e8": np.asarray(values["equity_e8"], np.int64)})


def share(tape: Tape, config: Config) -> SharedMarket:
    """Return what the trials of a sweep share. config : any of theirs; its strategy is not asked."""
    from makerside.core.trace import trace

    events = tape.events
    engine = Engine(config, tape.instruments, tape.reference_ticks, has_own_in_book=False)
    n_messages = int(np.count_nonzero(events["flags"] & Flag.LAST))
    out = np.zeros(max(1, n_messages * len(tape.instruments)), trace_t)
    lasts = np.zeros(len(tape.instruments), trace_t)
    # Never connected: it looks at the market and does nothing.
    n = trace(events, engine.markets, engine.accounts, engine.traders, engine.desks, lasts, out)
    samples = min(SAMPLES_MAX, max(SAMPLES_MIN, len(events) // SAMPLE_ROWS))
    start_ns, end_ns = tape.start_ns, int(events["ts_local_ns"][-1])
    step_ns = max(1, (end_ns - start_ns) // samples)
    sample_ns = start_ns + step_ns * np.arange(samples + 1, dtype=np.int64)
    seen = out[:n].copy()
    mids_x2 = np.column_stack([_mids_at(seen, i, sample_ns) for i in range(len(tape.instruments))])
    return SharedMarket(tape, seen, sample_ns, mids_x2, hashlib.sha256(events.view(np.uint8).data).hexdigest())


def _mids_at(trace: NDArray[Any], instrument: int, times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return bid + ask as last seen at some times; at the last of them, what was seen last of all."""
    rows = trace[trace["instrument"] == instrument]
    found = np.zeros(len(times_ns), np.int64)
    last = np.searchsorted(rows["ts_local_ns"], times_ns, side="right") - 1
    if len(rows):
        last[-1] = len(rows) - 1
        found = np.where(last >= 0, (rows["bid_ticks"] + rows["ask_ticks"])[last], 0)
    return found


def run_trials(
    sets: Sequence[ParameterSet],
    market: SharedMarket,
    stop: Any | None = None,
    on_rows: Callable[[int], None] | None = None,
) -> list[Trial]:
    """Run sets with as few walks over the tape as can be; trials in the order of the sets.

    on_rows : called now and then with the rows that have been walked since the last call, times sets
    errors  : `Stopped` when the event was set on the way
    """
    groups: dict[bytes, list[int]] = {}
    for i, one in enumerate(sets):
        groups.setdefault(_market_key(one.config, market.tape), []).append(i)
    found: dict[int, Trial] = {}
    for members in groups.values():
        for start in range(0, len(members), PITS_MAX):
            part = members[start : start + PITS_MAX]
            trials = _walk([sets[i] for i in part], market, stop, on_rows)
            found.update(zip(part, trials, strict=True))
    return [found[i] for i in range(len(sets))]


def run_trial(
    config: Config,
    market: SharedMarket,
    index: int,
    settings: dict[str, Any],
    stop: Any | None = None,
) -> Trial:
    """Run one set; `Stopped` when the event was set on the way."""
    return run_trials([ParameterSet(index, settings, config)], market, stop)[0]


def _market_key(config: Config, tape: Tape) -> bytes:
    """Return what decides how a set sees the market: sets of one key share a walk."""
    instruments = tuple(with_fees(instrument, config, tape.start_ns) for instrument in tape.instruments)
    return repr((instruments, config.estimators, accounting_key(config.simulation))).encode()


def _walk(
    sets: Sequence[ParameterSet],
    market: SharedMarket,
    stop: Any | None,
    on_rows: Callable[[int], None] | None,
) -> list[Trial]:
    """Run sets that see the same market in one walk."""
    tape, n = market.tape, len(sets)
    configs = [one.config for one in sets]
    instruments = [[with_fees(one, config, tape.start_ns) for one in tape.instruments] for config in configs]
    simulation = Simulation(configs, tape, instruments, is_lean=True)
    block = np.zeros(block_rows(LEAN_ROWS, n), event_t)
    parts: list[list[NDArray[Any]]] = [[] for _ in sets]
    equity = np.zeros((len(market.sample_ns), n), np.int64)
    done = 0
    samples = zip(market.sample_ns.tolist(), market.mids_x2.tolist(), strict=True)
    for k, (ts_ns, mids_x2) in enumerate(samples):
        is_last = k + 1 == len(equity)
        _advance(simulation, block, parts, NEVER_NS if is_last else ts_ns)
        equity[k] = simulation.equity_e8(mids_x2)
        if stop is not None and stop.is_set():
            raise Stopped
        if on_rows is not None:
            on_rows((simulation.rows_done - done) * n)
            done = simulation.rows_done
    simulation.settle()
    return [_trial(one, simulation, w, parts[w], equity[:, w].copy(), market) for w, one in enumerate(sets)]


def _advance(
    simulation: Simulation, block: NDArray[Any], parts: list[list[NDArray[Any]]], until_ns: int
) -> None:
    """Walk up to and including a time; keep the fills of each world."""
    while True:
        simulation.advance(block, until_ns)
        for kept, rows in zip(parts, simulation.own_rows(block), strict=True):
            if len(rows):
                kept.append(rows.copy())
        if not simulation.is_full:
            return


def _trial(
    one: ParameterSet,
    simulation: Simulation,
    world: int,
    parts: list[NDArray[Any]],
    equity: NDArray[np.int64],
    market: SharedMarket,
) -> Trial:
    """Return what a world did, from its fills and its final state."""
    engine = simulation.engines[world]
    rows = np.concatenate(parts) if parts else np.zeros(0, event_t)
    figures, markouts = trial_figures(market, engine, Journal(rows, heads(rows)))
    return Trial(
        index=one.index,
        settings=one.settings,
        figures=figures,
        markouts=markouts,
        actions_digest=simulation.digest(world),
        equity_e8=equity,
    )
