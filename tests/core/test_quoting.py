"""A quote on the desk: an allowed price, never crossing, in parts that sum to it to the last bit."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from builders import hyperliquid, make_engine, plain
from makerside.core.prices import price_step, round_price
from makerside.core.quoting import PRICE_LIMIT, add_quote
from makerside.model.event import Flag
from makerside.model.market import NO_ASK, NO_BID
from makerside.model.quote import QUOTE_CAPACITY, Part
from makerside.model.units import BUY, SELL

TICK = plain()
FIGURES = hyperliquid("BTC", 5)


def desk_of(instrument, bid, ask):
    """Return (market, desk) records with a touch and an empty desk that explains."""
    engine = make_engine(instruments=[instrument], prices=[1_000_000], start_ns=None)
    market, desk = engine.markets[0], engine.desks[0]
    market["bid_ticks"], market["ask_ticks"] = bid, ask
    desk["is_explaining"] = 1
    return market, desk


def add(market, desk, side, reference, inventory=0.0, half=0.0, deeper=0.0, lots=5, level=0):
    """Add a quote and return its price, None when it has none."""
    before = int(desk["n_quotes"])
    if add_quote(market, desk, 0, side, level, lots, reference, inventory, half, deeper) == 0:
        assert desk["n_quotes"] == before
        return None
    assert desk["n_quotes"] == before + 1
    return int(desk["quotes"][before]["price_ticks"])


def parts_of(desk, index=-1):
    """Return the parts of the last quote."""
    return desk["parts"][int(desk["n_quotes"]) + index]["ticks"].tolist()


references = st.floats(1.0, 2e9)
shares = st.floats(-0.02, 0.02)
widths = st.floats(0.0, 0.02)


@given(st.sampled_from([TICK, FIGURES]), st.sampled_from([BUY, SELL]), references, shares, widths, widths)
@example(TICK, SELL, 1.0, -0.0099, 0.0, 0.0)
@example(FIGURES, BUY, 999_999.5, 0.0, 0.0, 0.0)
def test_parts_sum_to_the_price_exactly(instrument, side, reference, shift, half, deeper):
    market, desk = desk_of(instrument, NO_BID, NO_ASK)
    given_parts = reference, shift * reference, half * reference, deeper * reference
    price = add(market, desk, side, *given_parts)
    if price is None:
        return
    parts = parts_of(desk)
    total = 0.0
    for part in parts:
        total += part
    assert total == price
    assert parts[Part.REFERENCE] == given_parts[0]
    assert parts[Part.INVENTORY] == given_parts[1]
    assert parts[Part.HALF_SPREAD] == -side * given_parts[2]
    assert parts[Part.LEVEL] == -side * given_parts[3]
    assert parts[Part.BOUND] == 0.0
    assert abs(parts[Part.ROUNDING]) < price_step(market["rules"], price)
    assert parts[Part.ROUNDING] * side <= 0, "away from the market"
    assert round_price(market["rules"], price, side) == price


@given(
    st.sampled_from([TICK, FIGURES]),
    st.sampled_from([BUY, SELL]),
    st.integers(2_000, 2_000_000),
    st.integers(0, 50),
    st.floats(-0.05, 0.05),
    widths,
)
def test_a_quote_stays_off_the_opposite_touch(instrument, side, bid, spread, shift, half):
    market, desk = desk_of(instrument, bid, bid + spread)
    reference = bid + spread / 2
    price = add(market, desk, side, reference, shift * reference, half * reference)
    if price is None:
        return
    assert price < bid + spread if side == BUY else price > bid
    parts = parts_of(desk)
    assert math.fsum(parts) == pytest.approx(price, abs=1e-6)
    total = 0.0
    for part in parts:
        total += part
    assert total == price
    if parts[Part.BOUND]:
        assert parts[Part.BOUND] * side < 0, "a bound only makes a quote less aggressive"
        assert abs(parts[Part.ROUNDING]) < 1e-6


@given(st.sampled_from([TICK, FIGURES]), st.sampled_from([BUY, SELL]), references, st.integers(2, 8))
def test_levels_of_a_side_never_share_a_price(instrument, side, reference, n):
    """Even with no distance between them each level is a step behind the one before."""
    assume(reference > 5_000)
    market, desk = desk_of(instrument, NO_BID, NO_ASK)
    prices = [add(market, desk, side, reference, level=level) for level in range(n)]
    prices = [price for price in prices if price is not None]
    assert prices == sorted(set(prices), reverse=side == BUY)
    for price in prices:
        assert round_price(market["rules"], price, side) == price


@pytest.mark.parametrize(
    ("side", "reference", "half", "price"),
    [
        (BUY, 10_000.7, 0.0, 10_000),
        (SELL, 10_000.2, 0.0, 10_001),
        (BUY, 10_000.0, 2.5, 9_997),
        (SELL, 10_000.0, 2.5, 10_003),
    ],
)
def test_prices_are_rounded_away_from_the_market(side, reference, half, price):
    market, desk = desk_of(TICK, 9_000, 11_000)
    assert add(market, desk, side, reference, half=half) == price


def test_bound_moves_a_quote_behind_the_touch_and_says_so():
    market, desk = desk_of(TICK, 9_999, 10_001)
    assert add(market, desk, BUY, 10_000.0, inventory=25.0) == 10_000
    assert parts_of(desk) == [10_000.0, 25.0, 0.0, 0.0, -25.0, 0.0]


@pytest.mark.parametrize("model", [0.0, -5.0, 0.4, math.nan, math.inf, -math.inf, PRICE_LIMIT, 1e300])
def test_a_quote_without_a_valid_price_is_not_laid(model):
    market, desk = desk_of(TICK, NO_BID, NO_ASK)
    with np.errstate(invalid="ignore"):
        assert add(market, desk, BUY, model) is None


@pytest.mark.parametrize("lots", [0, -1])
def test_a_quote_without_a_size_is_not_laid(lots):
    market, desk = desk_of(TICK, NO_BID, NO_ASK)
    assert add(market, desk, BUY, 100.0, lots=lots) is None


def test_a_full_desk_takes_no_more():
    market, desk = desk_of(TICK, NO_BID, NO_ASK)
    for level in range(QUOTE_CAPACITY):
        assert add(market, desk, BUY, 10_000.0 - level) is not None
    assert add(market, desk, SELL, 10_100.0) is None


def test_quotes_only_ever_make():
    market, desk = desk_of(TICK, 9_999, 10_001)
    add(market, desk, BUY, 9_990.0, level=3, lots=7)
    quote = desk["quotes"][0]
    assert (quote["flags"], quote["level"], quote["size_lots"], quote["side"]) == (Flag.POST_ONLY, 3, 7, BUY)


@pytest.mark.parametrize("half", [0.0, 1e-13])
def test_our_bid_is_below_our_ask(half):
    """The mid of an even spread is a price: without a half-spread both sides would round to it."""
    market, desk = desk_of(TICK, 9_998, 10_002)
    bid = add(market, desk, BUY, 10_000.0, half=half)
    ask = add(market, desk, SELL, 10_000.0, half=half)
    assert bid < ask
