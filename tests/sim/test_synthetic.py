"""The synthetic market: same seed, same bytes; any cut, same rows; a legal, uncrossed book at every message."""

import hashlib
import os
import subprocess
import sys
from decimal import Decimal

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makerside.core.book import apply_book_row, book_clear, end_message
from makerside.core.prices import round_price
from makerside.model.errors import ConfigError
from makerside.model.event import Flag, Kind, event_t
from makerside.model.instrument import Instrument, instrument_t
from makerside.model.market import NO_ASK, NO_BID, WINDOW_MASK, book_t
from makerside.model.units import ASK, BID, BUY, NS_PER_S
from makerside.sim.market_model import KNOTS, MarketModel, knot_shares
from makerside.sim.market_models import load_model, model_names
from makerside.sim.random import exponential, random_t, seed_random, uniform
from makerside.sim.synthetic import book_of, generate, open_market
from makerside.sim.synthetic_flow import draw_lots

IS_INTERPRETED = bool(numba.config.DISABLE_JIT)
LAST, SELL_FLAG = int(Flag.LAST), int(Flag.SELL)
START_NS = NS_PER_S


def hyperliquid(symbol, size_decimals):
    """Return a perpetual with Hyperliquid's price rule."""
    tick, lot = Decimal(1).scaleb(size_decimals - 6), Decimal(1).scaleb(-size_decimals)
    return Instrument("hyperliquid", symbol, tick, lot, significant_figures=5)


BTC = hyperliquid("BTC", 5)
# Price levels far apart; the third crosses a power of ten, where Hyperliquid's price step changes.
MARKETS = {
    "BTC": (BTC, 64_000.0),
    "ETH": (hyperliquid("ETH", 4), 3_400.0),
    "at a power of ten": (hyperliquid("SOL", 2), 100.0005),
    "coin of 0.0025": (hyperliquid("COIN", 0), 0.0025),
    "fine grid": (Instrument("lighter", "BTC", Decimal("0.1"), Decimal("0.00001")), 118_000.0),
}


def seconds_of(compiled):
    """Return how many seconds of market a test of this mode affords."""
    return compiled / 60 if IS_INTERPRETED else compiled


def rows_of(states, seconds, n_max=400_000):
    """Return the rows up to a time after the opening."""
    out = np.zeros(n_max, event_t)
    n = generate(states[0], START_NS + int(seconds * NS_PER_S), out, n_max)
    assert n < n_max
    return out[:n].copy()


def open_btc(seed=1, **changes):
    return open_market(load_model("btc"), BTC, 64_000.0, seed, **changes)


def digest_of(seconds):
    """Return the hash of rows and state: what another process must find again."""
    states = open_btc(seed=5)
    rows = rows_of(states, seconds)
    return hashlib.sha256(rows.tobytes() + states.tobytes()).hexdigest()


# Random numbers.


def test_random_numbers_are_the_published_ones():
    """L'Ecuyer's RngStreams with its default seed of 12345 starts with these numbers."""
    record = np.zeros(1, random_t)[0]
    record["first"][:] = record["second"][:] = 12345
    found = [uniform(record) for _ in range(3)]
    assert found == pytest.approx([0.127011122046577, 0.318527565396795, 0.309186015583270], abs=1e-14)


def _numbers(seed, n, draw=uniform, stream=0):
    record = np.zeros(1, random_t)[0]
    seed_random(record, seed, stream)
    return np.array([draw(record) for _ in range(n)])


def test_random_numbers_are_uniform_and_independent():
    n = 20_000 if not IS_INTERPRETED else 5_000
    numbers = _numbers(7, n)
    assert numbers.min() > 0.0
    assert numbers.max() < 1.0
    counts = np.histogram(numbers, 20, (0.0, 1.0))[0]
    assert ((counts - n / 20) ** 2).sum() / (n / 20) < 44  # chi-square, 19 degrees: 0.1 %
    bound = 3.5 / np.sqrt(n)
    for lag in (1, 2, 3, 7):
        assert abs(np.corrcoef(numbers[lag:], numbers[:-lag])[0, 1]) < bound
    other = _numbers(7, n, stream=1)
    assert abs(np.corrcoef(numbers, other)[0, 1]) < bound
    assert abs(_numbers(8, n, exponential).mean() - 1.0) < 2 * bound


@given(st.integers(-(1 << 70), 1 << 70), st.integers(-10, 1 << 40))
@settings(max_examples=30)
def test_any_seed_starts_a_valid_state(seed, stream):
    record = np.zeros(1, random_t)[0]
    seed_random(record, seed, stream)
    before = record.copy()
    for _ in range(20):
        assert 0.0 < uniform(record) < 1.0
    assert record != before


