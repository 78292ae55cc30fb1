"""Rules and terms of all venues: dated, with a source, and what they come to for an instrument."""

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest

from makerside.model.errors import ConfigError
from makerside.model.instrument import Instrument
from makerside.model.terms import Execution, Premium, Standing
from makerside.venues.facts import BEGINNING, Mark
from makerside.venues.hyperliquid.rules_facts import FACTS as HYPERLIQUID
from makerside.venues.lighter.rules_facts import FACTS as LIGHTER
from makerside.venues.lookup import VENUES, changes_of, has_rules, rules_of, terms_at
from makerside.venues.thalex.rules_facts import FACTS as THALEX

TABLES = {"hyperliquid": HYPERLIQUID, "lighter": LIGHTER, "thalex": THALEX}
NOW = date(2026, 10, 1)
BPS = Decimal("0.0001")


def perp(venue, symbol="BTC", max_leverage=40, **changes):
    """Return a perpetual of a venue."""
    steps = {"tick_size": Decimal("0.1"), "lot_size": Decimal("0.00001")}
    return Instrument(venue=venue, symbol=symbol, max_leverage=max_leverage, **{**steps, **changes})


@pytest.mark.parametrize("venue", VENUES)
def test_every_fact_has_a_source_and_is_read(venue):
    table = TABLES[venue]
    rules = rules_of(venue, NOW)
    for fact in table:
        assert fact.source
        assert fact.mark in Mark
        assert fact.since >= BEGINNING
        assert rules.facts[fact.name].value == getattr(rules, fact.name)
    assert len({(fact.name, fact.since) for fact in table}) == len(table)


@pytest.mark.parametrize("venue", VENUES)
def test_every_day_of_change_changes_something(venue):
    days = changes_of(venue, BEGINNING, NOW)
    assert days == sorted({fact.since for fact in TABLES[venue]} - {BEGINNING})
    for day in days:
        names = [fact.name for fact in TABLES[venue] if fact.since == day]
        eve = date.fromordinal(day.toordinal() - 1)
        before, after = rules_of(venue, eve), rules_of(venue, day)
        assert all(getattr(before, name) != getattr(after, name) for name in names)


@pytest.mark.parametrize("venue", VENUES)
def test_overrides_win_and_unknown_names_are_told(venue):
    rules = rules_of(venue, NOW, funding_decimals=8)
    assert rules.funding_decimals == 8
    assert rules.facts["funding_decimals"].mark == Mark.OURS
    with pytest.raises(ConfigError, match=r"funding_decimal.*known are"):
        rules_of(venue, NOW, funding_decimal=8)


def test_venues_without_rules_are_told():
    assert not has_rules("binance")
    with pytest.raises(
        ConfigError, match=r"'binance' has no rules here; known are hyperliquid, lighter, thalex"
    ):
        terms_at(perp("binance"), NOW)


# Fees in bps: venue, day, standing, maker, taker.
@pytest.mark.parametrize(
    ("venue", "day", "standing", "maker", "taker"),
    [
        ("hyperliquid", NOW, Standing(), "1.5", "4.5"),
        ("hyperliquid", NOW, Standing(volume_usd=5_000_000), "1.2", "4.0"),
        ("hyperliquid", NOW, Standing(volume_usd=10**10, maker_share=Decimal("0.031")), "-0.3", "2.4"),
        ("lighter", NOW, Standing(), "0", "0"),
        ("lighter", NOW, Standing("plus"), "0.5", "0.5"),
        ("lighter", NOW, Standing("premium"), "0.4", "2.8"),
        ("lighter", NOW, Standing("premium", staked=Decimal(300_000)), "0.4", "2.8"),
        ("lighter", NOW, Standing("premium", staked=Decimal(500_000)), "0.28", "1.96"),
        ("lighter", date(2025, 10, 9), Standing("premium"), "0.2", "2"),
        ("thalex", NOW, Standing(), "1", "5"),
        ("thalex", NOW, Standing(volume_usd=50_000_001), "0.5", "1.5"),
        ("thalex", date(2025, 9, 1), Standing(), "2.5", "2.5"),
        ("thalex", date(2025, 9, 2), Standing(), "1", "5"),
    ],
)
def test_fees(venue, day, standing, maker, taker):
    fees = terms_at(perp(venue), day, standing).fees
    assert (fees.maker / BPS, fees.taker / BPS) == (Decimal(maker), Decimal(taker))


