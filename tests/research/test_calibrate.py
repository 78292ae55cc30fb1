"""Calibration beside the queue: latencies, A and k, slippage, and the profile that comes of it."""

import math
import tomllib
from dataclasses import replace

import numpy as np
import pytest

from builders import IS_INTERPRETED, MS, START_NS, S, config_of, plain, tape, touch
from makerside.config.load import load
from makerside.journal.reader import Journal, heads
from makerside.model.action import ActionKind
from makerside.model.errors import ConfigError, UserError
from makerside.model.event import Flag, Kind, Reason
from makerside.research.band import band_facts
from makerside.research.calibrate import calibrate, calibrate_runs
from makerside.research.order_flow import FlowLaw, synthetic_flow
from makerside.research.own_intensity import fit_own_intensity
from makerside.research.own_latency import NEEDED, law_of, own_latency
from makerside.research.own_orders import own_run
from makerside.research.profile_text import profile_text, write_profile
from makerside.runtime.run import RunRecord
from research.own_runs import ENTRY_NS, RESPONSE_NS, action, answer, fifo_run

LAW = FlowLaw(adds_per_s=20.0, takers_per_s=0.5, taker_lots=60.0, order_lots=3.0, back_bias=1.2)


def run_of(*parts, mode="backtest"):
    """Return a run of rows."""
    rows = tape(*parts)
    record = RunRecord(mode, config_of({}), [plain()], [10_000], False, {})
    return own_run("test", record, Journal(rows, heads(rows)))


def placed(number, decided_ns, entry_ns, response_ns, flags=int(Flag.POST_ONLY)):
    """Return the rows of an order that rests: decided, answered, heard of."""
    rows = answer(Kind.ORDER_ACK, number, decided_ns + entry_ns, 9_999, 0, 0)
    rows[0]["ts_local_ns"] = decided_ns + entry_ns + response_ns
    return [action(ActionKind.PLACE, number, decided_ns, 9_999, flags), rows]


# Latencies.


def test_a_law_is_measured():
    delays = np.random.default_rng(1).gamma(4.0, 10.0, 2_000)
    law = law_of(delays)
    low, middle, high = law.median_ms
    assert low < middle < high
    assert middle == np.median(delays)
    assert law.quantiles_ms[0] == (0.0, delays.min())
    assert law.quantiles_ms[-1] == (1.0, delays.max())
    slow, fast = law.scaled("low"), law.scaled("high")
    assert slow[0] == pytest.approx(high)
    assert fast[0] == pytest.approx(low)
    assert slow[1][5][1] > law.scaled("middle")[1][5][1] > fast[1][5][1]


def test_the_interval_of_a_median_covers_it():
    rng = np.random.default_rng(2)
    found = [law_of(rng.exponential(10.0, 101)).median_ms for _ in range(400)]
    inside = [low <= 10.0 * math.log(2) <= high for low, _, high in found]
    assert np.mean(inside) >= 0.92


def test_a_constant_needs_no_table():
    assert law_of(np.full(60, 35.0)).quantiles_ms == ()


def test_classes_are_told_apart():
    """Takers that the venue holds back for 100 ms: the base is the fastest class, the others have bumps."""
    rng, parts = np.random.default_rng(3), []
    for i in range(2 * NEEDED):
        is_taker = i % 2 == 1
        entry = 40 * MS + int(rng.integers(0, 2 * MS)) + (100 * MS if is_taker else 0)
        flags = int(Flag.IOC) if is_taker else int(Flag.POST_ONLY)
        parts += placed(i + 1, START_NS + i * S, entry, 20 * MS, flags)
    found = own_latency([run_of(touch(9_999, 10_001), *parts)])
    assert found.base == "post_only"
    assert found.bumps_ms()["post_only"] == 0.0
    assert found.bumps_ms()["taker"] == pytest.approx(100.0, abs=0.5)
    assert "cancel" not in found.bumps_ms(), "none was seen"
    assert np.median(found.response_ms) == 20.0


@pytest.mark.parametrize("ahead_ms", [300, -300])
def test_clocks_that_differ_keep_the_round_trip(ahead_ms):
    """The venue's clock is 300 ms off: no leg is negative, and the sum is what it was."""
    parts = []
    for i in range(NEEDED):
        parts += placed(i + 1, START_NS + i * S, (40 + ahead_ms + i % 3) * MS, (20 - ahead_ms) * MS)
    found = own_latency([run_of(touch(9_999, 10_001), *parts)])
    entry, response = found.entry_ms["post_only"], found.response_ms
    assert min(entry.min(), response.min()) >= 0
    assert found.shift_ms != 0
    assert np.median(entry) + np.median(response) == pytest.approx(61.0)


