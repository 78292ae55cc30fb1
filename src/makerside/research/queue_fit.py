"""The queue exponent from our own fills, by maximum likelihood (formulas d-16, last line; mission b3).

A model gives each order a margin at every print at its price: the print less what stands before us, per lot
of which cancels leave the place unknown. The true margin is taken to be off by an error that is one number
per order, normal with mean 0 and an unknown spread s. An order that a print of margin r filled, and that
earlier prints of margin up to p had passed by, has the probability Phi(r / s) - Phi(p / s); one that was
cancelled, or filled by a print through its price, has 1 - Phi(p / s): it is censored. A share of `OUTLIERS`
is noise.

The exponent, the family of power models and s maximise the likelihood over grids. The band is the wider, on
either side, of the profile likelihood's and of a bootstrap over batches of consecutive orders, since orders
that stand in the queue together share their luck. What it assumes and where that is wrong: the truth is near
one of the families; an error of one order does not change while it rests.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from makerside.core.kernel import Record, kernel
from makerside.research.queue_margins import score_paths
from makerside.sim.records import QueueModel, client_order_t

FAMILIES = (QueueModel.POWER, QueueModel.POWER2, QueueModel.POWER3)
EXPONENT_MIN, EXPONENT_MAX = 0.05, 20.0
COARSE, FINE = 33, 49  # exponents of a grid
SPREADS = np.geomspace(0.004, 2.0, 16)
OUTLIERS = 0.02
DROP_95 = 1.9207  # half the 95 % quantile of chi-squared with one degree of freedom
BATCHES = 40
RESAMPLES = 400
INFORMATIVE_NEEDED = 40  # orders whose fill depends on the exponent
CHUNK = 250  # orders between two looks at progress and Ctrl-C
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Paths:
    """Orders and their paths of one market, as `queue_paths.paths_of` gives them."""

    orders: NDArray[Any]
    path: NDArray[Any]
    slack_ns: int
    lot_size: float  # one lot in coins: the log models count in them


@dataclass(frozen=True, slots=True)
class Margins:
    """Margins by order and exponent: (n, g) each; see `queue_margins.score_paths`."""

    passed: NDArray[np.float64]
    reached: NDArray[np.float64]

    @property
    def is_informative(self) -> NDArray[np.bool_]:
        """Whether the exponents disagree about what happens to an order: (n,)."""
        # Without a print at the price, or where a forced fill hides it, both sides are -inf for all.
        fills = (np.maximum(self.passed, self.reached) > 0).sum(axis=1)
        early = (self.passed > 0).sum(axis=1)
        size = self.passed.shape[1]
        found: NDArray[np.bool_] = ((fills > 0) & (fills < size)) | ((early > 0) & (early < size))
        return found

    def fills_at(self, exponents: NDArray[np.float64], exponent: float) -> int:
        """Return how many orders the model fills while we see them, at one of the exponents."""
        at = int(np.argmin(np.abs(exponents - exponent)))
        return int((np.maximum(self.passed[:, at], self.reached[:, at]) > 0).sum())


@dataclass(frozen=True, slots=True)
class QueueFit:
    """A fitted queue model.

    low, middle, high : exponents, the ends of the 95 % band and the best
    slow, fast        : the end of the band that fills fewer of these orders, and the one that fills more
    spread            : s, of the errors of the margins
    n_orders          : with a path; n_filled: of them filled by a print at their price
    n_informative     : orders whose fill depends on the exponent
    behind            : log-likelihood that other models lose against the best, by name
    is_open           : whether an end of the band is an end of the grid: it may lie further out
    """

    family: QueueModel
    low: float
    middle: float
    high: float
    slow: float
    fast: float
    spread: float
    n_orders: int
    n_filled: int
    n_informative: int
    behind: dict[str, float]
    is_open: bool


def fit_queue(
    markets: list[Paths], seed: int = 1, on_progress: Progress | None = None
) -> tuple[QueueFit | None, int]:
    """Return the fit, None when there is too little to go by, and the number of informative orders.

    seed        : of the bootstrap
    on_progress : called with (orders done, orders in all); Ctrl-C inside or between calls ends it
    """
    total = sum(len(one.orders) for one in markets) * (len(FAMILIES) + 2)
    meter = _Meter(on_progress, total)
    coarse = np.geomspace(EXPONENT_MIN, EXPONENT_MAX, COARSE)
    margins = {family: _margins(markets, family, coarse, meter) for family in FAMILIES}
    informative = np.any([one.is_informative for one in margins.values()], axis=0)
    if informative.sum() < INFORMATIVE_NEEDED:
        return None, int(informative.sum())
    tables = {family: _table(one) for family, one in margins.items()}
    family = max(tables, key=lambda one: float(tables[one].sum(axis=0).max()))
    low, _, high = _band(tables[family], coarse, seed)
    step = coarse[1] / coarse[0]
    low, high = max(EXPONENT_MIN, low / step), min(EXPONENT_MAX, high * step)
    fine = np.geomspace(low, high, FINE)
    found = _margins(markets, family, fine, meter)
    table = _table(found)
    low, middle, high = _band(table, fine, seed)
    total_by_cell = table.sum(axis=0)
    best = float(total_by_cell.max())
    behind = {
        one.name.lower(): best - float(tables[one].sum(axis=0).max()) for one in FAMILIES if one != family
    }
    for plain in (QueueModel.RISK_AVERSE, QueueModel.LOG_PROB, QueueModel.LOG2):
        other = _table(_margins(markets, plain, np.ones(1), _Meter(None, 1)))
        behind[plain.name.lower()] = best - float(other.sum(axis=0).max())
    ends = (low, high)
    fills = (found.fills_at(fine, low), found.fills_at(fine, high))
    is_rising = fills[0] < fills[1] or (fills[0] == fills[1] and family == QueueModel.POWER2)
    slow, fast = ends if is_rising else ends[::-1]
    fit = QueueFit(
        family=family,
        low=low,
        middle=middle,
        high=high,
        slow=slow,
        fast=fast,
        spread=float(SPREADS[np.unravel_index(total_by_cell.argmax(), total_by_cell.shape)[1]]),
        n_orders=len(informative),
        n_filled=int((found.reached > -math.inf).any(axis=1).sum()),
        n_informative=int(informative.sum()),
        behind=behind,
        is_open=bool(low <= EXPONENT_MIN * 1.001 or high >= EXPONENT_MAX / 1.001),
    )
    return fit, int(informative.sum())


class _Meter:
    """Counts orders over several passes."""

    def __init__(self, on_progress: Progress | None, total: int) -> None:
        self.on_progress, self.total, self.done = on_progress, total, 0

    def add(self, n: int) -> None:
        """Say that n more are done."""
        self.done = min(self.total, self.done + n)
        if self.on_progress is not None:
            self.on_progress(self.done, self.total)


def _margins(markets: list[Paths], model: QueueModel, exponents: NDArray[np.float64], meter: _Meter) -> Margins:
    parts = [_market_margins(one, model, exponents, meter) for one in markets]
    return Margins(np.concatenate([one[0] for one in parts]), np.concatenate([one[1] for one in parts]))


def _market_margins(
    market: Paths, model: QueueModel, exponents: NDArray[np.float64], meter: _Meter
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shape = (len(market.orders), len(exponents))
    passed, reached = np.full(shape, -math.inf), np.full(shape, -math.inf)
    scratch = np.zeros(1, client_order_t)
    for first in range(0, len(market.orders), CHUNK):
        last = min(first + CHUNK, len(market.orders))
        start, end = np.searchsorted(market.path["order"], [first, last])
        path = market.path[start:end]
        score_paths(
            path,
            market.orders,
            market.slack_ns,
            int(model),
            exponents,
            market.lot_size,
            passed,
            reached,
            scratch,
        )
        meter.add(last - first)
    return passed, reached


def _table(margins: Margins) -> NDArray[np.float64]:
    """Return log-likelihoods by order, exponent and spread: (n, g, s)."""
    passed, reached = margins.passed, margins.reached
    out = np.zeros((*passed.shape, len(SPREADS)))
    _fill_table(np.ascontiguousarray(passed), np.ascontiguousarray(reached), SPREADS, OUTLIERS, out)
    return out


@kernel
def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x * 0.7071067811865476)


_MATRIX = types.Array(types.float64, 2, "C")


@kernel(
    types.void(
        _MATRIX,
        _MATRIX,
        types.Array(types.float64, 1, "C"),
        types.float64,
        types.Array(types.float64, 3, "C"),
    )
)
def _fill_table(passed: Record, reached: Record, spreads: Record, outliers: float, out: Record) -> None:
    n, size = passed.shape
    for i in range(n):
        for g in range(size):
            for s in range(len(spreads)):
                before = _normal(passed[i, g] / spreads[s])
                likely = 1.0 - before
                if reached[i, g] > -math.inf:
                    likely = max(0.0, _normal(reached[i, g] / spreads[s]) - before)
                elif passed[i, g] == -math.inf:
                    continue  # no print ever came near: it says nothing
                out[i, g, s] = math.log((1.0 - outliers) * likely + 0.5 * outliers)


def _band(table: NDArray[np.float64], exponents: NDArray[np.float64], seed: int) -> tuple[float, float, float]:
    """Return the 95 % band of the exponent and the best one: (low, middle, high)."""
    size = len(exponents)
    total = table.sum(axis=0)
    profile = total.max(axis=1)
    inside = np.flatnonzero(profile >= profile.max() - DROP_95)
    # Where many exponents are as good as the best, the middle of them is the best.
    ties = np.flatnonzero(profile >= profile.max() - 1e-9)
    best = ties[len(ties) // 2]
    batches = np.array([part.sum(axis=0) for part in np.array_split(table, min(BATCHES, len(table)))])
    draws = np.random.default_rng(seed).multinomial(len(batches), [1 / len(batches)] * len(batches), RESAMPLES)
    drawn = (draws @ batches.reshape(len(batches), -1)).reshape(RESAMPLES, size, -1).max(axis=2).argmax(axis=1)
    low = min(int(inside[0]), int(np.quantile(drawn, 0.025, method="lower")))
    high = max(int(inside[-1]), int(np.quantile(drawn, 0.975, method="higher")))
    # A grid's point stands for all up to its neighbours.
    low, high = max(0, low - 1), min(size - 1, high + 1)
    return float(exponents[low]), float(exponents[best]), float(exponents[high])