@pytest.mark.parametrize(
    ("venue", "day", "standing", "expected"),
    [
        ("hyperliquid", NOW, Standing(), (0, 0, 0)),
        ("thalex", NOW, Standing(), (0, 0, 0)),
        ("lighter", NOW, Standing(), (200, 200, 300)),
        ("lighter", NOW, Standing("plus"), (200, 200, 300)),
        ("lighter", NOW, Standing("premium"), (0, 0, 200)),
        ("lighter", NOW, Standing("premium", staked=Decimal(30_000)), (0, 0, 170)),
        ("lighter", NOW, Standing("premium", staked=Decimal(500_000)), (0, 0, 140)),
        ("lighter", date(2025, 10, 9), Standing("premium"), (0, 0, 150)),
    ],
)
def test_speed_bumps(venue, day, standing, expected):
    delays = terms_at(perp(venue), day, standing).delays
    assert (delays.maker_ms, delays.cancel_ms, delays.taker_ms) == expected


def test_kinds_of_account_that_did_not_exist_are_told():
    with pytest.raises(ConfigError, match=r"'plus' did not exist on 2025-10-09; known are standard, premium"):
        terms_at(perp("lighter"), date(2025, 10, 9), Standing("plus"))
    with pytest.raises(ConfigError, match=r"'gold' is none; known are standard, plus, premium"):
        terms_at(perp("lighter"), NOW, Standing("gold"))
    with pytest.raises(ConfigError, match="hyperliquid: account tier"):
        terms_at(perp("hyperliquid"), NOW, Standing("plus"))


def test_funding_rules():
    hyperliquid, lighter = terms_at(perp("hyperliquid"), NOW).funding, terms_at(perp("lighter"), NOW).funding
    thalex = terms_at(perp("thalex"), NOW).funding
    assert (hyperliquid.interval_s, lighter.interval_s, thalex.interval_s) == (3_600, 3_600, 86_400)
    assert (hyperliquid.cap, lighter.cap, thalex.cap) == (Decimal("0.32"), Decimal("0.04"), None)
    assert (hyperliquid.sample_s, lighter.sample_s, thalex.sample_s) == (5, 60, 1)
    assert (hyperliquid.premium, lighter.premium, thalex.premium) == (
        Premium.IMPACT,
        Premium.IMPACT,
        Premium.MARK,
    )
    assert hyperliquid.impact_notional_usd == 20_000
    assert terms_at(perp("hyperliquid", "SOL"), NOW).funding.impact_notional_usd == 6_000
    assert terms_at(perp("lighter", "ETH", 50), NOW).funding.impact_notional_usd == 25_000
    assert terms_at(perp("hyperliquid", "xyz:GOLD"), NOW).funding.premium == Premium.IMPACT_MID
    assert thalex.is_accruing
    assert thalex.offset_s == 8 * 3_600


def test_rules_of_the_day():
    """Hyperliquid paid every 8 hours until June 2023, Thalex had no dead band until 2024."""
    assert terms_at(perp("hyperliquid"), date(2023, 5, 20)).funding.interval_s == 28_800
    assert terms_at(perp("hyperliquid"), date(2023, 5, 20)).funding.clamp == Decimal("0.0003")
    assert terms_at(perp("hyperliquid"), date(2023, 6, 8)).funding.interval_s == 3_600
    old = terms_at(perp("thalex"), date(2023, 12, 31)).funding
    assert (old.clamp, old.rate_hours) == (0, 24)


@pytest.mark.parametrize("symbol", ["BTC", "ETH", "ARB"])
def test_recorded_funding_came_when_the_rule_says(data, symbol):
    """18,000 recorded payments at the due times of their day's rule: within a second, some late by minutes."""
    import pyarrow.parquet as pq

    path = data / "funding" / f"hyperliquid-{symbol}.parquet"
    table = pq.read_table(path, columns=["ts_ms", "rate", "interval_hours"])
    instrument = perp("hyperliquid", symbol)
    rules, late_s = {}, []
    for ts_ms, rate, hours in zip(*(column.to_pylist() for column in table.columns), strict=True):
        # The interval that ends with the payment.
        day = datetime.fromtimestamp(ts_ms / 1_000 - 1.0, UTC).date()
        if day not in rules:
            rules[day] = terms_at(instrument, day).funding
        terms = rules[day]
        assert terms.interval_s == hours * 3_600, day
        late_s.append(ts_ms / 1_000 % terms.interval_s)
        assert abs(Decimal(rate)) <= terms.cap * terms.interval_s / (3_600 * terms.rate_hours)
    assert len(rules) > 500
    assert max(late_s) < 1_800
    assert sum(late > 1.0 for late in late_s) < 0.001 * len(late_s)


