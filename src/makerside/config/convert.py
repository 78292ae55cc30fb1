"""From configuration to records: what kernels read, in ticks, lots, nanoseconds and 10^-8 of money.

The only place where money turns into lots: at a reference price that is part of the run, so that a
replay builds the very same records.
"""

import math
from decimal import Decimal
from typing import Any

import numpy as np

from makerside import strategies
from makerside.config.tree import USD_MAX, Config, EstimatorConfig
from makerside.model.account import POSITIONS_CAPACITY
from makerside.model.errors import ConfigError
from makerside.model.instrument import Instrument
from makerside.model.market import NO_ASK, NO_BID
from makerside.model.order import BOT_BITS
from makerside.model.trader import PARAMS_CAPACITY
from makerside.model.units import E8, E9, NS_PER_MS, NS_PER_S
from makerside.strategies.ladder import LadderConfig, fill_ladder

U6 = 1_000_000
_LIMIT_E8 = 1 << 60  # $11.5 billion: sums of several limits still fit into 63 bits


def usd_e8(amount: float) -> int:
    """Return an amount of the configuration as money of 10^-8."""
    exact = int((Decimal(repr(amount)) * E8).to_integral_value())
    return min(exact, _LIMIT_E8)


def fill_market(record: Any, instrument: Instrument, settings: EstimatorConfig, has_own_in_book: bool) -> None:
    """Prepare a zeroed market_t scalar record."""
    instrument.fill_record(record["rules"])
    record["bid_ticks"], record["ask_ticks"] = NO_BID, NO_ASK
    record["has_own_in_book"] = int(has_own_in_book)
    book = record["book"]
    for name, value in (
        ("bid_ticks", NO_BID),
        ("ask_ticks", NO_ASK),
        ("low_ticks", NO_ASK),
        ("high_ticks", NO_BID),
        ("known_bid_ticks", NO_BID),
        ("known_ask_ticks", NO_ASK),
    ):
        book[name] = value
    record["volatility"]["sample_ns"] = round(settings.volatility_sample_ms * NS_PER_MS)
    record["volatility"]["half_life_s"] = settings.volatility_half_life_s
    flow = record["intensity"]
    flow["window_ns"] = round(settings.intensity_window_ms * NS_PER_MS)
    flow["refit_ns"] = round(settings.intensity_refit_s * NS_PER_S)
    flow["half_life_s"] = settings.intensity_half_life_s
    flow["range_bps"] = settings.intensity_range_bps


def fill_account(record: Any, config: Config, instruments: list[Instrument]) -> None:
    """Prepare a zeroed account_t scalar record with one position per instrument.

    errors : ConfigError for more instruments than an account has positions, or bot ids after the first
    """
    n = len(instruments)
    if n > POSITIONS_CAPACITY:
        raise ConfigError(f"venue.symbols: {n} symbols; one account takes {POSITIONS_CAPACITY}")
    if config.bot.id + n > 1 << BOT_BITS:
        id_max = (1 << BOT_BITS) - n
        raise ConfigError(f"bot.id: {config.bot.id}: {n} symbols need as many ids; at most {id_max} with them")
    pacing = config.pacing
    record["total_notional_max_e8"] = usd_e8(config.risk.total_max_usd)
    record["budget_u6"] = round(pacing.budget_actions * U6)
    record["budget_max_u6"] = round(pacing.budget_actions * U6)
    record["budget_u6_per_s"] = round(pacing.budget_per_s * U6)
    record["reserve_u6"] = round(pacing.reserve_actions * U6)
    record["n_positions"] = n
    for i, instrument in enumerate(instruments):
        record["positions"][i]["instrument"] = i
        record["positions"][i]["unit_value_e8"] = instrument.unit_value_e8


