"""Intervals of A and k: what the estimator of `core/estimators/intensity.py` does not know about itself.

The estimator keeps, per bucket of distance, in how many windows the deepest market order ended there. Windows
are independent, so that these counts are multinomial; A and k are smooth functions of them, and the delta
method turns the covariance of the counts into that of ln A and ln k. Decayed counts weigh windows unequally:
sum w^2 / sum w is what that costs.

Where it is wrong: windows of a market that has moods are not independent, and the interval is too narrow.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.core.estimators.intensity import (
    HITS_NEEDED,
    K_MIN_PER_BUCKET,
    POINTS_NEEDED,
    ROUNDING,
    SHARE_MAX,
)
from makerside.model.units import NS_PER_S

NUDGE = 1e-4  # of a count, for the derivative
_Z_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class IntensityInterval:
    """A and k with 95 % intervals; a_per_s per side, k_per_tick; each (low, value, high)."""

    a_per_s: tuple[float, float, float]
    k_per_tick: tuple[float, float, float]


def intensity_interval(flow: Any, step_ticks: int = 1) -> IntensityInterval | None:
    """Return A and k of the present counts with their intervals; None when the counts cannot be fitted.

    flow       : intensity_t, scalar record
    step_ticks : distance between two prices near the mid
    """
    hits = np.asarray(flow["hits"], np.float64)
    windows = float(flow["weight"])
    if windows <= 0.0:
        return None
    distances = _nearest_ticks(flow, len(hits), step_ticks)
    window_s = 2.0 * float(flow["seconds"]) / windows
    beyond = hits[::-1].cumsum()[::-1]
    used = (beyond >= HITS_NEEDED) & (beyond / windows <= SHARE_MAX)
    if used.sum() < POINTS_NEEDED:
        return None
    nudges = NUDGE * np.diag(hits + 1.0)
    found = _fit(np.vstack([hits, hits + nudges, hits - nudges]), windows, window_s, distances, used)
    if not found[0, 1] * float(flow["bucket_ticks"]) >= K_MIN_PER_BUCKET:
        return None
    up, down = found[1 : 1 + len(hits)], found[1 + len(hits) :]
    slopes = (up - down) / (2.0 * np.diag(nudges))[:, None]
    counts = (np.diag(hits) - np.outer(hits, hits) / windows) * _cost_of_memory(flow)
    deviations = np.sqrt(np.einsum("im,ij,jm->m", slopes, counts, slopes))
    log_a, k = found[0]
    return IntensityInterval(
        _around(math.exp(log_a), float(deviations[0])), _around(float(k), float(deviations[1] / k))
    )


def _around(value: float, log_deviation: float) -> tuple[float, float, float]:
    factor = math.exp(_Z_95 * log_deviation)
    return value / factor, value, value * factor


def _nearest_ticks(flow: Any, buckets: int, step_ticks: int) -> NDArray[np.float64]:
    """Return the nearest price in or beyond each bucket, in ticks from the mid; the mean of all windows."""
    edges = np.arange(buckets) * float(flow["bucket_ticks"]) / step_ticks - ROUNDING
    share = float(flow["half_weight"]) / float(flow["weight"])
    whole = np.maximum(1.0, np.ceil(edges))
    half = np.maximum(0.0, np.ceil(edges - 0.5)) + 0.5
    nearest: NDArray[np.float64] = step_ticks * (share * half + (1.0 - share) * whole)
    return nearest


def _cost_of_memory(flow: Any) -> float:
    """Return sum w^2 / sum w over the weights of all windows; 1 when nothing is forgotten."""
    window_s = 2.0 * float(flow["seconds"]) / float(flow["weight"])
    keep = 0.5 ** (max(window_s, float(flow["window_ns"]) / NS_PER_S) / float(flow["half_life_s"]))
    n = int(flow["n_windows"])
    if 1.0 - keep < 1e-12:
        return 1.0
    cost: float = (1.0 + keep**n) / (1.0 + keep)
    return cost


def _fit(
    hits: NDArray[np.float64],
    windows: float,
    window_s: float,
    distances: NDArray[np.float64],
    used: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return (ln A, k) of many sets of counts: the line of the estimator. hits : (m, buckets) -> (m, 2)"""
    weights = np.flip(np.flip(hits, axis=1).cumsum(axis=1), axis=1)[:, used]
    x = distances[used]
    y = np.log(-np.log1p(-weights / windows) / window_s)
    total = weights.sum(axis=1)
    x_mean, y_mean = (weights * x).sum(axis=1) / total, (weights * y).sum(axis=1) / total
    centred = x - x_mean[:, None]
    k = -(weights * centred * (y - y_mean[:, None])).sum(axis=1) / (weights * centred**2).sum(axis=1)
    return np.column_stack([y_mean + k * x_mean, k])