def test_margin():
    bitcoin = terms_at(perp("hyperliquid"), NOW).margin
    assert [(int(tier.lower_usd), tier.initial, tier.maintenance) for tier in bitcoin.tiers] == [
        (0, Fraction(1, 40), Fraction(1, 80)),
        (150_000_000, Fraction(1, 20), Fraction(1, 40)),
    ]
    assert (bitcoin.closeout, bitcoin.part_share, bitcoin.cooldown_s) == (Fraction(2, 3), Fraction(1, 5), 30)
    ether = terms_at(perp("hyperliquid", "ETH", 25), NOW).margin
    assert ether.tiers[1].maintenance == Fraction(1, 30)
    small = terms_at(perp("hyperliquid", "SMALL", 10), NOW).margin
    assert [int(tier.lower_usd) for tier in small.tiers] == [0, 3_000_000]
    single = terms_at(perp("hyperliquid", "OTHER", 5), NOW).margin
    assert [tier.maintenance for tier in single.tiers] == [Fraction(1, 10)]

    lighter = terms_at(perp("lighter", "ETH", 50), NOW).margin
    assert lighter.tiers[0].initial == Fraction(2, 100)
    assert lighter.tiers[0].maintenance == Fraction(12, 1_000)
    assert lighter.tiers[0].maintenance * lighter.closeout == Fraction(8, 1_000)
    assert lighter.execution == Execution.ZERO_PRICE
    assert terms_at(perp("lighter", "NEW", 10), NOW).margin.tiers[0].maintenance == Fraction(6, 100)

    thalex = terms_at(perp("thalex"), NOW).margin
    assert (thalex.tiers[0].initial, thalex.tiers[0].maintenance) == (Fraction(1, 5), Fraction(7, 50))
    assert thalex.is_on_index


@pytest.mark.parametrize("venue", VENUES)
def test_spot_has_no_funding_and_no_margin(venue):
    terms = terms_at(perp(venue, kind="spot"), NOW)
    assert terms.funding is None
    assert terms.margin is None


def test_spot_fees_are_the_spot_tiers():
    fees = terms_at(perp("hyperliquid", kind="spot"), NOW).fees
    assert (fees.maker / BPS, fees.taker / BPS) == (4, 7)


def per_minute(venue, standing, kind):
    """Return how many messages of a kind an account may send in a minute, once its savings are used up."""
    limits = [
        budget.capacity * 60 / budget.period_s / budget.costs[kind]
        for budget in terms_at(perp(venue), NOW, standing).budgets
        if kind in budget.costs
    ]
    return min(limits)


def test_budgets():
    assert per_minute("lighter", Standing(), "order") == 60
    assert per_minute("lighter", Standing("plus"), "order") == 8_000
    assert per_minute("lighter", Standing("premium"), "order") == 4, "without quota: one in 15 s"
    assert per_minute("lighter", Standing("premium"), "cancel") == 4_000, (
        "24,000 / 6, and cancels need no quota"
    )
    assert per_minute("hyperliquid", Standing(), "order") == 6, "beyond the budget: one in 10 s"
    assert per_minute("thalex", Standing(), "order") == 3_000
    assert per_minute("thalex", Standing("persistent"), "order") == 600
    assert per_minute("thalex", Standing(), "cancel") == 60_000


def test_quota_and_weights_of_lighter():
    assert rules_of("lighter", NOW).quota(70_000) == 11_000
    assert rules_of("lighter", date(2026, 1, 1)).quota(70_000) == 8_000
    assert rules_of("lighter", NOW).quota(10**12) == 5_000_000
    assert rules_of("lighter", NOW).request_weight("trades") == 600
    assert rules_of("lighter", NOW).request_weight("orderBooks") == 300
    assert [rules_of("lighter", date(year, 6, 1)).batch_max for year in (2025, 2026)] == [50, 15]
