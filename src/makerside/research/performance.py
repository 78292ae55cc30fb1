"""Performance of one run: from an equity curve sampled at equal intervals to the usual ratios (formulas d-20).

Equity includes what is unrealised. Returns are per period; "annual" means scaled by the periods of a year,
365 days of 24 hours: these markets do not close. A ratio that its data do not define is NaN, never 0 or
infinity: it is printed as "n/a".
"""

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

YEAR_S = 365 * 24 * 3600.0
LAGS_MAX = 20  # autocorrelations that the adjusted Sharpe ratio looks at
Z_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Performance:
    """Ratios of one equity curve; see the functions of the same names."""

    periods: int
    period_s: float
    total_return: float
    cagr: float
    sharpe_annual: float
    sharpe_annual_adjusted: float  # for autocorrelation
    sortino_annual: float
    drawdown_max: float  # share of the highest equity before it
    drawdown_periods_max: int  # longest time below an earlier high
    calmar: float
    profit_factor: float  # of periods
    win_rate: float  # of periods that changed the equity
    win_rate_low: float
    win_rate_high: float
    skew: float
    kurtosis: float  # raw: 3 for a normal distribution

    def as_dict(self) -> dict[str, float | None]:
        """Return plain numbers, None for what is not defined."""
        return {name: None if math.isnan(value) else value for name, value in asdict(self).items()}


def performance(equity: NDArray[np.float64], period_s: float) -> Performance:
    """Return the ratios of an equity curve.

    equity   : (n + 1,) money at equal intervals, all above 0; n periods
    period_s : their length
    errors   : ValueError when there is no period, or equity is not above 0 (a run that lost everything has
               no further returns: cut the curve there)
    """
    returns = returns_of(equity)
    per_year = YEAR_S / period_s
    gains, losses = float(returns[returns > 0].sum()), -float(returns[returns < 0].sum())
    wins, changed = int((returns > 0).sum()), int((returns != 0).sum())
    low, high = wilson_interval(wins, changed)
    depth, length = drawdown(equity)
    growth = float(equity[-1] / equity[0])
    years = len(returns) / per_year
    # Growth of minutes to the power of a year overflows: then it says nothing either.
    log_cagr = math.log(growth) / years
    cagr = math.expm1(log_cagr) if log_cagr < 50.0 else math.nan
    skew, kurtosis = moments(returns)
    return Performance(
        periods=len(returns),
        period_s=period_s,
        total_return=growth - 1.0,
        cagr=cagr,
        sharpe_annual=sharpe(returns) * math.sqrt(per_year),
        sharpe_annual_adjusted=sharpe(returns) * autocorrelation_factor(returns, per_year),
        sortino_annual=sortino(returns) * math.sqrt(per_year),
        drawdown_max=depth,
        drawdown_periods_max=length,
        calmar=cagr / depth if depth > 0 else math.nan,
        profit_factor=gains / losses if losses > 0 else math.nan,
        win_rate=wins / changed if changed else math.nan,
        win_rate_low=low,
        win_rate_high=high,
        skew=skew,
        kurtosis=kurtosis,
    )


def returns_of(equity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the simple returns of an equity curve; ValueError as in `performance`."""
    if len(equity) < 2:
        raise ValueError(f"an equity curve of {len(equity)} points has no returns; at least 2 are needed")
    bad = np.flatnonzero(~(equity > 0) | ~np.isfinite(equity))
    if len(bad):
        raise ValueError(f"equity {equity[bad[0]]} at point {bad[0]}; it must be above 0")
    return np.diff(equity) / equity[:-1]


def sharpe(returns: NDArray[np.float64]) -> float:
    """Return mean over standard deviation (of a sample), per period; NaN for constant returns."""
    if len(returns) < 2:
        return math.nan
    deviation = float(returns.std(ddof=1))
    return float(returns.mean()) / deviation if deviation > 0 else math.nan


def autocorrelation_factor(returns: NDArray[np.float64], per_year: float) -> float:
    """Return what a Sharpe ratio per period is multiplied by for a year, autocorrelation considered.

    sqrt(q) for independent returns, else q / sqrt(q + 2 sum_k (q - k) rho_k). A sum that makes the variance
    of a year negative, which short samples can do, gives NaN.
    Source: Lo, The statistics of Sharpe ratios, Financial Analysts Journal 58(4), 2002, eq. 20.
    """
    n = len(returns)
    centred = returns - returns.mean()
    variance = float(centred @ centred)
    if n < 3 or variance <= 0:
        return math.nan
    lags = min(LAGS_MAX, n - 2, int(per_year) - 1)
    total = per_year
    for lag in range(1, lags + 1):
        total += 2.0 * (per_year - lag) * float(centred[lag:] @ centred[:-lag]) / variance
    return per_year / math.sqrt(total) if total > 0 else math.nan


def sortino(returns: NDArray[np.float64], target: float = 0.0) -> float:
    """Return mean excess over the downside deviation of all periods, per period; NaN without a loss."""
    downside = math.sqrt(float(np.mean(np.minimum(returns - target, 0.0) ** 2)))
    return float(returns.mean() - target) / downside if downside > 0 else math.nan


def drawdown(equity: NDArray[np.float64]) -> tuple[float, int]:
    """Return the deepest fall, as a share of the high before it, and the longest time below a high."""
    highs = np.maximum.accumulate(equity)
    below = equity < highs
    marks = np.flatnonzero(np.diff(np.concatenate([[False], below, [False]]).astype(int)))
    lengths = marks[1::2] - marks[::2]
    return float(np.max(1.0 - equity / highs)), int(lengths.max()) if len(lengths) else 0


def wilson_interval(wins: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927); NaN where nothing was tried."""
    if n == 0:
        return math.nan, math.nan
    share, z2 = wins / n, Z_95 * Z_95
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def moments(returns: NDArray[np.float64]) -> tuple[float, float]:
    """Return skew and raw kurtosis (normal: 0 and 3); NaN for constant returns."""
    centred = returns - returns.mean()
    variance = float(np.mean(centred**2))
    if variance <= 0:
        return math.nan, math.nan
    return float(np.mean(centred**3)) / variance**1.5, float(np.mean(centred**4)) / variance**2
