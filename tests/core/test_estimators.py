"""Estimators: fair value, volatility, intensity; by hand, against twins, and from simulated arrivals."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import MS, START_NS, S, book_row, feed, make_engine, row, tape, touch, trade
from makerside.core.estimators.fair import update_fair
from makerside.core.estimators.intensity import on_trade, update_intensity
from makerside.core.estimators.volatility import is_volatility_ready, update_volatility
from makerside.model.event import Kind
from makerside.model.market import INTENSITY_BUCKETS
from makerside.model.units import ASK, BID, BUY, SELL
from reference.estimators import ewma_variance, fit_intensity

from .test_book import new_market

# Fair value.


def fair(bid, ask, bid_lots, ask_lots):
    """Return (mid, microprice) of a touch."""
    market = new_market()
    market["bid_ticks"], market["ask_ticks"] = bid, ask
    market["bid_lots"], market["ask_lots"] = bid_lots, ask_lots
    update_fair(market)
    return market["mid_ticks"], market["micro_ticks"]


def test_fair_value_by_hand():
    assert fair(100, 101, 30, 10) == (100.5, 100.75)  # three quarters of the size bid: near the ask
    assert fair(100, 104, 1, 1) == (102.0, 102.0)
    assert fair(100, 100, 7, 3) == (100.0, 100.0)  # locked


@given(st.integers(1, 10**6), st.integers(0, 100), st.integers(1, 10**9), st.integers(1, 10**9))
def test_microprice_lies_in_the_touch_and_mirrors(bid, spread, bid_lots, ask_lots):
    mid, micro = fair(bid, bid + spread, bid_lots, ask_lots)
    assert mid == (2 * bid + spread) / 2
    assert bid - 1e-12 * mid <= micro <= bid + spread + 1e-12 * mid
    assert (micro - mid) * (bid_lots - ask_lots) >= 0
    mirrored = fair(bid, bid + spread, ask_lots, bid_lots)[1]
    assert mirrored - mid == pytest.approx(mid - micro, abs=1e-9 * mid)


# Volatility.


def sample(market, ts_ns, mid):
    """Show the estimator a mid at a time."""
    market["ts_local_ns"] = ts_ns
    market["mid_ticks"] = mid
    update_volatility(market)


def test_variance_by_hand():
    """Two changes of +3 and -1 ticks, 1 s and 2 s apart: plain mean of 9 and 1/2 during warm-up."""
    market = new_market()
    for seconds, mid in ((0, 100.0), (1, 103.0), (3, 102.0)):
        sample(market, START_NS + seconds * S, mid)
    assert market["volatility"]["variance"] == pytest.approx((9 + 0.5) / 2)


def test_mids_between_two_samples_do_not_count():
    market = new_market()
    sample(market, START_NS, 100.0)
    for ms in range(1, 1_000, 7):
        sample(market, START_NS + ms * MS, 100.0 + ms)
    assert market["volatility"]["n_samples"] == 1
    sample(market, START_NS + S, 102.0)
    assert market["volatility"]["variance"] == pytest.approx(4.0)


@given(st.lists(st.tuples(st.integers(1_000, 60_000), st.integers(-50, 50)), min_size=1, max_size=40))
def test_variance_equals_its_definition(steps):
    market, seconds, mid, samples = new_market(), 0.0, 5_000.0, []
    for elapsed_ms, change in [(0, 0), *steps]:
        seconds += elapsed_ms / 1_000
        mid += change / 2
        samples.append((seconds, mid))
        sample(market, START_NS + round(seconds * 1_000) * MS, mid)
    expected = ewma_variance(samples, market["volatility"]["half_life_s"])
    assert market["volatility"]["variance"] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_variance_forgets_half_in_a_half_life():
    market = new_market()
    half_life = int(market["volatility"]["half_life_s"])
    for second in range(1_000):
        sample(market, START_NS + second * S, float(second % 2))
    before = float(market["volatility"]["variance"])
    assert before == pytest.approx(1.0)
    last = float(market["mid_ticks"])
    for second in range(1_000, 1_000 + half_life):
        sample(market, START_NS + second * S, last)
    assert market["volatility"]["variance"] == pytest.approx(before / 2, rel=1e-9)


def test_variance_of_a_random_walk_is_recovered(rng):
    """20,000 steps of sigma = 4 ticks per root second; one memory of 120 s holds some 170 samples."""
    market, mid, found = new_market(), 50_000.0, []
    for second, step in enumerate(rng.normal(0.0, 4.0, 20_000)):
        mid += step
        sample(market, START_NS + second * S, mid)
        found.append(float(market["volatility"]["variance"]))
    assert np.mean(found[1_000:]) == pytest.approx(16.0, rel=0.05)
    assert np.std(found[1_000:]) < 16.0 * 0.15


def test_readiness_needs_ten_changes():
    market = new_market()
    for second in range(11):
        assert not is_volatility_ready(market)
        sample(market, START_NS + second * S, 100.0)
    assert is_volatility_ready(market)


# Intensity.

MID = 100_000


def flowing(window_ms=500, half_life_s=1e18, bucket=50.0, refit_s=5):
    """Return a market whose estimator has opened its first window around MID."""
    market = new_market()
    flow = market["intensity"]
    flow["window_ns"] = window_ms * MS
    flow["refit_ns"] = refit_s * S
    flow["half_life_s"] = half_life_s
    flow["range_bps"] = bucket * INTENSITY_BUCKETS / MID * 1e4
    show_mid(market, START_NS)
    assert flow["bucket_ticks"] == pytest.approx(max(1.0, bucket), rel=1e-12)
    flow["bucket_ticks"] = max(1.0, bucket)  # to the last bit: distances on an edge have one bucket
    return market


def show_mid(market, ts_ns, mid=float(MID)):
    """Let a message of the book arrive."""
    market["ts_local_ns"] = ts_ns
    market["mid_ticks"] = mid
    update_intensity(market)


def arrivals(rng, a, k, seconds):
    """Return (time in s, side, distance) of Poisson arrivals of rate a exp(-k d) beyond d, both sides."""
    found = []
    for side in (BUY, SELL):
        n = rng.poisson(a * seconds)
        for at, distance in zip(rng.uniform(0, seconds, n), rng.exponential(1 / k, n), strict=True):
            found.append((at, side, distance))
    return sorted(found)


def simulate(market, orders, message_ms, seconds, tick=1):
    """Show prints in time with messages of the book every `message_ms`. tick : prices are multiples of it"""
    messages = [(ms / 1_000, 0, 0.0) for ms in range(message_ms, int(seconds * 1_000), message_ms)]
    for at, side, distance in sorted(orders + messages):
        if side == 0:
            show_mid(market, START_NS + round(at * S))
            continue
        reached = math.floor(distance / tick) * tick
        if reached > 0:
            on_trade(market, side, MID + side * reached)


@pytest.mark.parametrize("width", [50.0, 1.0, 0.1])
def test_bucket_width_is_the_range_over_the_buckets_but_a_tick_at_least(width):
    assert flowing(bucket=width)["intensity"]["bucket_ticks"] == max(1.0, width)


def test_only_the_deepest_arrival_of_a_window_and_side_counts():
    market = flowing()
    for distance in (10, 130, 60):
        on_trade(market, BUY, MID + distance)
    on_trade(market, SELL, MID - 220)
    on_trade(market, SELL, MID + 30)  # behind the mid: reached no bid of ours
    show_mid(market, START_NS + 500 * MS)
    flow = market["intensity"]
    assert {i: float(h) for i, h in enumerate(flow["hits"]) if h} == {2: 1.0, 4: 1.0}
    assert flow["weight"] == 2.0


def test_arrivals_beyond_the_range_count_in_the_last_bucket():
    market = flowing()
    on_trade(market, BUY, MID + 50 * 1_000)
    show_mid(market, START_NS + 500 * MS)
    assert market["intensity"]["hits"][INTENSITY_BUCKETS - 1] == 1.0


def test_arrivals_of_a_half_life_ago_count_half():
    market = flowing(half_life_s=10.0)
    on_trade(market, BUY, MID + 60)
    show_mid(market, START_NS + 500 * MS)
    for ms in range(1_000, 10_501, 500):
        show_mid(market, START_NS + ms * MS)
    assert market["intensity"]["hits"][1] == pytest.approx(0.5, rel=1e-12)


def test_fit_equals_a_plain_regression(rng):
    """Messages exactly at the windows' ends, no forgetting: the twin counts and fits from the list."""
    market = flowing(refit_s=1)
    orders = arrivals(rng, 0.8, 0.004, 900)
    deepest = {}
    for at, side, distance in orders:
        key = int(at / 0.5), side
        deepest[key] = max(deepest.get(key, 0), math.floor(distance))
    simulate(market, orders, 500, 900.1)
    expected = fit_intensity([d for d in deepest.values() if d > 0], 2 * 1_800, 50.0, 0.5)
    flow = market["intensity"]
    assert flow["is_ready"] == 1
    assert (flow["a_per_s"], flow["k_per_tick"]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("a", "k"), [(0.3, 0.004), (1.0, 0.01), (3.0, 0.003)])
