"""The venue's accounting for simulations: configuration, tape and dated rules become records.

Fees, funding and margin follow the rules of the day on which the tape begins; a rule that begins later in the
tape is not taken up. May import venues and sim. Next: `backtest.py`.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.config.convert import usd_e8
from makerside.config.tree import Config, SimulationConfig
from makerside.model.errors import ConfigError
from makerside.model.instrument import Instrument
from makerside.model.terms import FeeTerms, Standing, Terms
from makerside.model.units import MONEY_DECIMALS, NS_PER_S
from makerside.research.funding_data import find_rates, read_rates
from makerside.sim.perp_build import SOURCES, Accounting, AccountSettings, make_clearing, make_perps
from makerside.venues.lookup import VENUES, has_rules, terms_at


def needs_rules(simulation: SimulationConfig) -> bool:
    """Return whether a simulation accounts by a venue's rules."""
    return (simulation.fees, simulation.funding, simulation.margin) != ("given", "none", "none")


def accounting_key(simulation: SimulationConfig) -> tuple[str, ...]:
    """Return what sets must have in common to be walked together."""
    return (
        simulation.fees,
        simulation.funding,
        simulation.funding_data,
        simulation.margin,
        simulation.rules_venue,
    )


def day_of(ts_ns: int) -> date:
    """Return the day of a time, UTC."""
    return datetime.fromtimestamp(ts_ns // NS_PER_S, UTC).date()


def terms_for(instrument: Instrument, simulation: SimulationConfig, ts_ns: int) -> Terms:
    """Return the terms of an instrument on the day of a time.

    errors : ConfigError for a venue without rules, or a kind of account that it does not have
    """
    venue = simulation.rules_venue or instrument.venue
    if not has_rules(venue):
        raise ConfigError(
            f"simulation.rules_venue: {instrument.symbol} is of {venue!r}, which has no rules here; "
            f"choose one of {', '.join(VENUES)}, or set fees = given, funding = none and margin = none"
        )
    standing = Standing(
        simulation.account_tier,
        int(simulation.account_volume_usd),
        Decimal(repr(simulation.account_maker_share)),
        Decimal(repr(simulation.account_staked)),
    )
    return terms_at(replace(instrument, venue=venue), day_of(ts_ns), standing)


def with_rule_fees(instrument: Instrument, simulation: SimulationConfig, ts_ns: int) -> Instrument:
    """Return an instrument with the venue's fees of the day, which strategies read."""
    fees = terms_for(instrument, simulation, ts_ns).fees
    return replace(instrument, maker_fee=fees.maker, taker_fee=fees.taker, fee_decimals=fees.decimals)


def make_accounting(
    configs: Sequence[Config], instruments: Sequence[Sequence[Instrument]], start_ns: int
) -> Accounting | None:
    """Return the accounting of sets that are walked together, None when they do without.

    configs, instruments : by world;  start_ns : of the tape
    errors : ConfigError, DataError for what cannot be accounted
    """
    first = configs[0].simulation
    if not needs_rules(first):
        return None
    terms = [
        [_terms(one, config.simulation, start_ns) for one in ours]
        for config, ours in zip(configs, instruments, strict=True)
    ]
    perps, rates = make_perps(instruments[0], terms[0], SOURCES[first.funding], _rates(first, instruments[0]))
    clearings = [
        make_clearing(ours, its, _settings(config))
        for config, ours, its in zip(configs, instruments, terms, strict=True)
    ]
    return Accounting(perps, rates, np.concatenate(clearings), first.margin == "rule")


def _terms(instrument: Instrument, simulation: SimulationConfig, ts_ns: int) -> Terms:
    """Return an instrument's terms, with its own fees where the venue's are not asked for."""
    terms = terms_for(instrument, simulation, ts_ns)
    if simulation.fees == "rule":
        return terms
    given = FeeTerms(
        instrument.maker_fee, instrument.taker_fee, terms.fees.liquidation, decimals=instrument.fee_decimals
    )
    return replace(terms, fees=replace(given, is_of_improvement=terms.fees.is_of_improvement))


def _rates(simulation: SimulationConfig, instruments: Sequence[Instrument]) -> list[NDArray[Any]]:
    if simulation.funding != "recorded":
        return []
    if not simulation.funding_data:
        raise ConfigError(
            "simulation.funding_data: recorded funding needs a Parquet file of payments, or a folder of them"
        )
    place = Path(simulation.funding_data)
    if len(instruments) > 1 and not place.is_dir():
        raise ConfigError(
            f"simulation.funding_data: {place} is one file, and there are {len(instruments)} symbols"
        )
    return [read_rates(find_rates(place, one)) for one in instruments]


def _settings(config: Config) -> AccountSettings:
    """Return how the account trades. Without margin its leverage does not matter: the most is assumed."""
    has_margin = config.simulation.margin == "rule"
    return AccountSettings(
        cash_usd=Decimal(usd_e8(config.simulation.cash_usd)).scaleb(-MONEY_DECIMALS),
        is_isolated=has_margin and config.venue.margin == "isolated",
        leverage=config.venue.leverage if has_margin else None,
        bot=config.bot.id,
    )
