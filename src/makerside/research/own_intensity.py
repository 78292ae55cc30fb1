"""A and k of our own fills: how often a quote of ours at distance d from mid is filled (formulas d-3, MLE).

    lambda(d) = A exp(-k d), d in bps, per second and quote

Unlike the estimator of `core`, which asks how far market orders reach, this is what is left of it for us: the
queue is in it. Time that an order stood without a fill counts as exposure, also when it was cancelled. With n
fills at d_i and e(d) seconds of exposure the likelihood is A^n exp(-k sum d_i - A S(k)), S(k) = sum e(d)
exp(-k d). With priors 1/A and 1/k, A given k is Gamma(n, S(k)); over distances from 0 to far with equal
exposure S is c / k, and k is the Gamma(n, sum d_i) of d-3. Intervals are posterior quantiles, 95 %.

What it assumes and where that is wrong: fills of different orders are independent; they come in bursts, so the
intervals are too narrow for a run of a few minutes. An order counts until its first fill.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FILLS_NEEDED = 50
K_MIN, K_MAX, POINTS = 1e-3, 1e2, 1_500
DRAWS = 20_000
EDGE = 0.05  # of the highest posterior density: as high at the end of the search, k has no end in sight


@dataclass(frozen=True, slots=True)
class OwnIntensity:
    """A per second and k per bps, each as (low, middle, high); the middle is the most likely.

    is_open : the distances do not tell k: it may lie beyond what was looked at
    """

    a_per_s: tuple[float, float, float]
    k_per_bps: tuple[float, float, float]
    is_open: bool


def fit_own_intensity(
    fills_bps: NDArray[np.float64],
    exposure_s: NDArray[np.float64],
    distance_bps: NDArray[np.float64],
    seed: int = 1,
) -> OwnIntensity:
    """Return A and k with their intervals.

    fills_bps                : (n,) distances at which our orders filled, n at least 2
    exposure_s, distance_bps : (m,) seconds that our orders stood at distances
    seed                     : of the draws that give A's interval
    """
    n = len(fills_bps)
    assert n >= 2
    seen = exposure_s > 0
    ks = np.geomspace(K_MIN, K_MAX, POINTS)
    exponents = np.log(exposure_s[seen])[None, :] - ks[:, None] * distance_bps[None, seen]
    peak = exponents.max(axis=1)
    log_s = peak + np.log(np.exp(exponents - peak[:, None]).sum(axis=1))
    log_likely = -ks * float(fills_bps.sum()) - n * log_s
    weight = np.exp(log_likely - log_likely.max())  # over ln k: the prior 1/k
    is_open = bool(weight[0] > EDGE or weight[-1] > EDGE)
    weight /= weight.sum()
    best = int(log_likely.argmax())
    rng = np.random.default_rng(seed)
    drawn = rng.choice(POINTS, DRAWS, p=weight)
    a = rng.gamma(n, 1.0, DRAWS) * np.exp(-log_s[drawn])
    low_k, high_k = np.quantile(ks[drawn], (0.025, 0.975))
    low_a, high_a = np.quantile(a, (0.025, 0.975))
    return OwnIntensity(
        a_per_s=(float(low_a), n * math.exp(-log_s[best]), float(high_a)),
        k_per_bps=(float(low_k), float(ks[best]), float(high_k)),
        is_open=is_open,
    )