def test_intensity_is_recovered_from_poisson_arrivals(rng, a, k):
    """Two hours of arrivals: A and k within 10 %. Their standard errors are 1 to 3 %."""
    market = flowing()
    simulate(market, arrivals(rng, a, k, 7_200), 100, 7_200)
    assert market["intensity"]["a_per_s"] == pytest.approx(a, rel=0.10)
    assert market["intensity"]["k_per_tick"] == pytest.approx(k, rel=0.10)


@pytest.mark.parametrize("message_ms", [400, 900])
def test_intensity_does_not_depend_on_how_often_the_book_speaks(rng, message_ms):
    """Windows end with messages: 400 ms apart they are 800 ms long, and hold more than 500 ms of arrivals."""
    market = flowing()
    simulate(market, arrivals(rng, 1.0, 0.01, 7_200), message_ms, 7_200)
    assert market["intensity"]["a_per_s"] == pytest.approx(1.0, rel=0.15)
    assert market["intensity"]["k_per_tick"] == pytest.approx(0.01, rel=0.15)


def test_intensity_survives_an_interrupted_feed(rng):
    """An hour without any message, then 20 minutes (four half-lives) of the same flow as before."""
    market = flowing(half_life_s=300.0)
    before, after = arrivals(rng, 1.0, 0.01, 3_600), arrivals(rng, 1.0, 0.01, 1_200)
    simulate(market, before, 100, 3_600)
    steady = float(market["intensity"]["weight"])
    for at, side, distance in sorted(after + [(ms / 1_000, 0, 0.0) for ms in range(0, 1_200_000, 100)]):
        if side == 0:
            show_mid(market, START_NS + round((7_200 + at) * S))
            assert market["intensity"]["weight"] <= 1.01 * steady, "no more evidence than memory holds"
        elif distance >= 1:
            on_trade(market, side, MID + side * math.floor(distance))
    assert market["intensity"]["a_per_s"] == pytest.approx(1.0, rel=0.25)


