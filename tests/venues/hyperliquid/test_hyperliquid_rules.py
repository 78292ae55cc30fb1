"""Rules: the documented examples, dates, and that no invalid price can be sent."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makerside.core.prices import price_step
from makerside.model.errors import ConfigError
from makerside.model.instrument import Instrument, instrument_t
from makerside.model.units import BUY
from makerside.venues.facts import Mark
from makerside.venues.hyperliquid import wire_actions as wire
from makerside.venues.hyperliquid.rules import block_class, is_price_allowed, price_step_ticks, rules_at
from makerside.venues.hyperliquid.rules_facts import FACTS


def perp(size_decimals: int) -> Instrument:
    return Instrument(
        venue="hyperliquid",
        symbol="X",
        tick_size=Decimal(1).scaleb(size_decimals - 6),
        lot_size=Decimal(1).scaleb(-size_decimals),
        significant_figures=5,
    )


# Section 5.1; size decimals, price, allowed.
@pytest.mark.parametrize(
    ("size_decimals", "price", "is_allowed"),
    [
        (1, "1234.5", True),
        (1, "1234.56", False),
        (1, "123456", True),
        (1, "12345.6", False),
        (0, "0.001234", True),
        (1, "0.01234", True),
        (5, "118000", True),
        (5, "118000.5", False),
        (5, "99999.5", False),
        (5, "9999.5", True),
        (0, "0.0025", True),
        (0, "0.123456", False),
        (0, "0.12345", True),
        (4, "0.05", True),
        (4, "1000000", True),
    ],
)
def test_documented_examples(size_decimals, price, is_allowed):
    instrument = perp(size_decimals)
    assert is_price_allowed(instrument, instrument.price_ticks(price)) == is_allowed


@pytest.mark.parametrize(("size_decimals", "price"), [(0, "0.0012345"), (1, "0.012345")])
def test_too_many_decimals_are_off_the_grid(size_decimals, price):
    with pytest.raises(Exception, match="not a multiple"):
        perp(size_decimals).price_ticks(price)


@given(st.integers(0, 5), st.integers(1, (1 << 31) - 1))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_step_equals_the_rule_in_decimals(size_decimals, ticks):
    """At most five significant figures, or a whole number; counted on the decimal text."""
    instrument = perp(size_decimals)
    text = instrument.price_text(ticks)
    figures = len(text.replace(".", "").lstrip("0"))
    assert is_price_allowed(instrument, ticks) == ("." not in text or figures <= 5)
    step = price_step_ticks(instrument, ticks)
    assert is_price_allowed(instrument, ticks // step * step or step)


def test_step_is_the_one_of_the_core():
    for size_decimals in range(6):
        instrument = perp(size_decimals)
        record = np.zeros(1, instrument_t)[0]
        instrument.fill_record(record)
        for ticks in (1, 9, 99_999, 100_000, 123_456, 1_000_000, 99_999_999, 2_000_000_000):
            assert int(price_step(record, ticks)) == price_step_ticks(instrument, ticks)


@given(st.integers(0, 5), st.integers(1, (1 << 31) - 1), st.integers(1, 10**12))
@settings(max_examples=100, derandomize=True, deadline=None)
def test_no_invalid_price_can_be_sent(size_decimals, ticks, lots):
    instrument = perp(size_decimals)
    if is_price_allowed(instrument, ticks):
        order = wire.limit_order(instrument, BUY, ticks, lots, 0, 1)
        assert Decimal(order.price) == ticks * instrument.tick_size
        assert Decimal(order.size) == lots * instrument.lot_size
    else:
        with pytest.raises(AssertionError):
            wire.limit_order(instrument, BUY, ticks, lots, 0, 1)


def test_fee_tiers(rules):
    def rates(*args, **kwargs):
        return tuple(format(rate.normalize(), "f") for rate in rules.fee_rates(*args, **kwargs))

    assert rates() == ("0.00015", "0.00045")
    assert rates(is_spot=True) == ("0.0004", "0.0007")
    assert rates(5_000_000) == ("0.00012", "0.0004")
    assert rates(10**11) == ("0", "0.00024")
    assert rates(10**11, maker_share=Decimal("0.02")) == ("-0.00002", "0.00024")
    assert rates(staked_hype=Decimal(500_001)) == ("0.00009", "0.00027")
    assert rates(is_referred=True) == ("0.000144", "0.000432")
    assert rates(26_000_000, is_referred=True) == ("0.00008", "0.00035")


def test_builder_dex_fees(rules):
    """Section 7.2: usual scale 1 gives 0.09 % and 0.03 %; growth mode a tenth; rebates are not scaled."""
    base = rules.fee_rates()
    assert rules.scale_fees(base, Decimal(1), is_growth=False) == (Decimal("0.0003"), Decimal("0.0009"))
    assert rules.scale_fees(base, Decimal(1), is_growth=True) == (Decimal("0.00003"), Decimal("0.00009"))
    assert rules.scale_fees(base, Decimal("0.5"), is_growth=False)[1] == Decimal("0.000675")
    assert rules.scale_fees((Decimal("-0.00002"), base[1]), Decimal(3), False)[0] == Decimal("-0.00002")


def test_weights_and_budgets(rules):
    assert [rules.action_weight(n) for n in (1, 39, 40, 80)] == [1, 1, 2, 3]
    assert rules.info_weight("l2Book") == 2
    assert rules.info_weight("userRole") == 60
    assert rules.info_weight("meta") == 20
    assert rules.info_weight("userFills", items_returned=2_000) == 120
    assert rules.info_weight("candleSnapshot", items_returned=5_000) == 103
    assert rules.address_budget(80_000) == 90_000
    assert rules.cancel_budget(0) == 20_000
    assert rules.cancel_budget(10**6) == 1_110_000
    assert [rules.open_orders_cap(volume) for volume in (0, 10**7, 10**12)] == [1_000, 1_002, 5_000]


def test_funding(rules):
    assert rules.funding_per_hour(Decimal(0)) == Decimal("0.0000125")
    assert rules.funding_per_hour(Decimal("0.0004")) == Decimal("0.0000125")
    assert rules.funding_per_hour(Decimal("0.001")) == Decimal("0.0000625")
    assert rules.funding_per_hour(Decimal("-0.001")) == Decimal("-0.0000625")
    assert rules.funding_per_hour(Decimal(1)) == Decimal("0.04")


def test_classes_inside_a_block():
    assert block_class("order", ["Alo", "Alo"]) == 1
    assert block_class("order", ["Alo", "Gtc"]) == 3
    assert block_class("batchModify", ["Ioc"]) == 3
    assert block_class("cancelByCloid", []) == 2
    assert block_class("updateLeverage", []) == 1


def test_dates():
    days = [date(2020, 1, 1), date(2026, 5, 31), date(2026, 6, 1), date(2026, 7, 25)]
    assert [rules_at(day).book_slow_interval_ms for day in days] == [500, 500, 2_000, 5_000]
    assert [rules_at(day).modify_needs_post_only for day in days] == [False, False, True, True]


def test_every_fact_has_a_source_and_a_mark(rules):
    for fact in FACTS:
        assert fact.source
        assert fact.mark in Mark
        assert rules.facts[fact.name].value == getattr(rules, fact.name)
    assert len({(fact.name, fact.since) for fact in FACTS}) == len(FACTS)


def test_overrides():
    rules = rules_at(date(2026, 10, 1), ws_connections_max=15)
    assert rules.ws_connections_max == 15
    assert rules.facts["ws_connections_max"].source == "configuration"
    with pytest.raises(ConfigError, match=r"ws_connection_max.*known are"):
        rules_at(date(2026, 10, 1), ws_connection_max=15)
