"""Shards: the unit of work of a sweep, a list of parameter sets that one call runs together.

How sets are cut into shards decides how fast a sweep is and how much an interruption loses, never what a set
does: a trial shares with the others of its shard only what nobody writes.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Protocol

from makerside.research.grid import ParameterSet
from makerside.research.trial import SharedMarket, Trial, run_trials

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
    done = 0

    def passed(rows_x_sets: int) -> None:
        nonlocal done
        done += rows_x_sets
        if on_rows is not None:
            on_rows(done // len(sets))

    return run_trials(sets, market, stop, passed)