def test_intensity_where_a_tick_is_coarse(rng):
    """A cheap coin: one tick is a bucket, the touch half a tick from the mid. A quote at d is reached by d."""
    market = flowing(bucket=1.0)
    a, k, half = 2.0, 1.0, MID + 0.5
    messages = [(ms / 1_000, 0, 0.0) for ms in range(100, 7_200_000, 100)]
    show_mid(market, START_NS, half)
    for at, side, distance in sorted(arrivals(rng, a, k, 7_200) + messages):
        if side == 0:
            show_mid(market, START_NS + round(at * S), half)
        elif distance >= 0.5:
            on_trade(market, side, round(half + side * (math.floor(distance - 0.5) + 0.5)))
    assert market["intensity"]["k_per_tick"] == pytest.approx(k, rel=0.10)
    assert market["intensity"]["a_per_s"] == pytest.approx(a, rel=0.20)


def test_intensity_where_prices_are_steps_of_ticks(rng):
    """Five significant figures at 100,000 ticks: prices are 10 ticks apart, a bucket is 25 ticks."""
    market = flowing(bucket=25.0)
    market["rules"]["significant_figures"] = 5
    a, k, mid = 2.0, 0.02, MID + 5.0
    messages = [(ms / 1_000, 0, 0.0) for ms in range(100, 7_200_000, 100)]
    show_mid(market, START_NS, mid)
    for at, side, distance in sorted(arrivals(rng, a, k, 7_200) + messages):
        if side == 0:
            show_mid(market, START_NS + round(at * S), mid)
        elif distance >= 5:
            on_trade(market, side, round(mid + side * (math.floor((distance - 5) / 10) * 10 + 5)))
    assert market["intensity"]["k_per_tick"] == pytest.approx(k, rel=0.10)
    assert market["intensity"]["a_per_s"] == pytest.approx(a, rel=0.10)