def test_sizes_follow_their_table():
    table = np.linspace(1.0, 100.0, KNOTS) ** 2
    record = np.zeros(1, random_t)[0]
    seed_random(record, 3)
    draws = np.array([draw_lots(record, table) for _ in range(20_000 if not IS_INTERPRETED else 4_000)])
    expected = np.interp(np.linspace(0, 1, 20_001), knot_shares(), table)
    for share in (0.1, 0.5, 0.9, 0.98):
        assert np.quantile(draws, share) == pytest.approx(np.quantile(expected, share), rel=0.12)
    assert np.sqrt(draws).mean() == pytest.approx(np.sqrt(expected).mean(), rel=0.03)


# Determinism.


def test_same_seed_same_bytes_and_another_seed_others():
    seconds = seconds_of(60)
    first, again, other = open_btc(1), open_btc(1), open_btc(2)
    assert rows_of(first, seconds).tobytes() == rows_of(again, seconds).tobytes()
    assert first.tobytes() == again.tobytes()
    assert rows_of(other, seconds).tobytes() != rows_of(open_btc(1), seconds).tobytes()


@given(
    st.lists(st.integers(0, 3 * NS_PER_S // (60 if IS_INTERPRETED else 1)), min_size=1, max_size=8),
    st.sampled_from([1, 7, 100, 5_000]),
)
@settings(max_examples=3 if IS_INTERPRETED else 40)
def test_any_cut_gives_the_same_rows(times_ns, n_max):
    whole, cut = open_btc(4), open_btc(4)
    end_ns = START_NS + max(times_ns)
    expected = np.zeros(20_000, event_t)
    n = generate(whole[0], end_ns, expected, len(expected))
    out, parts = np.zeros(n_max, event_t), []
    for time_ns in sorted(times_ns):
        while True:
            k = generate(cut[0], START_NS + time_ns, out, n_max)
            parts.append(out[:k].copy())
            if k == 0:
                break
    assert np.concatenate(parts).tobytes() == expected[:n].tobytes()
    assert cut.tobytes() == whole.tobytes()


def test_a_full_block_ends_with_a_whole_message():
    states, out = open_btc(), np.zeros(1_000, event_t)
    for _ in range(3 if IS_INTERPRETED else 20):
        n = generate(states[0], 1 << 60, out, len(out))
        assert 900 < n <= 1_000
        assert out[n - 1]["flags"] & LAST


def test_nothing_before_the_opening():
    states, out = open_btc(), np.zeros(1_000, event_t)
    assert generate(states[0], START_NS - 1, out, len(out)) == 0
    n = generate(states[0], START_NS, out, len(out))
    assert n > 100
    assert (out[:n]["kind"] == Kind.SNAPSHOT).all()
    assert (out[:n]["ts_local_ns"] == START_NS).all()


@pytest.mark.skipif(IS_INTERPRETED, reason="this test compares with a process that interprets")
def test_compiled_and_interpreted_give_the_same_bytes():
    code = "import test_synthetic as t; print(t.digest_of(4.0))"
    paths = [os.path.dirname(__file__), *sys.path]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(paths)}
    answer = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == digest_of(4.0)


# What the rows say.


class Book:
    """The book that a reader of the rows keeps."""

    def __init__(self):
        self.record = np.zeros(1, book_t)[0]
        self.record["low_ticks"], self.record["high_ticks"] = NO_ASK, NO_BID
        book_clear(self.record)

    def apply(self, row):
        flags, lots, ts_ns = int(row["flags"]), int(row["size_lots"]), int(row["ts_venue_ns"])
        if row["kind"] != Kind.TRADE:
            side = ASK if flags & SELL_FLAG else BID
            apply_book_row(self.record, int(row["kind"]), side, int(row["price_ticks"]), lots, ts_ns)
        if flags & LAST:
            end_message(self.record)

    def levels(self):
        """Return {side: {price in ticks: lots}}."""
        base, found = int(self.record["base_ticks"]), {BID: {}, ASK: {}}
        for side, slot in zip(*np.nonzero(self.record["lots"]), strict=True):
            tick = base + ((int(slot) - base) & WINDOW_MASK)
            found[int(side)][tick] = int(self.record["lots"][side, slot])
        return found


def told(levels, states):
    """Return the levels without those whose change still waits for its message."""
    state = states[0]
    waiting = state["pending"][: state["n_pending"]]
    return {
        side: {
            tick: lots
            for tick, lots in levels[side].items()
            if tick // int(state["step_ticks"]) * 2 + side not in waiting
        }
        for side in (BID, ASK)
    }


@pytest.mark.parametrize(("instrument", "price"), MARKETS.values(), ids=MARKETS.keys())
def test_rows_are_a_legal_market(instrument, price):
    states = open_market(load_model("btc"), instrument, price, 9, volatility_scale=3.0)
    rows = rows_of(states, seconds_of(30))
    rules, book = np.zeros(1, instrument_t), Book()
    instrument.fill_record(rules[0])
    for row in rows:
        tick = int(row["price_ticks"])
        assert round_price(rules[0], tick, BUY) == tick > 0
        assert row["size_lots"] >= (1 if row["kind"] != Kind.DELTA else 0)
        book.apply(row)
        if row["flags"] & LAST:
            assert book.record["bid_ticks"] < book.record["ask_ticks"]
            assert book.record["bid_ticks"] != NO_BID
            assert book.record["ask_ticks"] != NO_ASK
    assert told(book.levels(), states) == told(book_of(states), states)
    assert abs(book.record["bid_ticks"] * float(instrument.tick_size) / price - 1.0) < 0.02


@pytest.mark.parametrize(("instrument", "price"), MARKETS.values(), ids=MARKETS.keys())
def test_message_times_rise(instrument, price):
    states = open_market(load_model("btc"), instrument, price, 9, stream=3)
    rows = rows_of(states, seconds_of(30))
    ends = rows["flags"] & LAST != 0
    assert ends[-1]
    assert np.array_equal(rows["ts_venue_ns"], rows["ts_local_ns"])
    assert (np.diff(rows["ts_local_ns"][ends]) > 0).all()
    assert (np.diff(rows["ts_local_ns"])[~ends[:-1]] == 0).all()
    assert (rows["instrument"] == 3).all()


def test_every_print_takes_from_the_best_level_that_the_reader_knows():
    rows, book, n_prints = rows_of(open_btc(6), seconds_of(120)), Book(), 0
    for row in rows:
        if row["kind"] == Kind.TRADE:
            n_prints += 1
            is_sell = bool(row["flags"] & SELL_FLAG)
            best = book.record["bid_ticks"] if is_sell else book.record["ask_ticks"]
            # A large order walks behind the touch, never in front of it.
            assert (best - row["price_ticks"]) * (1 if is_sell else -1) >= 0
        book.apply(row)
    assert n_prints > 20


def test_both_sides_of_a_power_of_ten_stand_in_one_book():
    """Below 100 the price step is a tenth of that above."""
    instrument, price = MARKETS["at a power of ten"]
    states = open_market(load_model("btc"), instrument, price, 2)
    levels = book_of(states)
    ticks = sorted(tick for side in levels.values() for tick in side)
    limit = int(100 / float(instrument.tick_size))
    assert ticks[0] < limit < ticks[-1]
    assert all(tick % 100 == 0 for tick in ticks if tick >= limit)
    assert any(tick % 100 for tick in ticks if tick < limit)


# Models and scales.


def test_scales_do_what_they_say():
    if IS_INTERPRETED:
        pytest.skip("needs minutes of market")
    seconds = 300
    plain = rows_of(open_btc(3), seconds)
    busy = rows_of(open_btc(3, rate_scale=2.0), seconds)
    small = rows_of(open_btc(3, size_scale=0.1), seconds)
    assert len(busy) / len(plain) == pytest.approx(2.0, rel=0.15)
    level = np.median(plain["size_lots"][plain["kind"] == Kind.SNAPSHOT])
    assert np.median(small["size_lots"][small["kind"] == Kind.SNAPSHOT]) / level == pytest.approx(0.1, rel=0.5)


def test_a_start_price_or_scale_that_does_not_fit_is_an_error():
    model = load_model("btc")
    with pytest.raises(ConfigError, match="ticks"):
        open_market(model, BTC, 1e12, 1)
    with pytest.raises(ConfigError, match="above 0"):
        open_market(model, BTC, 64_000.0, 1, rate_scale=0.0)


def test_models_come_back_from_json_and_refuse_what_is_wrong():
    model = load_model("btc")
    assert model_names() == ("btc",)
    assert MarketModel.from_dict(model.as_dict()) == model == model.rounded()
    with pytest.raises(ConfigError, match="not one of btc"):
        load_model("gold")
    for name, value in (
        ("refill_per_s", 0.0),
        ("edges_bps", (0.0, 1.0)),
        ("branching", (0.6, 0.6)),
        ("trade_usd", (1.0,) * 3),
        ("level_usd", (0.0,) * len(model.level_usd)),
    ):
        with pytest.raises(ConfigError, match="market model BTC"):
            MarketModel.from_dict({**model.as_dict(), name: value})
    with pytest.raises(ConfigError, match="unknown keys"):
        MarketModel.from_dict({**model.as_dict(), "colour": 1})
