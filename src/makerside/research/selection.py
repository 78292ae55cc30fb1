"""Was the best of many trials good, or lucky? Statistics that can say "no winner" (formulas d-21).

All Sharpe ratios here are per period, not annual; kurtosis is raw, 3 for a normal distribution.

Sources: Bailey and Lopez de Prado, The deflated Sharpe ratio, J. Portfolio Management 40(5), 2014; Bailey,
Borwein, Lopez de Prado, Zhu, The probability of backtest overfitting, J. Computational Finance 20(4), 2017.
"""

import itertools
import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from makerside.research.performance import moments

EULER_GAMMA = 0.5772156649015329
BLOCKS = 16  # of time, for the probability of overfitting: 12,870 ways to cut it in halves
CONFIDENCE = 0.95
PBO_MAX = 0.2
PERIODS_MIN = 30
_NORMAL = NormalDist()
_SPLITS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Overfitting:
    """What choosing by one half of the data does in the other half.

    probability      : share of splits in which the best of one half is below the median of the other
    loss_probability : share of splits in which it loses money there
    slope            : of its Sharpe ratio out of sample over that in sample; below 0: better means worse
    """

    probability: float
    loss_probability: float
    slope: float
    splits: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can honestly be said of the best of many trials.

    sharpe        : of the best trial, per period;  threshold : what luck alone reaches with as many trials
    deflated      : probability that the best is better than that luck
    periods_min   : periods that it would take to say so; infinity when it is below the threshold
    trials_effective : independent trials that the correlated ones are worth
    reasons       : why there is no winner; empty when there is one
    """

    best: int
    sharpe: float
    threshold: float
    deflated: float
    periods: int
    periods_min: float
    trials: int
    trials_effective: float
    overfitting: Overfitting | None
    reasons: tuple[str, ...]

    @property
    def has_winner(self) -> bool:
        """Whether nothing speaks against the best trial."""
        return not self.reasons


def sharpe_variance_term(sharpe: float, skew: float, kurtosis: float) -> float:
    """Return 1 - g3 SR + (g4 - 1)/4 SR^2: the variance of an estimated Sharpe ratio, times T - 1."""
    return 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe


def probabilistic_sharpe(sharpe: float, threshold: float, periods: int, skew: float, kurtosis: float) -> float:
    """Return the probability that the true Sharpe ratio is above a threshold."""
    term = sharpe_variance_term(sharpe, skew, kurtosis)
    if term <= 0:
        return math.nan
    return _NORMAL.cdf((sharpe - threshold) * math.sqrt(periods - 1) / math.sqrt(term))


def luck_threshold(sharpe_deviation: float, trials: float) -> float:
    """Return the Sharpe ratio that the best of N trials without skill is expected to have.

    sharpe_deviation : standard deviation of the trials' Sharpe ratios
    trials           : N, of independent ones; 1 gives 0
    """
    if trials <= 1.0:
        return 0.0
    near = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    far = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    # The approximation is made for many trials: below about 1.3 it would call luck negative.
    return max(0.0, sharpe_deviation * ((1.0 - EULER_GAMMA) * near + EULER_GAMMA * far))


def track_record_min(
    sharpe: float, threshold: float, skew: float, kurtosis: float, confidence: float = CONFIDENCE
) -> float:
    """Return how many periods show a Sharpe ratio to be above a threshold; infinity when it is not."""
    if not sharpe > threshold:
        return math.inf
    z = _NORMAL.inv_cdf(confidence)
    return 1.0 + sharpe_variance_term(sharpe, skew, kurtosis) * (z / (sharpe - threshold)) ** 2


def effective_trials(returns: NDArray[np.float64]) -> float:
    """Return rho + (1 - rho) N, with rho the mean correlation of the trials; 1 to N.

    returns : (periods, trials). The mean over all pairs comes from the variance of the sum of the
              standardised columns: N + N (N - 1) rho
    """
    trials = returns.shape[1]
    if trials < 2:
        return float(trials)
    deviations = returns.std(axis=0)
    live = deviations > 0
    n = int(live.sum())
    if n < 2:
        return max(1.0, float(n))
    standard = (returns[:, live] - returns[:, live].mean(axis=0)) / deviations[live]
    rho = (float(standard.sum(axis=1).var()) - n) / (n * (n - 1))
    rho = min(1.0, max(0.0, rho))
    return rho + (1.0 - rho) * n


def overfitting(returns: NDArray[np.float64], blocks: int = BLOCKS) -> Overfitting:
    """Return the probability of backtest overfitting by combinatorially symmetric cross-validation.

    returns : (periods, trials), at least two trials and two periods per block
    blocks  : even; periods that do not fill the last block are left out at the beginning
    errors  : ValueError when there is too little of anything
    """
    periods, trials = returns.shape
    if blocks % 2 or blocks < 2 or trials < 2 or periods < 2 * blocks:
        raise ValueError(
            f"{periods} periods of {trials} trials in {blocks} blocks: an even number of blocks, at least two"
            " periods in each, and two trials are needed"
        )
    size = periods // blocks
    parts = returns[periods - size * blocks :].reshape(blocks, size, trials)
    sums, squares = parts.sum(axis=1), (parts * parts).sum(axis=1)
    half = size * blocks // 2
    choices = np.array(list(itertools.combinations(range(blocks), blocks // 2)))
    ranks, outside, inside = [], [], []
    for start in range(0, len(choices), _SPLITS_AT_ONCE):
        chosen = np.zeros((len(choices[start : start + _SPLITS_AT_ONCE]), blocks))
        np.put_along_axis(chosen, choices[start : start + _SPLITS_AT_ONCE], 1.0, axis=1)
        here = _sharpes(chosen @ sums, chosen @ squares, half)
        there = _sharpes((1.0 - chosen) @ sums, (1.0 - chosen) @ squares, half)
        best = np.argmax(here, axis=1)[:, None]
        found = np.take_along_axis(there, best, axis=1)
        # Ties count half: trials that never traded are all alike.
        rank = (there < found).sum(axis=1) + 0.5 * ((there == found).sum(axis=1) - 1) + 1.0
        ranks.append(rank / (trials + 1.0))
        outside.append(found[:, 0])
        inside.append(np.take_along_axis(here, best, axis=1)[:, 0])
    rank, found, chosen_by = np.concatenate(ranks), np.concatenate(outside), np.concatenate(inside)
    spread = float(chosen_by.var())
    slope = (
        float(np.mean((chosen_by - chosen_by.mean()) * (found - found.mean()))) / spread if spread else math.nan
    )
    return Overfitting(float((rank <= 0.5).mean()), float((found < 0).mean()), slope, len(rank))


def _sharpes(sums: NDArray[np.float64], squares: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return Sharpe ratios from sums and sums of squares; 0 for trials that do nothing."""
    means = sums / n
    variances = np.maximum(0.0, (squares - n * means * means) / (n - 1))
    return np.divide(means, np.sqrt(variances), out=np.zeros_like(means), where=variances > 1e-300)