def fill_trader(record: Any, config: Config, index: int, instrument: Instrument, price_ticks: int) -> None:
    """Prepare a zeroed trader_t scalar record that trades one instrument.

    index       : of the instrument, of its position and of the trader
    price_ticks : reference price that turns money into lots
    errors      : ConfigError when a size is below the venue's minimum at that price
    """
    risk, pacing = config.risk, config.pacing
    _check_sizes(config, instrument, price_ticks)
    unit_usd = instrument.unit_value_e8 / E8
    lot_usd = lot_value(instrument, price_ticks)
    record["bot"] = config.bot.id + index
    record["account"] = 0
    record["n_legs"] = 1
    leg = record["legs"][0]
    leg["instrument"], leg["position"] = index, index
    leg["position_max_lots"] = int(_exact(risk.position_max_usd) // lot_usd)
    record["order_notional_max_e8"] = usd_e8(risk.order_max_usd)
    record["price_band_e9"] = round(risk.price_band_bps * 1e-4 * E9)
    record["stale_ns"] = round(risk.stale_s * NS_PER_S)
    record["hysteresis_e9"] = round(pacing.hysteresis_bps * 1e-4 * E9)
    record["flush_ns"] = round(pacing.flush_ms * NS_PER_MS)
    record["timeout_ns"] = round(pacing.timeout_ms * NS_PER_MS)
    record["ts_flush_ns"] = -(1 << 62)
    record["is_timed"] = int(pacing.decide_on == "timer")
    params: dict[int, float] = {}
    assert isinstance(config.strategy, LadderConfig)
    fill_ladder(config.strategy, price_ticks, lot_usd, params)
    strategies.load(config.strategy.name).fill_params(config.strategy, unit_usd, params)
    values = np.zeros(PARAMS_CAPACITY)
    for key, value in params.items():
        values[key] = value
    record["params"] = values


def lot_value(instrument: Instrument, price_ticks: int) -> Decimal:
    """Return the exact value of one lot at a price, in the collateral."""
    return instrument.tick_size * instrument.lot_size * instrument.multiplier * price_ticks


def _exact(amount: float) -> Decimal:
    """Return an amount of the configuration as it was written: 0.3 is three tenths."""
    return Decimal(repr(amount))


def _smallest_order(instrument: Instrument, price_ticks: int) -> Decimal:
    """Return the value of the smallest order that the venue takes, in whole lots."""
    lot = lot_value(instrument, price_ticks)
    least = max(instrument.min_notional, instrument.min_size / instrument.lot_size * lot, lot)
    return math.ceil(least / lot) * lot


def _check_sizes(config: Config, instrument: Instrument, price_ticks: int) -> None:
    """Refuse a configuration that could never place an order, or none exactly, before it is started."""
    ladder = config.strategy
    assert isinstance(ladder, LadderConfig)
    least = _smallest_order(instrument, price_ticks)
    for path, value in (
        ("strategy.size_usd", ladder.size_usd),
        ("risk.order_max_usd", config.risk.order_max_usd),
        ("risk.position_max_usd", config.risk.position_max_usd),
    ):
        if _exact(value) < least:
            smallest_order = f"the smallest order of {instrument.symbol}, {least.normalize():f} USD"
            raise ConfigError(f"{path}: {value} is less than {smallest_order}")
    deepest_usd = ladder.size_usd * max(1.0, ladder.size_step) ** (ladder.levels - 1)
    if deepest_usd > USD_MAX:
        raise ConfigError(
            f"strategy.size_usd: the deepest of {ladder.levels} levels would be {deepest_usd:g} USD; "
            f"at most {USD_MAX:g}"
        )
    # Worst case of the ledger: the position limit at ten times the price must fit into 62 bits.
    largest_lots = int(_exact(config.risk.position_max_usd) // lot_value(instrument, price_ticks)) + 1
    if 10 * price_ticks * largest_lots * instrument.unit_value_e8 >= 1 << 62:
        raise ConfigError(
            f"risk.position_max_usd: {config.risk.position_max_usd} is too large for exact accounts"
        )
