"""Strategies by the quotes that they emit through `step`."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import PLAIN_TICKS, START_NS, Market, events_of, feed, make_engine, timer
from makerside.core.prices import price_step
from makerside.model.quote import N_PARTS, Part
from makerside.model.units import BUY

from .emitted import BASE, MID, STRATEGIES, Scene, expected, settings_of

either = pytest.mark.parametrize("name", STRATEGIES)
names = st.sampled_from(STRATEGIES)


def scene(name, **changes):
    """Return a scene of a strategy; keys with a dot are settings."""
    settings = {"strategy.name": name}
    settings.update({key: changes.pop(key) for key in [key for key in changes if "." in key]})
    return Scene(settings=settings, **changes)


@given(
    names,
    st.integers(1, 400),
    st.integers(1, 400),
    st.integers(1, 900),
    st.integers(1, 900),
    st.sampled_from([0.0, 100.0, 22_500.0, 360_000.0]),
    st.integers(-300, 300),
    st.sampled_from([0.001, 0.02, 0.3]),
    st.sampled_from([0.05, 0.3, 2.0]),
    st.sampled_from(["mid", "micro"]),
)
def test_quotes_are_those_of_the_published_formulas(
    name, below, above, bid_lots, ask_lots, variance, position, gamma, k, reference
):
    """Every price is the model's, rounded away from the market, unless the touch bounds it."""
    given_scene = scene(
        name,
        bid=MID - below,
        ask=MID + above,
        bid_lots=bid_lots,
        ask_lots=ask_lots,
        variance=variance,
        position=position,
        **{
            "strategy.gamma_per_usd": gamma,
            "strategy.intensity_k_per_bps": k,
            "strategy.reference": reference,
        },
    )
    bids, asks = given_scene.prices()
    model_bids, model_asks = expected(given_scene)
    last = MID + above
    for price, model in zip(bids, model_bids, strict=True):
        bounded = min(model, last - 1)
        assert price <= bounded + 1e-6
        assert price > bounded - 1 - 1e-6
        last = price
    last = MID - below
    for price, model in zip(asks, model_asks, strict=True):
        bounded = max(model, last + 1)
        assert price >= bounded - 1e-6
        assert price < bounded + 1 + 1e-6
        last = price


@either
def test_bids_are_below_asks_and_off_the_touch(name):
    for position in range(-400, 401, 50):
        each = scene(name, position=position)
        bids, asks = each.prices()
        assert max(bids) < min(asks)
        assert max(bids) < each.ask
        assert min(asks) > each.bid


@either
def test_skew_moves_against_inventory_and_is_monotone(name):
    quotes = [scene(name, position=q).prices() for q in range(-300, 301, 25)]
    for one, more in itertools.pairwise(quotes):
        for side in (0, 1):
            assert all(b <= a for a, b in zip(one[side], more[side], strict=True)), (
                "more position, lower quotes"
            )
    middle = scene(name).prices()
    for (bids, asks), sign in ((quotes[0], 1), (quotes[-1], -1)):
        assert (bids[0] - middle[0][0]) * sign > 0
        assert (asks[0] - middle[1][0]) * sign > 0


@either
@given(st.integers(1, 300), st.integers(-200, 200), st.sampled_from([0.0, 90_000.0]))
def test_a_mirrored_market_and_position_mirror_the_quotes(name, half, position, variance):
    given_scene = scene(name, bid=MID - half, ask=MID + half, position=position, variance=variance)
    mirrored = scene(name, bid=MID - half, ask=MID + half, position=-position, variance=variance)
    bids, asks = given_scene.prices()
    other_bids, other_asks = mirrored.prices()
    assert [2 * MID - price for price in other_asks] == bids
    assert [2 * MID - price for price in other_bids] == asks


@either
def test_a_mirrored_microprice_mirrors_the_quotes(name):
    micro = {"strategy.reference": "micro"}
    bids, asks = scene(name, bid_lots=900, ask_lots=300, position=40, **micro).prices()
    other_bids, other_asks = scene(name, bid_lots=300, ask_lots=900, position=-40, **micro).prices()
    for price, other in zip(bids + asks, other_asks + other_bids, strict=True):
        assert abs(2 * MID - other - price) <= 1


@either
def test_more_volatility_widens(name):
    widths = []
    for variance in (0.0, 22_500.0, 90_000.0, 360_000.0):
        bids, asks = scene(name, variance=variance).prices()
        widths.append(asks[0] - bids[0])
    assert widths == sorted(widths)
    assert widths[0] < widths[2] < widths[3]


