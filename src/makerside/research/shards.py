"""Shards: the unit of work of a sweep, a list of parameter sets that one call runs together.

How sets are cut into shards decides how fast a sweep is and how much an interruption loses, never what a set
does: a trial shares with the others of its shard only what nobody writes.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from makerside.journal.reader import Journal, heads
from makerside.model.event import event_t
from makerside.model.units import NEVER_NS
from makerside.research.backtest import Simulation, with_fees
from makerside.research.grid import ParameterSet
from makerside.research.replay import actions_sha256
from makerside.research.trial import LEAN_ROWS, SharedMarket, Stopped, Trial, equity_e8
from makerside.research.trial_figures import trial_figures

SETS_MAX = 62  # of a shard: one walk of the tape carries no more
OnRows = Callable[[int], None]


class Stop(Protocol):
    """What says that a sweep is to end; `threading.Event` is one."""

    def is_set(self) -> bool:
        """Return whether it is to end now."""


def cut(sets: Sequence[ParameterSet], workers: int, sets_max: int = SETS_MAX) -> list[tuple[ParameterSet, ...]]:
    """Return the sets in shards: all workers have the same number of shards, as large as they may be.

    workers  : how many shards run at the same time
    sets_max : sets of a shard, at most;  the sizes of any two shards differ by one at most
    """
    if not sets:
        return []
    rounds = math.ceil(len(sets) / (workers * sets_max))
    n = min(len(sets), workers * rounds)
    edges = [len(sets) * i // n for i in range(n + 1)]
    return [tuple(sets[start:stop]) for start, stop in itertools.pairwise(edges)]


def likeness(one: ParameterSet) -> str:
    """Return what decides how a set sees the market: sets that see the same go into the same shard."""
    simulation = one.config.simulation
    return repr((one.config.estimators, simulation.maker_fee_bps, simulation.taker_fee_bps))


def run_shard(
    market: SharedMarket,
    sets: Sequence[ParameterSet],
    stop: Stop | None = None,
    on_rows: OnRows | None = None,
) -> list[Trial]:
    """Run parameter sets over the tape; returns their trials in the order given.

    on_rows : called now and then with the rows of the tape that all sets have passed, of len(tape.events)
    errors  : Stopped when `stop` was set on the way
    """
    trials = []
    for i, one in enumerate(sets):
        trials.append(_run_set(market, one, stop))
        if on_rows is not None:
            on_rows(len(market.tape.events) * (i + 1) // len(sets))
    return trials


def _run_set(market: SharedMarket, one: ParameterSet, stop: Stop | None) -> Trial:
    instruments = [with_fees(instrument, one.config) for instrument in market.tape.instruments]
    simulation = Simulation(one.config, market.tape, instruments)
    simulation.sims["is_lean"] = 1
    block = np.zeros(simulation.reserve + LEAN_ROWS, event_t)
    parts: list[NDArray[Any]] = []
    equity: list[int] = []
    for ts_ns, mids_x2 in zip(market.sample_ns.tolist(), market.mids_x2.tolist(), strict=True):
        _advance(simulation, block, parts, ts_ns)
        equity.append(equity_e8(simulation.engine, mids_x2))
        if stop is not None and stop.is_set():
            raise Stopped
    _advance(simulation, block, parts, NEVER_NS)
    equity[-1] = equity_e8(simulation.engine, market.mids_x2[-1].tolist())
    rows = np.concatenate(parts) if parts else np.zeros(0, event_t)
    journal = Journal(rows, heads(rows))
    figures, markouts = trial_figures(market, simulation.engine, journal)
    return Trial(
        index=one.index,
        settings=one.settings,
        figures=figures,
        markouts=markouts,
        actions_sha256=actions_sha256(journal.actions),
        equity_e8=np.asarray(equity, np.int64),
    )


def _advance(simulation: Simulation, block: NDArray[Any], parts: list[NDArray[Any]], until_ns: int) -> None:
    """Run up to and including a time; keep the rows."""
    simulation.sims["ts_stop_ns"] = until_ns
    while True:
        used = simulation.advance(block)
        if used:
            parts.append(block[:used].copy())
        if used + simulation.reserve < len(block):
            return