# A and k.


@pytest.mark.parametrize("k", [0.5, 2.0])
def test_a_and_k_come_back_and_their_intervals_cover(k):
    """Orders at random distances until they fill or are cancelled after 20 s; 200 repeats."""
    rng, a, inside = np.random.default_rng(4), 0.3, []
    bins = (np.arange(400) + 0.5) / 40
    for _ in range(60 if IS_INTERPRETED else 200):
        distance = rng.choice(bins[:160], 400)
        times = rng.exponential(1.0 / (a * np.exp(-k * distance)))
        exposure = np.zeros(len(bins))
        np.add.at(exposure, (distance * 40).astype(int), np.minimum(times, 20.0))
        fit = fit_own_intensity(distance[times < 20.0], exposure, bins)
        assert not fit.is_open
        inside.append((fit.k_per_bps[0] <= k <= fit.k_per_bps[2], fit.a_per_s[0] <= a <= fit.a_per_s[2]))
    assert (np.mean(inside, axis=0) >= 0.90).all()


def test_equal_exposure_gives_the_gamma_of_the_formula():
    """Distances from 0 to far with equal exposure: k is Gamma(n, sum of distances), formulas d-3."""
    distance = np.random.default_rng(5).exponential(1.0 / 2.0, 80)
    bins = (np.arange(4_000) + 0.5) / 100
    fit = fit_own_intensity(distance, np.ones(4_000), bins)
    exact = np.random.default_rng(6).gamma(80, 1.0 / distance.sum(), 200_000)
    assert fit.k_per_bps[1] == pytest.approx(80 / distance.sum(), rel=0.01)
    assert fit.k_per_bps[0] == pytest.approx(np.quantile(exact, 0.025), rel=0.03)
    assert fit.k_per_bps[2] == pytest.approx(np.quantile(exact, 0.975), rel=0.03)


def test_one_distance_does_not_tell_k():
    assert fit_own_intensity(np.full(100, 0.5), np.array([500.0]), np.array([0.5])).is_open


# Slippage.


def test_slippage_is_the_fill_against_the_mid_at_the_decision():
    parts = [touch(9_999, 10_001, START_NS - S)]
    for i in range(20):
        ts = START_NS + i * S
        parts.append(action(ActionKind.PLACE, i + 1, ts, 10_010, int(Flag.IOC)))
        row = answer(Kind.FILL, i + 1, ts + 40 * MS, 10_003 if i % 2 else 10_001, int(Flag.TAKER), i + 1)
        parts.append(row)
    found = {one.name: one for one in calibrate_runs([run_of(*parts)]).figures}["slippage_bps"]
    assert found.n == 20
    assert found.middle == pytest.approx(2.0)
    assert found.low < 2.0 < found.high


# Own orders.


def test_lives_of_orders():
    ts = START_NS
    cancel = [action(ActionKind.CANCEL, 2, ts + S, 9_999, 0)]
    ended = answer(Kind.ORDER_CANCELED, 2, ts + S + 50 * MS, 9_999, 0, int(Reason.USER))
    filled = answer(Kind.FILL, 1, ts + 3 * S, 9_999, 0, 77)
    run = run_of(
        touch(9_999, 10_001, ts - S),
        placed(1, ts, 40 * MS, 20 * MS),
        placed(2, ts, 40 * MS, 20 * MS),
        cancel,
        ended,
        [filled, filled],
        touch(9_998, 10_001, ts + 9 * S),
    )
    first, second = run.orders
    assert (first["rested_ns"], first["fill_ns"], first["is_taker"]) == (ts + 40 * MS, ts + 3 * S, 0)
    assert (second["end_ns"], second["fill_ns"]) == (ts + S + 50 * MS, 0)
    assert second["canceled_ns"] - second["cancel_decided_ns"] == 50 * MS
    assert first["end_ns"] == ts + 9 * S, "it never ended: the run did"
    assert len(run.responses_ns) == 4, "the fill that came twice counts once"


def test_a_paper_run_lives_on_our_clock():
    late = touch(9_999, 10_001, START_NS + 500 * MS, venue=START_NS)
    assert run_of(late, mode="paper").market_ns.tolist() == [START_NS + 500 * MS] * 2
    assert run_of(late, mode="live").market_ns.tolist() == [START_NS] * 2


# The whole, and its profile.


@pytest.fixture(scope="module")
def found():
    """Return the calibration of one known market, and the run."""
    if IS_INTERPRETED:
        pytest.skip("an hour of market: too slow interpreted")
    run = fifo_run(synthetic_flow(LAW, 3_600, 1), every_s=10.0)
    return calibrate_runs([run])


