"""Allowed prices: Hyperliquid's rule against an oracle in decimals."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from builders import hyperliquid, plain
from makerside.core.prices import price_step, round_price
from makerside.model.instrument import instrument_t
from makerside.model.units import BUY, SELL
from reference import prices as oracle


def rules_of(instrument):
    """Return the kernel's record of an instrument."""
    records = np.zeros(1, instrument_t)
    instrument.fill_record(records[0])
    return records[0]


RULES = {decimals: rules_of(hyperliquid("X", decimals)) for decimals in range(6)}

# Price asked for, szDecimals, nearest bid, nearest ask.
TABLE = """
0.0025       0  0.0025    0.0025
0.002512     0  0.002512  0.002512
0.012345     0  0.012345  0.012345
0.123456     0  0.12345   0.12346
1.000001     0  1         1.0001
1234.56      1  1234.5    1234.6
83757.5      5  83757     83758
99999.9      5  99999     100000
118123.4     5  118123    118124
1234567.8    4  1234567   1234568
9999.95      2  9999.9    10000
12.34567     3  12.345    12.346
0.1          1  0.1       0.1
"""


@pytest.mark.parametrize("line", TABLE.strip().splitlines())
def test_known_prices(line):
    asked, decimals, bid, ask = line.split()
    decimals = int(decimals)
    instrument = hyperliquid("X", decimals)
    tick = Decimal(1).scaleb(decimals - 6)
    down, up = math.floor(Decimal(asked) / tick), math.ceil(Decimal(asked) / tick)
    assert instrument.price_text(round_price(RULES[decimals], down, BUY)) == bid
    assert instrument.price_text(round_price(RULES[decimals], up, SELL)) == ask


@given(st.integers(0, 5), st.integers(1, (1 << 31) - 200_000))
def test_rounding_is_the_oracles(decimals, ticks):
    tick = Decimal(1).scaleb(decimals - 6)
    price = ticks * tick
    down = round_price(RULES[decimals], ticks, BUY)
    up = round_price(RULES[decimals], ticks, SELL)
    assert down * tick == oracle.round_down(price, decimals)
    assert up * tick == oracle.round_up(price, decimals)


@given(st.integers(0, 5), st.integers(1, (1 << 31) - 200_000), st.sampled_from([BUY, SELL]))
def test_rounded_prices_are_allowed_and_stay(decimals, ticks, side):
    tick = Decimal(1).scaleb(decimals - 6)
    rounded = round_price(RULES[decimals], ticks, side)
    assume(rounded > 0)
    assert oracle.is_allowed(rounded * tick, decimals)
    assert round_price(RULES[decimals], rounded, side) == rounded
    assert round_price(RULES[decimals], rounded, -side) == rounded
    assert (ticks - rounded) * side >= 0, "never more aggressive than asked"
    assert abs(ticks - rounded) < price_step(RULES[decimals], ticks)


@given(st.integers(0, 5), st.integers(1, (1 << 30)), st.integers(0, 100_000), st.sampled_from([BUY, SELL]))
def test_rounding_keeps_the_order_of_prices(decimals, ticks, more, side):
    assert round_price(RULES[decimals], ticks, side) <= round_price(RULES[decimals], ticks + more, side)


@given(st.integers(1, 1 << 31))
def test_every_tick_is_a_price_without_a_rule(ticks):
    rules = rules_of(plain())
    assert price_step(rules, ticks) == 1
    assert round_price(rules, ticks, BUY) == round_price(rules, ticks, SELL) == ticks


def test_whole_prices_are_allowed_at_any_length():
    for price in (99_999, 100_000, 100_001, 123_457, 9_999_999):
        ticks = price * 10
        assert round_price(RULES[5], ticks, BUY) == ticks
        assert round_price(RULES[5], ticks + 1, BUY) == (ticks if price >= 10_000 else ticks + 1)


def test_figures_also_rule_where_a_tick_is_more_than_one():
    """Ticks of 10: no price is a fraction, five figures are five figures of ticks."""
    rules = rules_of(hyperliquid("X", 0, tick_size=Decimal(10), lot_size=Decimal(1)))
    assert [price_step(rules, ticks) for ticks in (99_999, 100_000, 1_000_000)] == [1, 10, 100]
    assert round_price(rules, 123_456, BUY) == 123_450
    assert round_price(rules, 123_456, SELL) == 123_460
