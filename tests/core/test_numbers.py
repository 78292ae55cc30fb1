"""Arithmetic: error bounds of exp and log, 128-bit multiply-divide, the same bits in both modes."""

import math
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from builders import IS_INTERPRETED
from makerside.core.numbers import (
    EXP_MAX,
    EXP_MIN,
    ceil_ticks,
    exp,
    floor_ticks,
    log,
    log1p,
    mul_div,
    mul_div_floor,
    power,
)

ULP_MAX = 4
LARGEST = (1 << 63) - 1
C_MAX = 1 << 62


def ulps(value, true):
    """Return the distance in units of the last place of the true value."""
    return abs(value - true) / math.ulp(true)


@given(st.floats(-700, 700))
@example(0.0)
@example(-1e-300)
@example(0.5 * math.log(2))
def test_exp_is_right_to_four_ulps(x):
    assert ulps(exp(x), math.exp(x)) <= ULP_MAX


@given(st.floats(1e-300, 1e300))
@example(1.0)
@example(math.sqrt(0.5))
@example(math.nextafter(1.0, 0.0))
@example(math.nextafter(1.0, 2.0))
@example(5e-324)
def test_log_is_right_to_four_ulps(x):
    true = math.log(x)
    assert log(x) == true or ulps(log(x), true) <= ULP_MAX


@given(st.floats(-0.999, 1e9))
@example(math.sqrt(2) - 1)
@example(math.sqrt(0.5) - 1)
@example(1e-18)
@example(-1e-300)
def test_log1p_keeps_the_digits_of_a_small_argument(x):
    true = math.log1p(x)
    assert log1p(x) == true or ulps(log1p(x), true) <= ULP_MAX + 2, "1 + x is rounded where it is not small"


def test_ends_of_exp_and_log():
    assert exp(EXP_MIN - 1) == 0.0
    assert exp(float("-inf")) == 0.0
    assert exp(1e9) == exp(float("inf")) == exp(EXP_MAX) < math.inf
    assert math.isnan(exp(math.nan))
    assert exp(0.0) == 1.0
    assert log(1.0) == 0.0
    assert log(0.0) == log(-1.0) == log(math.nan) == -EXP_MAX


@given(st.floats(-300, 300), st.floats(0, 1))
def test_exp_never_falls(x, step):
    assert exp(x + step) >= exp(x) * (1 - 1e-15)


@pytest.mark.skipif(IS_INTERPRETED, reason="there is nothing compiled to compare with")
@pytest.mark.parametrize("kernel", [exp, log], ids=["exp", "log"])
def test_compiled_and_interpreted_bits_are_the_same(kernel, rng):
    values = np.concatenate([rng.uniform(-50, 50, 3_000), 10.0 ** rng.uniform(-12, 12, 3_000)]).tolist()
    for x in values:
        assert struct.pack("d", kernel(x)) == struct.pack("d", kernel.py_func(x)), x


numbers = st.one_of(st.integers(0, LARGEST), st.integers(0, 1 << 32), st.integers(0, 62).map(lambda n: 1 << n))
divisors = st.one_of(st.integers(1, C_MAX), st.integers(1, 1 << 31), st.sampled_from([1, 2, C_MAX - 1, C_MAX]))


@given(numbers, numbers, divisors)
@example(LARGEST, LARGEST, C_MAX)
@example(LARGEST, 1, 1)
@example(1, LARGEST, 1)
@example((1 << 31) - 1, (1 << 31) - 1, 1)
@example(1 << 31, 1 << 31, 1)
@example((1 << 32) - 1, (1 << 32) - 1, C_MAX)
@example(4_000_000_000, 4_000_000_000, 7)
@example(0, LARGEST, 1)
@example(C_MAX - 1, C_MAX - 1, C_MAX)
def test_mul_div_is_exact_or_refuses(a, b, c):
    quotient, remainder = divmod(a * b, c)
    if quotient <= LARGEST:
        assert mul_div(a, b, c) == (quotient, remainder)
        assert mul_div_floor(a, b, c) == quotient
    else:
        with pytest.raises(AssertionError):
            mul_div(a, b, c)


@pytest.mark.parametrize(("a", "b", "c"), [(-1, 1, 1), (1, -1, 1), (1, 1, 0), (1, 1, -1), (1, 1, C_MAX + 1)])
def test_mul_div_refuses_what_it_is_not_made_for(a, b, c):
    with pytest.raises(AssertionError):
        mul_div(a, b, c)


@pytest.mark.parametrize("edge", [LARGEST - 1, LARGEST])
def test_mul_div_at_the_largest_quotient(edge):
    assert mul_div(edge, 6, 6) == (edge, 0)
    with pytest.raises(AssertionError):
        mul_div(edge, 7, 6)


@given(st.floats(-1e15, 1e15))
def test_floor_and_ceil_of_ticks(x):
    assert floor_ticks(x) <= x <= ceil_ticks(x)
    assert ceil_ticks(x) - floor_ticks(x) == (0 if Fraction(x).denominator == 1 else 1)


@given(st.floats(1e-3, 1e3), st.floats(0.01, 40))
def test_power_is_near_the_true_value(x, n):
    assert power(x, n) == pytest.approx(x**n, rel=1e-13 * (1 + abs(n * math.log(x))))


@given(st.floats(1e-6, 1e3))
def test_power_is_exact_at_zero_and_one(n):
    assert power(0.0, n) == 0.0
    assert power(1.0, n) == 1.0