def test_a_profile_is_read_as_it_was_written(found, tmp_path):
    path = tmp_path / "profile.toml"
    write_profile(path, found)
    assert list(tmp_path.iterdir()) == [path]
    exponents = []
    for level in ("low", "middle", "high"):
        loaded = load(None, [], environment={}, profile=path, level=level)
        for name, value in found.settings[level].items():
            assert getattr(loaded.config.simulation, name) == value
            assert loaded.sources[f"simulation.{name}"] == f"{path} ({level})"
        exponents.append(loaded.config.simulation.queue_exponent)
    assert loaded.config.simulation.queue == "power3"
    assert exponents[0] > exponents[1] > exponents[2], "of power3 the larger one fills less"
    assert loaded.config.simulation.entry_ms == ENTRY_NS / MS
    assert loaded.config.simulation.response_ms == RESPONSE_NS / MS
    figures = tomllib.loads(path.read_text())["figures"]
    assert figures["queue_exponent"]["n"] >= figures["queue_exponent"]["needed"]
    assert figures["queue_exponent"]["low"] <= 2.2 <= figures["queue_exponent"]["high"]
    assert "20 missing" in figures["slippage_bps"]["note"]
    assert "middle" not in figures["slippage_bps"]


def test_what_is_said_later_wins_over_the_profile(found, tmp_path):
    path = tmp_path / "profile.toml"
    law = ((0.0, 10.0), (1.0, 30.0))
    settings = {level: {**one, "entry_quantiles_ms": law} for level, one in found.settings.items()}
    write_profile(path, replace(found, settings=settings))
    assert load(None, [], {}, profile=path).config.simulation.entry_quantiles_ms == law
    chosen = ["simulation.queue_exponent=7", "simulation.entry_ms=5"]
    loaded = load(None, chosen, {}, profile=path)
    assert loaded.config.simulation.queue_exponent == 7
    assert loaded.config.simulation.entry_ms == 5
    assert loaded.config.simulation.entry_quantiles_ms == (), "a constant that is set replaces the law"
    assert loaded.sources["simulation.queue_exponent"] == "--set"


def test_too_little_says_what_is_missing_and_sets_nothing():
    few = calibrate_runs([run_of(touch(9_999, 10_001), placed(1, START_NS, 40 * MS, 20 * MS))])
    assert few.settings == {"low": {}, "middle": {}, "high": {}}
    assert not any(one.is_known for one in few.figures)
    text = profile_text(few)
    assert "not enough: 1 of 50, 49 missing" in text
    assert "not enough: 0 of 40, 40 missing" in text
    for level in ("low", "middle", "high"):
        assert tomllib.loads(text)[level] == {"simulation": {}}


def test_a_run_that_is_given_twice(tmp_path):
    with pytest.raises(UserError, match="is given twice"):
        calibrate([tmp_path, tmp_path / ".." / tmp_path.name])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = 1", r"no table \[low\.simulation\]"),
        ("version = 2", "version: 2; profiles of version 1 are read"),
        ("[simulation]\nqueue = 'power'", "simulation: unknown key; a profile has version"),
        ("version = 1\n[low.simulation]\n[middle.simulation]\n[high.simulation]\n[high.risk]\n", "high.risk"),
        ("version = 1\nlow = 3\n", r"no table \[low\.simulation\]"),
        ("version =", "not valid TOML"),
    ],
)
def test_what_is_no_profile(tmp_path, text, words):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load(None, [], {}, profile=path)


def test_a_value_out_of_range_in_a_profile(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(
        "version = 1\n[low.simulation]\n[middle.simulation]\nqueue_exponent = -1\n[high.simulation]\n"
    )
    with pytest.raises(ConfigError, match=r"simulation\.queue_exponent"):
        load(None, [], {}, profile=path)


@pytest.mark.parametrize(
    ("net", "words"),
    [
        ((-3, -2, -1), "no level of the profile makes money"),
        ((-1, 2, 3), "worth nothing"),
        ((1, 2, 8), "the band is wider than the profit"),
        ((8, 10, 12), "larger than what the exchange leaves unknown"),
    ],
)
def test_what_a_result_is_worth(net, words):
    summaries = {
        level: {
            "pnl_net": str(value),
            "pnl_parts": {"spread": str(value)},
            "orders_placed": 5,
            "fills": 3,
            "maker_fills": 3,
            "volume": "10",
            "markouts": [{"horizon_s": 10.0, "gross_bps": None}],
        }
        for level, value in zip(("low", "middle", "high"), net, strict=True)
    }
    facts = band_facts(summaries)
    assert words in facts["verdict"]
    assert facts["width"] == str(max(net) - min(net))
    assert facts["rows"]["net PnL"] == [str(value) for value in net]
