"""Walk-forward of a sweep: choose the best set by the past, trade it on, again and again (formulas d-21).

What the best of a sweep earned was earned by looking at all of the data. A walk-forward looks at the past
only: it asks what choosing is worth, not what the chosen is worth. Between the past and the test some time is
left out, so that no position is in both: as much as positions were held (purge), and as much again (embargo),
for what our own trading moved.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from makerside.research.performance import moments
from makerside.research.selection import Fold, probabilistic_sharpe, sharpes_of, walk_forward

TESTS = 5
TRAIN_TESTS = 3  # a rolling training is as long as so many tests
TEST_MIN = 4  # periods; shorter tests say nothing
BOTH = (False, True)


@dataclass(frozen=True, slots=True)
class Step:
    """One test of a walk-forward.

    chosen     : column of the set with the best Sharpe ratio in training
    net_usd    : what it made in the test;  median_usd : what the middle one of all sets made there
    better_than : share of the other sets that made less
    """

    fold: Fold
    chosen: int
    net_usd: float
    median_usd: float
    better_than: float


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk-forward. steps are empty when it does not fit into the data: `reason` says why.

    purge, embargo : periods left out before each test, each at least `held`
    held           : periods that the chosen sets held a position on average, the longest of them
    probability    : that the Sharpe ratio of all tests together is above 0
    """

    is_anchored: bool
    purge: int
    embargo: int
    held: float
    steps: tuple[Step, ...]
    net_usd: float
    sharpe: float
    probability: float
    reason: str

    @property
    def name(self) -> str:
        """Return what this kind is called."""
        return "anchored" if self.is_anchored else "rolling"


def walk(
    returns: NDArray[np.float64], equity_usd: NDArray[np.float64], held: NDArray[np.float64], is_anchored: bool
) -> Walk:
    """Return the walk-forward of a sweep.

    returns    : (periods, sets);  equity_usd : (periods + 1, sets)
    held       : (sets,) periods, how long each set held its positions on average
    is_anchored: train from the beginning, not on the last TRAIN_TESTS tests only

    What is left out depends on who is chosen, and who is chosen on what is left out: the gap grows until it is
    enough for everybody who is chosen.
    """
    gap = 1
    while True:
        found = _folds(len(returns), gap, is_anchored)
        if not found:
            longest = f"{gap:,} of the {len(returns):,} periods"
            reason = (
                f"positions are held too long for these data: {longest}, twice before each test, leave no room"
            )
            return Walk(is_anchored, gap, gap, float(gap), (), math.nan, math.nan, math.nan, reason)
        chosen = [int(sharpes_of(returns[fold.train_start : fold.train_stop]).argmax()) for fold in found]
        longest_held = float(held[chosen].max())
        if longest_held <= gap:
            break
        gap = math.ceil(longest_held)
    steps = tuple(_step(fold, column, equity_usd) for fold, column in zip(found, chosen, strict=True))
    parts = [returns[s.fold.test_start : s.fold.test_stop, s.chosen] for s in steps]
    together = np.concatenate(parts)
    sharpe = float(sharpes_of(together[:, None])[0])
    probability = probabilistic_sharpe(sharpe, 0.0, len(together), *moments(together))
    net_usd = sum(step.net_usd for step in steps)
    return Walk(
        is_anchored, gap, gap, longest_held, steps, net_usd, sharpe, probability, _reason(net_usd, is_anchored)
    )


def _folds(periods: int, gap: int, is_anchored: bool) -> list[Fold]:
    """Return TESTS folds of equal tests, up to the end of the data; none when they would be too short."""
    test = (periods - 2 * gap) // (TESTS + TRAIN_TESTS)
    if test < TEST_MIN:
        return []
    train = periods - 2 * gap - TESTS * test
    return walk_forward(periods, train, test, purge=gap, embargo=gap, is_anchored=is_anchored)


def _step(fold: Fold, chosen: int, equity_usd: NDArray[np.float64]) -> Step:
    nets = equity_usd[fold.test_stop] - equity_usd[fold.test_start]
    others = max(1, len(nets) - 1)
    return Step(
        fold,
        chosen,
        float(nets[chosen]),
        float(np.median(nets)),
        float((nets < nets[chosen]).sum()) / others,
    )


def _reason(net_usd: float, is_anchored: bool) -> str:
    """Return what this speaks against a winner, empty when nothing."""
    if net_usd > 0:
        return ""
    name = "all of the past" if is_anchored else "the recent past"
    return f"chosen by {name}, the best made {net_usd:+,.2f} USD in the {TESTS} tests that followed"
