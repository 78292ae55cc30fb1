"""Exact and reproducible arithmetic for kernels: 128-bit multiply-divide, exp and log.

`exp` and `log` of a C library differ in the last bit between processors; ours are made of + - x / and
exact scaling, so that a journal of one machine replays on another. Their error is below 4 units in
the last place on the ranges that the estimators use (tests/core/test_numbers.py). Pure.

Source: the argument reduction is the textbook one (Muller, Elementary Functions, 2016, ch. 11);
log uses 2 artanh((m-1)/(m+1)) as a series, exp a Taylor series on |r| <= ln(2)/2.
"""

import math
from collections.abc import Callable
from typing import Any

import numba
from numba import types
from numba.extending import intrinsic

from makerside.core.kernel import inlined, kernel

LN2_HIGH = 0.693147180369123816490  # first 33 bits of ln 2, so that k * LN2_HIGH is exact
LN2_LOW = 1.90821492927058770002e-10
LOG2_E = 1.4426950408889634074
SQRT_HALF = 0.7071067811865475244
EXP_MAX = 709.0
EXP_MIN = -708.0

_PRODUCT_MAX = 9.2e18  # a product of floats below it is one of integers that fits: 2^63 is 9.22e18
_E9 = 1_000_000_000
_MAX_I64 = (1 << 63) - 1
_C_MAX = 1 << 62


@kernel
def exp(x: float) -> float:
    """Return e^x, the same bits on every machine.

    x       : float; beyond EXP_MIN and EXP_MAX the result is 0.0 or e^EXP_MAX, never infinity
    returns : float
    """
    if x != x:
        return x
    if x < EXP_MIN:
        return 0.0
    x = min(x, EXP_MAX)
    k = math.floor(x * LOG2_E + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    total = 1.0
    for i in range(15, 0, -1):
        total = 1.0 + r * total / i
    return math.ldexp(total, int(k))


@kernel
def log(x: float) -> float:
    """Return ln x, the same bits on every machine.

    x       : float above 0
    returns : float; -EXP_MAX for x <= 0, which callers exclude
    """
    if not x > 0.0:
        return -EXP_MAX
    mantissa, exponent = math.frexp(x)
    if mantissa < SQRT_HALF:
        mantissa *= 2.0
        exponent -= 1
    s = (mantissa - 1.0) / (mantissa + 1.0)
    return exponent * LN2_HIGH + (_two_artanh(s) + exponent * LN2_LOW)


@kernel
def power(x: float, n: float) -> float:
    """Return x^n, the same bits on every machine; exact for x = 0 and x = 1.

    x, n    : float, x >= 0 and n > 0
    returns : float; its relative error grows with |n ln x|, about 1e-16 of it; never infinity, see `exp`
    """
    return exp(n * log(x)) if x > 0.0 else 0.0


@kernel
def _two_artanh(s: float) -> float:
    """Return 2 artanh s as a series, for |s| below 0.172."""
    s2 = s * s
    total = 0.0
    for i in range(21, 0, -2):
        total = total * s2 + 1.0 / i
    return 2.0 * s * total


@kernel
def log1p(x: float) -> float:
    """Return ln(1 + x) without losing the digits of a small x, the same bits on every machine.

    x       : float above -1
    returns : float; -EXP_MAX for x <= -1, which callers exclude
    """
    if not SQRT_HALF - 1.0 < x < 2.0 * SQRT_HALF - 1.0:
        return log(1.0 + x)
    return _two_artanh(x / (2.0 + x))


@kernel
def mul_div(a: int, b: int, c: int) -> tuple[int, int]:
    """Return quotient and remainder of a * b / c with a 128-bit product.

    a, b, c : int64, a and b >= 0, 0 < c <= 2^62
    returns : (int64, int64); asserts that the quotient fits
    """
    assert a >= 0
    assert b >= 0
    assert 0 < c <= _C_MAX
    if float(a) * float(b) < _PRODUCT_MAX:
        return a * b // c, a * b % c
    # a * b / c = (a // c) * b + (a % c) * b / c; the second term by long division over the bits of b.
    whole = a // c
    rest = a % c
    assert whole == 0 or b <= _MAX_I64 // whole
    quotient = 0
    remainder = 0
    for shift in range(62, -1, -1):
        quotient = 2 * quotient
        remainder = 2 * remainder  # below 2^63, as remainder < c <= 2^62
        if remainder >= c:
            remainder -= c
            quotient += 1
        if (b >> shift) & 1:
            remainder += rest
            if remainder >= c:
                remainder -= c
                quotient += 1
    assert whole * b <= _MAX_I64 - quotient
    return whole * b + quotient, remainder


@inlined
def mul_div_e9(a: int, b: int) -> tuple[int, int]:
    """Return quotient and remainder of a * b / 10^9; see `mul_div`. Small factors need no real division."""
    if float(a) * float(b) < _PRODUCT_MAX:
        product = a * b
        quotient = product // _E9
        return quotient, product - quotient * _E9
    return mul_div(a, b, _E9)


@kernel
def mul_div_floor(a: int, b: int, c: int) -> int:
    """Return floor(a * b / c) with a 128-bit product; see `mul_div`."""
    return mul_div(a, b, c)[0]


@kernel
def floor_ticks(x: float) -> int:
    """Return the largest integer not above x."""
    return math.floor(x)


@kernel
def ceil_ticks(x: float) -> int:
    """Return the smallest integer not below x."""
    return math.ceil(x)


@intrinsic
def _lowest_bit_compiled(typing: Any, mask: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, False))

    return types.int64(types.int64), codegen


def _lowest_bit_interpreted(mask: int) -> int:
    return (int(mask) & -int(mask)).bit_length() - 1


_lowest: Any = _lowest_bit_interpreted if getattr(numba.config, "DISABLE_JIT", 0) else _lowest_bit_compiled
# The number of the lowest bit that is set in an int64 that is not 0.
lowest_bit: Callable[[int], int] = _lowest
