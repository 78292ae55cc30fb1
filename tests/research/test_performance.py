"""Ratios of an equity curve against exact arithmetic and worked examples."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makerside.research.performance import (
    autocorrelation_factor,
    drawdown,
    moments,
    performance,
    returns_of,
    sharpe,
    sortino,
    wilson_interval,
)

DAY_S = 86_400.0
EQUITY = np.array([100.0, 110.0, 99.0, 99.0, 120.0])

equities = st.lists(st.integers(1, 10**6), min_size=3, max_size=40)


def fractions_of(equity):
    return [Fraction(b, a) - 1 for a, b in itertools.pairwise(equity)]


def test_a_curve_that_can_be_checked_by_hand():
    found = performance(EQUITY, DAY_S)
    assert found.total_return == pytest.approx(0.2)
    assert found.drawdown_max == pytest.approx(0.1)
    assert found.drawdown_periods_max == 2
    assert found.win_rate == pytest.approx(2 / 3)  # the third day changed nothing
    assert found.profit_factor == pytest.approx((0.1 + 120 / 99 - 1) / 0.1)
    assert found.cagr == pytest.approx(1.2 ** (365 / 4) - 1)
    assert found.calmar == pytest.approx(found.cagr / 0.1)


@given(equities)
def test_ratios_equal_exact_arithmetic(equity):
    exact = fractions_of(equity)
    returns = returns_of(np.array(equity, float))
    n = len(exact)
    mean = sum(exact) / n
    variance = sum((r - mean) ** 2 for r in exact) / (n - 1)
    downside = sum(min(r, Fraction(0)) ** 2 for r in exact) / n
    if variance > Fraction(1, 10**12):
        assert sharpe(returns) == pytest.approx(float(mean) / math.sqrt(variance), rel=1e-6, abs=1e-9)
    if downside:
        assert sortino(returns) == pytest.approx(float(mean) / math.sqrt(downside), rel=1e-9, abs=1e-9)
    else:
        assert math.isnan(sortino(returns))
    depth = max(1 - Fraction(equity[i], max(equity[: i + 1])) for i in range(len(equity)))
    assert drawdown(np.array(equity, float))[0] == pytest.approx(float(depth))


@given(equities)
def test_time_below_a_high_is_counted(equity):
    longest = run = 0
    for i, value in enumerate(equity):
        run = run + 1 if value < max(equity[: i + 1]) else 0
        longest = max(longest, run)
    assert drawdown(np.array(equity, float))[1] == longest


@given(equities, st.integers(1, 1_000))
def test_ratios_do_not_depend_on_the_currency(equity, factor):
    one = performance(np.array(equity, float), DAY_S).as_dict()
    other = performance(np.array(equity, float) * factor, DAY_S).as_dict()
    for name, value in one.items():
        if value is None or other[name] is None:
            continue  # a variance of 1e-33 may come out as 0
        assert other[name] == pytest.approx(value, rel=1e-5, abs=1e-9), name


def test_what_is_not_defined_is_said_to_be_so():
    flat = performance(np.full(5, 100.0), DAY_S).as_dict()
    assert flat["total_return"] == 0.0
    assert flat["drawdown_max"] == 0.0
    for name in ("sharpe_annual", "sortino_annual", "calmar", "profit_factor", "win_rate", "skew", "kurtosis"):
        assert flat[name] is None, name
    rising = performance(np.array([100.0, 101.0, 103.0]), DAY_S)
    assert math.isnan(rising.profit_factor)  # no loss: no factor


def test_a_curve_of_minutes_has_no_growth_of_a_year():
    assert math.isnan(performance(np.array([100.0, 150.0]), 60.0).cagr)


@pytest.mark.parametrize(
    ("equity", "words"),
    [([100.0], "at least 2"), ([100.0, 0.0, 5.0], "0.0 at point 1"), ([100.0, math.nan], "nan at point 1")],
)
def test_curves_without_returns_are_refused(equity, words):
    with pytest.raises(ValueError, match=words):
        performance(np.array(equity), DAY_S)


@pytest.mark.parametrize(
    ("wins", "n", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_as_published(wins, n, low, high):
    assert wilson_interval(wins, n) == pytest.approx((low, high), abs=5e-5)


def test_moments_of_known_distributions(rng):
    assert moments(rng.standard_normal(400_000)) == pytest.approx((0.0, 3.0), abs=0.05)
    assert moments(rng.exponential(size=2_000_000)) == pytest.approx((2.0, 9.0), rel=0.05)


def test_independent_returns_are_scaled_by_the_root_of_time_and_trending_ones_by_less(rng):
    noise = rng.standard_normal(200_000)
    assert autocorrelation_factor(noise, 365.0) == pytest.approx(math.sqrt(365.0), rel=0.02)
    rho = 0.3
    trending = noise.copy()
    for i in range(1, len(trending)):
        trending[i] += rho * trending[i - 1]
    # An AR(1) has rho_k = rho^k: a long sum varies (1 + rho) / (1 - rho) times as much as an independent one.
    expected = math.sqrt(365.0 * (1 - rho) / (1 + rho))
    assert autocorrelation_factor(trending, 365.0) == pytest.approx(expected, rel=0.03)