def sharpes_of(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each trial's Sharpe ratio per period, 0 where nothing was done. returns : (periods, trials)"""
    means: NDArray[np.float64] = returns.mean(axis=0)
    deviations = returns.std(axis=0, ddof=1)
    found: NDArray[np.float64] = np.zeros_like(means)
    np.divide(means, deviations, out=found, where=deviations > 0)
    return found


def luck_deviation(sharpes: NDArray[np.float64], periods: int) -> float:
    """Return how far luck spreads the Sharpe ratios of trials without skill, per period.

    At most the deviation of an estimate, 1/sqrt(T - 1): what trials differ by beyond that is no luck. Without
    this bound a few hopeless sets in a grid would make the luck of all others look large (ADR 14).
    """
    if len(sharpes) < 2:
        return 0.0
    return min(float(sharpes.std(ddof=1)), 1.0 / math.sqrt(periods - 1))


def judge(returns: NDArray[np.float64], *, is_cross_validated: bool = True) -> Verdict:
    """Judge the best of many trials.

    returns            : (periods, trials) of one sweep, all trials on the same periods
    is_cross_validated : False leaves the slow half out: whoever does not win then does not win at all
    errors             : ValueError when there is no trial or no period
    """
    periods, trials = returns.shape
    if periods < 2 or trials < 1:
        raise ValueError(f"{periods} periods of {trials} trials: at least 2 periods of 1 trial are needed")
    sharpes = sharpes_of(returns)
    best = int(sharpes.argmax())
    sharpe = float(sharpes[best])
    skew, kurtosis = moments(returns[:, best])
    effective = effective_trials(returns)
    # All trials count, although many are alike: what they have in common is missing in their deviation
    # already, and would be taken off twice with the number of independent ones.
    threshold = luck_threshold(luck_deviation(sharpes, periods), trials)
    deflated = probabilistic_sharpe(sharpe, threshold, periods, skew, kurtosis)
    is_enough = is_cross_validated and trials > 1 and periods >= 2 * BLOCKS
    found = overfitting(returns) if is_enough else None
    verdict = Verdict(
        best=best,
        sharpe=sharpe,
        threshold=threshold,
        deflated=deflated,
        periods=periods,
        periods_min=track_record_min(sharpe, threshold, skew, kurtosis),
        trials=trials,
        trials_effective=effective,
        overfitting=found,
        reasons=(),
    )
    return _with_reasons(verdict)


def _with_reasons(verdict: Verdict) -> Verdict:
    reasons = []
    if verdict.periods < PERIODS_MIN:
        reasons.append(f"{verdict.periods} periods are too few to judge; at least {PERIODS_MIN} are needed")
    if not verdict.sharpe > 0:
        reasons.append("no trial made money")
    elif not verdict.deflated >= CONFIDENCE:
        reasons.append(
            f"the best is better than the luck of {verdict.trials:,} trials"
            f" with a probability of {verdict.deflated:.2f}, not {CONFIDENCE}"
        )
    if verdict.overfitting is not None and verdict.overfitting.probability > PBO_MAX:
        reasons.append(
            f"chosen by half of the data, the best is below the median in the other half in"
            f" {verdict.overfitting.probability:.0%} of splits, more than {PBO_MAX:.0%}"
        )
    return replace(verdict, reasons=tuple(reasons))


@dataclass(frozen=True, slots=True)
class Fold:
    """One step of a walk-forward: choose on `train`, look at `test`; both half-open ranges of periods."""

    train_start: int
    train_stop: int
    test_start: int
    test_stop: int


def walk_forward(
    periods: int, train: int, test: int, *, purge: int = 0, embargo: int = 0, is_anchored: bool = False
) -> list[Fold]:
    """Return the folds of a walk-forward, oldest first; test ranges follow each other without a gap or overlap.

    train, test : periods to choose on, and to look at
    purge       : periods left out before a test, so that no position spans both: at least the holding time
    embargo     : periods left out on top of them, for what our own trading moves and the data remember
    is_anchored : train from the beginning, not on the last `train` periods
    errors      : ValueError when not one fold fits
    """
    gap = purge + embargo
    if min(train, test) < 1 or min(purge, embargo) < 0 or train + gap + test > periods:
        raise ValueError(
            f"{periods} periods hold no fold of {train} to train, {gap} left out and {test} to test;"
            " ranges must be above 0, purge and embargo not negative"
        )
    starts = range(train + gap, periods - test + 1, test)
    return [
        Fold(0 if is_anchored else start - gap - train, start - gap, start, start + test) for start in starts
    ]
