"""From configuration to records: exact units, and a refusal before the start instead of a silent bot."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    MS,
    PLAIN_TICKS,
    START_NS,
    S,
    config_of,
    feed,
    hyperliquid,
    make_engine,
    plain,
    timer,
    touch,
)
from makerside.config.convert import usd_e8
from makerside.engine import Engine, opening_rows
from makerside.model.errors import ConfigError
from makerside.model.event import Kind
from makerside.model.market import NO_ASK, NO_BID
from makerside.model.order import ORDER_CAPACITY
from makerside.model.units import E8
from makerside.strategies.ladder import LadderParam

SETTINGS = {
    "bot.id": 7,
    "risk.position_max_usd": 250,
    "risk.order_max_usd": 0.3,
    "risk.total_max_usd": 1_234.56789012,
    "risk.price_band_bps": 12.5,
    "risk.stale_s": 1.5,
    "pacing.flush_ms": 0.25,
    "pacing.hysteresis_bps": 0.3,
    "pacing.timeout_ms": 2_500,
    "pacing.budget_actions": 12.5,
    "pacing.budget_per_s": 0.1,
    "pacing.reserve_actions": 2.5,
    "estimators.volatility_sample_ms": 100,
    "estimators.volatility_half_life_s": 33.0,
    "estimators.intensity_window_ms": 250,
    "estimators.intensity_half_life_s": 44.0,
    "estimators.intensity_refit_s": 2.5,
    "estimators.intensity_range_bps": 6.0,
    "strategy.size_usd": 0.25,
}


def engine_of(settings, instruments=None, price=PLAIN_TICKS):
    """Return an engine that was not opened."""
    instruments = instruments or [plain(lot_size=Decimal("0.0001"))]
    return Engine(config_of(settings), instruments, [price] * len(instruments), False)


def test_every_limit_arrives_in_its_unit():
    engine = engine_of(SETTINGS)
    account, trader, market = engine.accounts[0], engine.traders[0], engine.markets[0]
    assert trader["bot"] == 7
    assert trader["legs"][0]["position_max_lots"] == 25_000  # a lot is 0.01 USD
    assert trader["order_notional_max_e8"] == 30_000_000
    assert account["total_notional_max_e8"] == 123_456_789_012
    assert trader["price_band_e9"] == 1_250_000
    assert trader["stale_ns"] == 1_500 * MS
    assert trader["flush_ns"] == 250_000
    assert trader["hysteresis_e9"] == 30_000
    assert trader["timeout_ns"] == 2_500 * MS
    assert (account["budget_u6"], account["budget_max_u6"]) == (12_500_000, 12_500_000)
    assert account["budget_u6_per_s"] == 100_000
    assert account["reserve_u6"] == 2_500_000
    vol, flow = market["volatility"], market["intensity"]
    assert (vol["sample_ns"], vol["half_life_s"]) == (100 * MS, 33.0)
    assert (flow["window_ns"], flow["refit_ns"]) == (250 * MS, 2_500 * MS)
    assert (flow["half_life_s"], flow["range_bps"]) == (44.0, 6.0)
    assert (market["bid_ticks"], market["ask_ticks"]) == (NO_BID, NO_ASK)
    assert trader["params"][LadderParam.SIZE_LOTS] == 25
    assert (trader["n_free"], trader["n_active"]) == (ORDER_CAPACITY, 0)


@given(st.integers(0, 10**15))
def test_money_of_the_configuration_is_exact(cents):
    assert usd_e8(cents / 100) == min(round(Decimal(repr(cents / 100)) * E8), 1 << 60)


def test_each_symbol_has_its_own_bot_id_market_position_and_trader():
    engine = engine_of({"bot.id": 3}, [plain("A"), plain("B"), plain("C")])
    assert engine.traders["bot"].tolist() == [3, 4, 5]
    assert engine.traders["legs"]["instrument"][:, 0].tolist() == [0, 1, 2]
    assert engine.traders["legs"]["position"][:, 0].tolist() == [0, 1, 2]
    assert engine.accounts[0]["n_positions"] == 3


def test_opening_rows_open():
    rows = opening_rows(9, 123.45, START_NS)
    assert rows["kind"][[0, 1, 3]].tolist() == [Kind.EPOCH, Kind.BALANCE, Kind.CONNECT]
    engine = make_engine(start_ns=None)
    feed(engine, rows)
    assert engine.traders[0]["epoch"] == 9
    assert engine.accounts[0]["cash_e8"] == 12_345_000_000
    assert engine.accounts[0]["is_connected"] == 1
    assert [Kind(kind).name for kind in opening_rows(9, None, START_NS)["kind"]] == ["EPOCH", "CONNECT"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"strategy.size_usd": 9.99}, "strategy.size_usd: 9.99 is less than the smallest order"),
        ({"risk.order_max_usd": 9.99}, "risk.order_max_usd: 9.99 is less than"),
        ({"risk.position_max_usd": 9.99}, "risk.position_max_usd: 9.99 is less than"),
        ({"risk.position_max_usd": 1e10}, "too large for exact accounts"),
    ],
)
def test_what_could_never_trade_is_refused_at_the_start(settings, words):
    with pytest.raises(ConfigError, match=words):
        engine_of(settings, [plain(min_notional=Decimal(10))])


def test_a_lot_may_be_the_smallest_order():
    engine_of({"strategy.size_usd": 1.0, "risk.order_max_usd": 1.0}, [plain()])
    with pytest.raises(ConfigError, match="size_usd"):
        engine_of({"strategy.size_usd": 0.99}, [plain()])


def quotes_of(settings, instrument, price):
    """Return what a fresh bot sends into a two-tick market."""
    engine = make_engine({"risk.stale_s": 60, **settings}, [instrument], [price], is_scripted=False, wide=False)
    return feed(engine, touch(price - 1, price + 1), timer(START_NS + S))


def test_the_smallest_accepted_size_trades():
    """Minimum 10 USD, lots of 3 USD: size_usd = 10 gives 9 USD, which is refused for ever."""
    instrument = plain(lot_size=Decimal("0.03"), min_notional=Decimal(10))
    try:
        actions = quotes_of({"strategy.size_usd": 10}, instrument, PLAIN_TICKS)
    except ConfigError:
        return
    assert len(actions) > 0


@pytest.mark.parametrize("limit", [0.3, 0.6, 0.7, 1.2])
def test_a_limit_of_whole_lots_is_those_lots(limit):
    """Lots of 0.10 USD at ten ticks of 0.1."""
    settings = {"risk.position_max_usd": limit, "strategy.size_usd": 0.1, "risk.order_max_usd": 0.1}
    engine = engine_of(settings, [plain(tick_size=Decimal("0.1"), lot_size=Decimal("0.1"))], 10)
    assert engine.traders[0]["legs"][0]["position_max_lots"] == Decimal(repr(limit)) / Decimal("0.1")


def test_smallest_size_is_valued_with_the_multiplier():
    """Ten units of 100.00 with a multiplier of 10 are 10,000 USD."""
    instrument = plain(multiplier=Decimal(10), min_size=Decimal(10))
    limits = {"risk.position_max_usd": 50_000, "risk.order_max_usd": 50_000}
    with pytest.raises(ConfigError, match="size_usd"):
        engine_of({"strategy.size_usd": 5_000, **limits}, [instrument])


@pytest.mark.parametrize(("first_id", "n"), [(1, 17), (63, 2), (60, 5)])
def test_more_symbols_than_ids_or_positions_are_refused(first_id, n):
    """Six bits of bot id, sixteen positions of an account: the start says so, not the first order."""
    with pytest.raises(ConfigError):
        engine_of({"bot.id": first_id}, [plain(f"M{i}") for i in range(n)])


def test_a_floor_above_its_cap_is_refused():
    with pytest.raises(ConfigError, match="half_spread"):
        config_of({"strategy.half_spread_min_bps": 50, "strategy.half_spread_max_bps": 10})


@pytest.mark.parametrize(
    "key",
    ["pacing.timer_ms", "estimators.volatility_sample_ms", "estimators.intensity_window_ms", "risk.stale_s"],
)
def test_times_are_at_least_a_nanosecond(key):
    """A timer every 0 ns never lets time pass; windows of 0 ns divide by zero."""
    try:
        engine = engine_of({key: 1e-12})
    except ConfigError:
        return
    market, trader = engine.markets[0], engine.traders[0]
    times = {
        "pacing.timer_ms": round(engine.config.pacing.timer_ms * MS),
        "estimators.volatility_sample_ms": int(market["volatility"]["sample_ns"]),
        "estimators.intensity_window_ms": int(market["intensity"]["window_ns"]),
        "risk.stale_s": int(trader["stale_ns"]),
    }
    assert times[key] > 0


@pytest.mark.parametrize(
    ("symbol", "decimals", "price", "step"),
    [("BTC", 5, 1_180_000, 10), ("SOL", 2, 1_500_000, 100), ("PUMP", 0, 2_500, 1)],
)
def test_a_default_bot_trades_real_coins(symbol, decimals, price, step):
    """BTC above 100,000, SOL, and PUMP at 0.0025: two quotes of the configured 200 USD."""
    instrument = hyperliquid(symbol, decimals)
    engine = make_engine({"risk.stale_s": 60}, [instrument], [price], is_scripted=False, wide=False)
    actions = feed(engine, touch(price - step, price + step), timer(START_NS + S))
    assert len(actions) == 2
    money = actions["size_lots"] * actions["price_ticks"].astype(np.int64) * instrument.unit_value_e8
    assert (money > 190 * E8).all()
    assert (money <= 201 * E8).all()
