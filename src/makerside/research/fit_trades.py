"""Fits of the trades of a recording: their clustering in time, the memory of their signs, their sizes.

Clustering is a Hawkes process with two exponential kernels, fitted by maximum likelihood:

    lambda(t) = mu + sum_k n_k b_k sum_{t_i < t} exp(-b_k (t - t_i)),   mu = rate (1 - n_1 - n_2)

The sign of a trade is linear in decayed means of the signs before it, m_k <- keep_k m_k + (1 - keep_k) s:

    E[s | past] = sum_k a_k m_k

fitted by least squares with a_k >= 0: a discrete autoregression whose memory is a mixture of exponentials,
which looks like the power law of real signs over the lags of its scales.

Sources: Hawkes, Biometrika 58 (1971); Lillo, Farmer, Studies in Nonlinear Dynamics & Econometrics 8 (2004)
for the long memory of signs. May import model and core.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.core.kernel import kernel
from makerside.sim.market_model import BRANCHING_MAX, EXCITATIONS, SCALES, knot_shares

SIGN_KEEPS = (0.5, 0.9, 0.985)  # memories of about 2, 10 and 65 trades
_SIGN_WEIGHT_MAX = 0.95
_TIER = 16
_TAIL_KNOTS = _TIER + 1  # of the last sixteenth
_TRADES_MIN = 50


@kernel
def _log_likelihood(ts_s: Any, rate: float, n0: float, n1: float, b0: float, b1: float) -> float:
    """Return the log-likelihood of trade times, per trade. ts_s : (n,) float, seconds, rising."""
    base = rate * (1.0 - n0 - n1)
    end = ts_s[len(ts_s) - 1]
    y0 = y1 = total = 0.0
    for i in range(len(ts_s)):
        if i > 0:
            wait = ts_s[i] - ts_s[i - 1]
            y0 = (y0 + 1.0) * math.exp(-b0 * wait)
            y1 = (y1 + 1.0) * math.exp(-b1 * wait)
        total += math.log(base + n0 * b0 * y0 + n1 * b1 * y1)
        left = end - ts_s[i]
        total -= n0 * (1.0 - math.exp(-b0 * left)) + n1 * (1.0 - math.exp(-b1 * left))
    per_trade: float = (total - base * (end - ts_s[0])) / len(ts_s)
    return per_trade


def fit_excitation(ts_ns: NDArray[np.int64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return branching and decay per second of both time scales.

    ts_ns : (n,) times of trades; zeros of branching when there are fewer than 50
    """
    assert EXCITATIONS == 2
    if len(ts_ns) < _TRADES_MIN or ts_ns[-1] <= ts_ns[0]:
        return (0.0, 0.0), (10.0, 0.5)
    ts_s = (ts_ns - ts_ns[0]) / 1e9
    rate = len(ts_s) / ts_s[-1]
    best, place = -math.inf, np.zeros(4)
    # Coordinates: logit-like shares of the branching, logs of the decays; a shrinking pattern search.
    for fast, slow in ((30.0, 0.5), (100.0, 2.0), (8.0, 0.1)):
        start = np.array([0.3, 0.3, math.log(fast), math.log(slow)])
        value, found = _search(ts_s, rate, start)
        if value > best:
            best, place = value, found
    return (float(place[0]), float(place[1])), (math.exp(place[2]), math.exp(place[3]))


def _search(ts_s: NDArray[np.float64], rate: float, place: NDArray[Any]) -> tuple[float, NDArray[Any]]:
    def value_at(x: NDArray[Any]) -> float:
        inside = min(x[0], x[1]) >= 0 and x[0] + x[1] <= BRANCHING_MAX and -4 < x[3] < x[2] < 7
        return float(_log_likelihood(ts_s, rate, *x[:2], *np.exp(x[2:]))) if inside else -math.inf

    best = value_at(place)
    steps = np.array([0.2, 0.2, 0.8, 0.8])
    for _ in range(60):
        improved = False
        for i in range(4):
            for sign in (1.0, -1.0):
                trial = place.copy()
                trial[i] += sign * steps[i]
                value = value_at(trial)
                if value > best:
                    best, place, improved = value, trial, True
        if not improved:
            steps *= 0.5
            if steps.max() < 0.01:
                break
    return best, place


def sign_features(signs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the decayed means before every trade, (n, SCALES)."""
    features = np.zeros((len(signs), SCALES))
    for k, keep in enumerate(SIGN_KEEPS):
        mean = 0.0
        for i, sign in enumerate(signs.tolist()):
            features[i, k] = mean
            mean = keep * mean + (1.0 - keep) * sign
    return features


def fit_signs(sides: NDArray[np.int64]) -> tuple[float, ...]:
    """Return the weights of the sign memory, all >= 0, summing to at most 0.95.

    sides : (n,) +1 or -1 in order of time; zero weights when there are fewer than 50
    """
    weights = np.zeros(SCALES)
    if len(sides) < _TRADES_MIN:
        return tuple(weights.tolist())
    signs = sides - sides.mean()
    features = sign_features(signs)
    used = np.ones(SCALES, bool)
    while used.any():
        weights[:] = 0.0
        weights[used] = np.linalg.lstsq(features[:, used], signs, rcond=None)[0]
        if (weights >= 0).all():
            break
        used &= weights > 0
        weights[:] = 0.0
    if weights.sum() > _SIGN_WEIGHT_MAX:
        weights *= _SIGN_WEIGHT_MAX / weights.sum()
    return tuple(weights.tolist())


def size_table(sizes: NDArray[Any], unit_usd: float) -> tuple[float, ...]:
    """Return KNOTS quantiles of sizes in money, with the sample's mean.

    A straight line between quantiles overstates the mean of a heavy tail: the excess of the last sixteenth
    is scaled so that the mean of the table is that of the sample.
    """
    shares = np.array(knot_shares())
    if not len(sizes):
        return (0.0,) * len(shares)
    money = np.asarray(sizes, float) * unit_usd
    knots = np.quantile(money, shares)
    parts = 0.5 * (knots[1:] + knots[:-1]) * np.diff(shares)
    floor = knots[-_TAIL_KNOTS]
    tail = float(parts[1 - _TAIL_KNOTS :].sum())
    least = float(floor) / _TIER  # the tail's part of the mean if all of it were the floor
    if tail > least:
        scale = max(0.0, (float(money.mean()) - float(parts.sum()) + tail - least) / (tail - least))
        knots[-_TAIL_KNOTS:] = floor + scale * (knots[-_TAIL_KNOTS:] - floor)
    return tuple(float(f"{knot:.4g}") for knot in knots)
