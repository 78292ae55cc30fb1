"""Bipower variation: by hand, its constants, and what the theory promises with and without jumps."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makerside.research.bipower import MU_4_3, bipower


def test_by_hand():
    """|r| = 1, 2, 4, 1: RV = 22, adjacent products 2 + 8 + 4 = 14, triples 8^(4/3) = 16 twice."""
    found = bipower(np.array([1.0, -2.0, 4.0, 1.0]))
    assert found.realized == 22.0
    assert found.bipower == pytest.approx(math.pi / 2 * 14 * 4 / 3)
    assert found.quarticity == pytest.approx(4 * 4 / 2 * 32 / MU_4_3**3)
    ratio = max(1.0, found.quarticity / found.bipower**2)
    z = (1 - found.bipower / 22) / math.sqrt((math.pi**2 / 4 + math.pi - 5) / 4 * ratio)
    assert found.z == pytest.approx(z)
    assert found.jump == max(0.0, 22.0 - found.bipower)
    half = 1.959964 * math.sqrt((math.pi**2 / 4 + math.pi - 3) * found.quarticity / 4)
    assert found.high == pytest.approx(found.bipower + half, rel=1e-6)


def test_the_moment_of_a_normal_is_its_integral():
    z = np.linspace(-12, 12, 400_001)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    assert float((np.abs(z) ** (4 / 3) * density).sum() * (z[1] - z[0])) == pytest.approx(MU_4_3, rel=1e-6)


returns = st.lists(st.floats(0.01, 10.0), min_size=3, max_size=60).map(np.array)


@given(returns, st.floats(0.1, 100.0))
def test_units_and_signs_do_not_matter(sizes, unit):
    one = bipower(sizes)
    other = bipower(-unit * sizes)
    assert other.bipower == pytest.approx(unit**2 * one.bipower)
    assert other.quarticity == pytest.approx(unit**4 * one.quarticity)
    assert other.z == pytest.approx(one.z, abs=1e-9)


def test_interval_and_false_alarms_without_jumps(rng):
    """1,000 days of 1,440 returns, the volatility three times as high in the afternoon."""
    deviation = np.where(np.arange(1_440) < 720, 1.0, 3.0)
    truth = float((deviation**2).sum())
    found = [bipower(deviation * rng.standard_normal(1_440)) for _ in range(1_000)]
    assert np.mean([one.bipower for one in found]) == pytest.approx(truth, rel=0.01)
    assert np.mean([one.low <= truth <= one.high for one in found]) == pytest.approx(0.95, abs=0.025)
    assert np.mean([one.p_value < 0.05 for one in found]) == pytest.approx(0.05, abs=0.025)


def test_a_jump_is_found_and_left_out(rng):
    """One jump of half a day's variance; RV counts it, BV hardly does."""
    found = []
    for _ in range(200):
        moves = rng.standard_normal(1_440)
        moves[rng.integers(1_440)] += math.sqrt(720)
        found.append(bipower(moves))
    assert np.mean([one.p_value < 0.05 for one in found]) == 1.0
    assert np.mean([one.realized for one in found]) == pytest.approx(1.5 * 1_440, rel=0.02)
    assert np.mean([one.bipower for one in found]) == pytest.approx(1_440, rel=0.07)
    assert np.mean([one.jump for one in found]) == pytest.approx(720, rel=0.15)


def test_a_price_that_stands_still_has_no_test():
    found = bipower(np.zeros(10))
    assert found.realized == found.bipower == found.jump == 0.0
    assert math.isnan(found.z)
    assert math.isnan(found.p_value)
    assert math.isnan(bipower(np.array([0.0, 1.0, 0.0, 1.0, 0.0])).z)


@pytest.mark.parametrize("bad", [[], [1.0, 2.0], [1.0, math.nan, 2.0], [1.0, math.inf, 2.0]])
def test_too_little_or_no_numbers(bad):
    with pytest.raises(ValueError, match="at least 3 finite ones are needed"):
        bipower(np.array(bad))
