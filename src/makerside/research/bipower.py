"""Realised variance with and without jumps: bipower variation, and a test for jumps (formulas d-7).

    RV = sum r^2                                      what the price has varied, jumps included
    BV = (pi/2) sum |r_t| |r_t-1|                     without them: a jump's neighbours are small
    TQ = n mu^-3 sum (|r_t| |r_t-1| |r_t-2|)^(4/3)    integrated quarticity, mu = E|Z|^(4/3)
    z  = (1 - BV/RV) / sqrt((pi^2/4 + pi - 5) max(1, TQ/BV^2) / n)    standard normal without jumps

Sums of adjacent returns have n - 1 and n - 2 terms: they are scaled by n / (n - 1) and n / (n - 2).

Where it is wrong: with finitely many returns a jump still raises BV a little, prices on a coarse grid have
returns of 0 and lower it, and bid-ask bounce makes neighbours alike.

Sources: Barndorff-Nielsen and Shephard, Power and bipower variation with stochastic volatility and jumps,
J. Financial Econometrics 2(1), 2004; Huang and Tauchen, J. Financial Econometrics 3(4), 2005 (the ratio test).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

RETURNS_MIN = 3
MU_4_3 = 2.0 ** (2.0 / 3.0) * math.gamma(7.0 / 6.0) / math.gamma(0.5)  # E|Z|^(4/3) of a standard normal Z
_RATIO_VARIANCE = math.pi**2 / 4.0 + math.pi - 5.0
_BIPOWER_VARIANCE = math.pi**2 / 4.0 + math.pi - 3.0
_NORMAL = NormalDist()
_Z_95 = _NORMAL.inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Bipower:
    """What a stretch of returns says; variances are of the whole stretch, in the square of the returns' unit.

    low, high : 95 % interval of the integrated variance, jumps excluded
    jump      : max(RV - BV, 0);  z : of the test;  p_value : of as large a z without jumps, one-sided
    """

    realized: float
    bipower: float
    quarticity: float
    low: float
    high: float
    jump: float
    z: float
    p_value: float


def bipower(returns: NDArray[np.float64]) -> Bipower:
    """Return realised variance, bipower variation and the test for jumps.

    returns : (n,) equally spaced in time, of any unit
    errors  : ValueError when there are fewer than three, or one is no finite number
    """
    n = len(returns)
    if n < RETURNS_MIN or not np.isfinite(returns).all():
        raise ValueError(f"{n} returns: at least {RETURNS_MIN} finite ones are needed")
    size = np.abs(returns)
    realized = float(np.sum(size * size))
    two = float(np.sum(size[1:] * size[:-1])) * (math.pi / 2.0) * n / (n - 1)
    power = size ** (4.0 / 3.0)
    three = float(np.sum(power[2:] * power[1:-1] * power[:-2]))
    quarticity = n * n / (n - 2) * three / MU_4_3**3
    z = _z(realized, two, quarticity, n)
    half = _Z_95 * math.sqrt(_BIPOWER_VARIANCE * quarticity / n)
    p_value = math.nan if math.isnan(z) else 1.0 - _NORMAL.cdf(z)
    jump = max(realized - two, 0.0)
    return Bipower(realized, two, quarticity, max(0.0, two - half), two + half, jump, z, p_value)


def _z(realized: float, two: float, quarticity: float, n: int) -> float:
    """Return the ratio test's statistic; NaN when nothing moved, or never twice in a row."""
    if not two > 0.0:
        return math.nan
    deviation = math.sqrt(_RATIO_VARIANCE * max(1.0, quarticity / (two * two)) / n)
    return (1.0 - two / realized) / deviation
