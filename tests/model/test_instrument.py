"""Instruments and units: exact steps, plain text, and rules that kernels read."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import hyperliquid, plain
from makerside.model.errors import ConfigError, DataError
from makerside.model.instrument import Instrument, instrument_t
from makerside.model.units import e8_to_text, money_to_e8, parse_decimal, steps_to_text, to_steps

STEPS = ("0.000001", "0.0001", "0.01", "0.1", "0.5", "0.25", "1", "5", "10")


def rules_of(instrument):
    """Return the kernel's record of an instrument."""
    records = np.zeros(1, instrument_t)
    instrument.fill_record(records[0])
    return records[0]


@given(st.sampled_from(STEPS), st.integers(1, 10**9))
def test_price_text_and_ticks_are_inverse(step, ticks):
    instrument = plain(tick_size=Decimal(step), lot_size=Decimal(1))
    text = instrument.price_text(ticks)
    assert instrument.price_ticks(text) == ticks
    assert Decimal(text) == ticks * Decimal(step)
    assert "E" not in text
    assert not ("." in text and text.endswith("0"))


@given(st.sampled_from(STEPS), st.integers(-(10**12), 10**12))
def test_size_text_and_lots_are_inverse(step, lots):
    instrument = plain(tick_size=Decimal(1), lot_size=Decimal(step))
    assert instrument.size_lots(instrument.size_text(lots)) == lots


@given(st.integers(-(10**20), 10**20), st.integers(0, 12))
def test_steps_to_text_is_the_decimal_number(steps, decimals):
    assert Decimal(steps_to_text(steps, decimals)) == Decimal(steps).scaleb(-decimals)


def test_money_has_eight_decimals():
    assert money_to_e8(Decimal("-12.00000001")) == -1_200_000_001
    assert e8_to_text(-1_200_000_001) == "-12.00000001"
    with pytest.raises(DataError, match="not a multiple"):
        money_to_e8(Decimal("0.000000001"))


@pytest.mark.parametrize("text", ["", "abc", "NaN", "Infinity", "1,5", "0x10", None])
def test_what_is_no_number_is_refused_by_name(text):
    with pytest.raises(DataError, match="a size"):
        parse_decimal(text, "a size")


@pytest.mark.parametrize(("value", "step"), [("0.05", "0.1"), ("100.01", "0.1"), ("3", "5"), ("1e-9", "1e-8")])
def test_what_is_off_the_grid_is_refused(value, step):
    with pytest.raises(DataError, match="not a multiple"):
        to_steps(Decimal(value), Decimal(step), "price")


def test_rules_in_kernel_units():
    rules = rules_of(
        plain(
            tick_size=Decimal("0.1"),
            lot_size=Decimal("0.00001"),
            significant_figures=5,
            min_notional=Decimal(10),
            maker_fee=Decimal("-0.00002"),
            taker_fee=Decimal("0.00045"),
            fee_decimals=6,
            multiplier=Decimal(10),
        )
    )
    assert rules["unit_value_e8"] == 1_000  # 0.1 x 0.00001 x 10 = 0.00001 USD
    assert rules["min_notional_e8"] == 10 * 10**8
    assert rules["integer_step_ticks"] == 10
    assert rules["maker_fee_e9"] == -20_000
    assert rules["taker_fee_e9"] == 450_000
    assert rules["fee_quantum_e8"] == 100
    assert rules["min_size_lots"] == 1


@pytest.mark.parametrize(("min_size", "lot", "lots"), [("0", "0.1", 1), ("0.3", "0.1", 3), ("5", "5", 1)])
def test_smallest_size_in_lots(min_size, lot, lots):
    assert rules_of(plain(lot_size=Decimal(lot), min_size=Decimal(min_size)))["min_size_lots"] == lots


def test_smallest_size_is_rounded_up_to_lots():
    """0.5 in lots of 0.2 are three lots: two are 0.4, which the venue refuses."""
    assert rules_of(plain(lot_size=Decimal("0.2"), min_size=Decimal("0.5")))["min_size_lots"] == 3


def test_description_survives_json():
    instrument = hyperliquid("PUMP", 0, collateral="USDH", funding_interval_s=28_800, venue_id=200)
    values = instrument.as_dict()
    assert all(isinstance(value, str | int) for value in values.values())
    assert Instrument.from_dict(values) == instrument
    with pytest.raises(ConfigError, match="unknown keys leverage"):
        Instrument.from_dict({**values, "leverage": 3})


@pytest.mark.parametrize("name", ["tick_size", "lot_size", "multiplier"])
def test_steps_must_be_positive(name):
    with pytest.raises(ConfigError, match=name):
        plain(**{name: Decimal(0)})


def test_kind_and_unit_value_are_checked():
    with pytest.raises(ConfigError, match="perp or spot"):
        plain(kind="option")
    with pytest.raises((ConfigError, DataError), match="tick x lot"):
        plain(tick_size=Decimal("0.00001"), lot_size=Decimal("0.00001"))


def test_fees_cannot_be_finer_than_money():
    with pytest.raises(ConfigError, match="fee_decimals"):
        plain(fee_decimals=9)