def test_a_gap_drops_the_window_that_it_falls_into():
    """Nobody knows what was traded while the feed was interrupted."""
    engine = make_engine()
    feed(engine, touch(9_999, 10_001), trade(BUY, 10_030, 1, START_NS + 1))
    feed(engine, row(Kind.GAP, START_NS + 2 * S))
    flow = engine.markets[0]["intensity"]
    width = float(flow["bucket_ticks"])
    feed(engine, touch(9_989, 9_991, START_NS + 3 * S), touch(9_989, 9_990, START_NS + 4 * S))
    assert (flow["weight"], flow["seconds"], flow["hits"].sum()) == (2.0, 1.0, 0.0)
    assert flow["bucket_ticks"] == width, "the buckets that were filled stay what they are"


def test_too_few_arrivals_fit_nothing():
    market = flowing()
    for i in range(1, 200):
        if i % 50 == 0:
            on_trade(market, BUY, MID + 120)
        show_mid(market, START_NS + i * 500 * MS)
    assert market["intensity"]["is_ready"] == 0


def test_two_distances_are_no_curve():
    """Arrivals in two buckets only: a line through two points always fits and says nothing."""
    market = flowing()
    for i in range(1, 400):
        on_trade(market, BUY if i % 2 else SELL, MID + (10 if i % 3 else 60) * (1 if i % 2 else -1))
        if i % 4:
            show_mid(market, START_NS + i * 500 * MS)
    assert np.count_nonzero(market["intensity"]["hits"]) == 2
    assert market["intensity"]["is_ready"] == 0


def test_a_flow_that_does_not_decay_fits_nothing(rng):
    """Every arrival beyond the range: no slope, no k."""
    market = flowing()
    for i in range(1, 400):
        on_trade(market, BUY, MID + 50 * INTENSITY_BUCKETS + 1)
        show_mid(market, START_NS + i * 500 * MS)
    assert market["intensity"]["is_ready"] == 0


# Everything together.

moves = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 10 * MS, 600 * MS, 2 * S, 7_200 * S]),
        st.integers(0, 6),
        st.integers(-40, 40),
        st.integers(0, 9),
    ),
    min_size=30,
    max_size=120,
)


@given(moves)
def test_estimates_are_finite_whatever_comes(sequence):
    engine = make_engine()
    now, mid = START_NS, 10_000
    for wait, what, shift, size in sequence:
        now += wait
        if what <= 2:
            mid = max(100, mid + shift)
            rows = touch(mid - what, mid + (shift % 3), now, bid_lots=size, ask_lots=size + 1)
        elif what == 3:
            rows = trade(BUY if shift > 0 else SELL, mid + 3 * shift, 1 + size, now)
        elif what == 4:
            rows = row(Kind.GAP, now)
        elif what == 5:
            rows = tape(
                book_row(Kind.SNAPSHOT, BID, mid - 1, size, now, last=False),
                book_row(Kind.SNAPSHOT, ASK, mid + 1, size, now),
            )
        else:
            rows = book_row(Kind.DELTA, ASK if shift > 0 else BID, mid + shift, size, now)
        feed(engine, rows)
    market = engine.markets[0]
    flow, vol = market["intensity"], market["volatility"]
    for value in (market["mid_ticks"], market["micro_ticks"], vol["variance"], flow["weight"], *flow["hits"]):
        assert math.isfinite(value)
        assert value >= 0
    assert math.isfinite(flow["a_per_s"])
    assert math.isfinite(flow["k_per_tick"])
    if flow["is_ready"]:
        assert flow["a_per_s"] > 0
        assert flow["k_per_tick"] > 0