@either
def test_ten_times_gamma_moves_the_quotes_by_the_formula(name):
    calm, keen = (scene(name, position=150, **{"strategy.gamma_per_usd": g}) for g in (0.02, 0.2))
    for side in (0, 1):
        moved = np.subtract(keen.prices()[side], calm.prices()[side])
        wanted = np.subtract(expected(keen)[side], expected(calm)[side])
        assert np.abs(wanted[0]) > 50
        assert np.abs(moved - wanted).max() < 1.0 + 1e-6


@either
def test_a_flow_that_reaches_deeper_widens(name):
    """Smaller k: arrivals reach further, quotes can stand further away."""
    near, far = (scene(name, fitted=(0.4, k)).prices() for k in (0.01, 0.001))
    assert far[1][0] - far[0][0] > near[1][0] - near[0][0]


@either
@given(
    st.integers(-300, 300),
    st.sampled_from([0.0, 50_000.0]),
    st.integers(1, 400),
    st.sampled_from(["mid", "micro"]),
)
def test_parts_sum_to_the_price_and_rounding_is_less_than_a_step(name, position, variance, half, reference):
    settings = {"strategy.reference": reference, "strategy.gamma_per_usd": 0.2}
    each = scene(name, position=position, variance=variance, bid=MID - half, ask=MID + half + 1, **settings)
    *_, engine = each.emit()
    desk, rules = engine.desks[0], engine.markets[0]["rules"]
    assert desk["n_quotes"] == 2 * BASE["strategy.levels"]
    for q in range(int(desk["n_quotes"])):
        parts = [float(part) for part in desk["parts"][q]["ticks"]]
        total = 0.0
        for part in parts:
            total += part
        price = int(desk["quotes"][q]["price_ticks"])
        assert total == price
        assert abs(parts[Part.ROUNDING]) < price_step(rules, price)
        assert len(parts) == N_PARTS
        sign = 1 if desk["quotes"][q]["side"] == BUY else -1
        assert parts[Part.HALF_SPREAD] * sign < 0
        assert parts[Part.LEVEL] * sign <= 0
        assert parts[Part.INVENTORY] * position <= 0


@either
def test_levels_and_sizes_are_a_ladder(name):
    bids, asks, _ = scene(name, variance=0.0).emit()
    assert [lots for _, lots in bids] == [lots for _, lots in asks] == [50, 60, 72]
    steps = -np.diff([price for price, _ in bids])
    assert steps == pytest.approx([300, 450], abs=2)  # 3 bps, then 1.5 times as much
    assert np.diff([price for price, _ in asks]) == pytest.approx([300, 450], abs=2)


@either
@pytest.mark.parametrize(("floor", "cap", "half"), [(40.0, 500.0, 4_000), (0.1, 0.5, 50)])
def test_half_spread_has_a_floor_and_a_cap(name, floor, cap, half):
    settings = {"strategy.half_spread_min_bps": floor, "strategy.half_spread_max_bps": cap}
    bids, asks = scene(name, bid=MID - 10, ask=MID + 10, **settings).prices()
    assert (MID - bids[0], asks[0] - MID) == pytest.approx((half, half), abs=1)


@either
def test_limits_clip_what_is_emitted(name):
    bids, asks, _ = scene(name, position=70, **{"risk.position_max_usd": 100}).emit()
    assert sum(lots for _, lots in bids) <= 30
    assert sum(lots for _, lots in asks) <= 170


@either
def test_every_quote_of_a_run_is_valid(name, rng):
    """A random market and position: no NaN, no crossing, prices positive, at most `levels` a side."""
    engine = make_engine(settings_of({"strategy.name": name}), is_scripted=False)
    market, now = Market(rng), START_NS
    feed(engine, market.snapshot(now))
    for i in range(events_of(3_000)):
        now += int(rng.exponential(4e7))
        engine.accounts[0]["positions"][0]["position_lots"] = int(rng.integers(-500, 500))
        feed(engine, market.next(now), timer(now))
        desk = engine.desks[0]
        quotes = desk["quotes"][: desk["n_quotes"]]
        bids = quotes["price_ticks"][quotes["side"] == BUY]
        asks = quotes["price_ticks"][quotes["side"] != BUY]
        assert len(bids) <= 3
        assert len(asks) <= 3
        if i > 20:
            assert len(bids) == len(asks) == 3
            assert 0 < bids.max() < asks.min() < 10 * PLAIN_TICKS
        assert math.isfinite(float(engine.markets[0]["volatility"]["variance"]))


def test_sizes_that_the_settings_allow_are_sizes():
    """Sixteen levels, the deepest as large as a configuration may be: above any limit, and clipped to it."""
    settings = {"strategy.levels": 16, "strategy.size_step": 3.0, "strategy.size_usd": 690.0}
    *_, engine = scene("glft", **settings).emit()
    desk = engine.desks[0]
    assert desk["n_quotes"] == 32
