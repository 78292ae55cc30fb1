"""Numbers and ids: exact both ways, and what is not ours stays a stranger's."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makerside.model.order import client_order_id
from makerside.venues.hyperliquid.cloid import cloid_text, identity_of
from makerside.venues.hyperliquid.codec import INT64_MAX, Malformed
from makerside.venues.hyperliquid.numbers import (
    CACHE_ENTRIES_MAX,
    PRICE_TICKS_MAX,
    Steps,
    client_text,
    money_e8,
    server_text,
    steps_of,
)

decimals = st.integers(0, 8)
steps = st.integers(-(10**17), 10**17)
IDENTITIES = st.integers(1, (1 << 48) - 1)


@pytest.mark.parametrize(
    ("count", "places", "client", "server"),
    [
        (837570, 1, "83757", "83757.0"),
        (837575, 1, "83757.5", "83757.5"),
        (2500, 6, "0.0025", "0.0025"),
        (118000, 0, "118000", "118000.0"),
        (0, 5, "0", "0.0"),
        (-120, 4, "-0.012", "-0.012"),
        (100, 8, "0.000001", "0.000001"),
    ],
)
def test_both_forms(count, places, client, server):
    assert client_text(count, places) == client
    assert server_text(count, places) == server
    assert steps_of(client, places) == steps_of(server, places) == count


@given(steps, decimals)
@settings(max_examples=300, derandomize=True, deadline=None)
def test_text_round_trip(count, places):
    for text in (client_text(count, places), server_text(count, places)):
        assert steps_of(text, places) == count
        assert Decimal(text) == Decimal(count).scaleb(-places)
        assert steps_of(text + ("0" if "." in text else ".000"), places) == count
    assert not client_text(count, places).endswith("0") or places == 0 or "." not in client_text(count, places)
    assert client_text(count, places) != "-0"


@given(st.text(max_size=24), decimals)
@settings(max_examples=300, derandomize=True, deadline=None)
def test_any_text_is_a_number_or_malformed(text, places):
    cache = Steps(places)
    for convert in (lambda: steps_of(text, places), lambda: money_e8(text), lambda: cache[text]):
        with suppress(Malformed):
            assert isinstance(convert(), int)


@pytest.mark.parametrize(
    "text",
    ["", ".", "5.", ".5", "1e5", "+1", " 1", "1 ", "1_0", "--1", "٣", "nan", "inf", "0x1", "1.2.3", "1,5", "-"],
)
def test_no_number(text):
    for convert in (lambda: steps_of(text, 3), lambda: Steps(3)[text], lambda: money_e8(text)):
        with pytest.raises(Malformed, match="decimal number"):
            convert()


def test_off_the_grid_and_too_large():
    with pytest.raises(Malformed, match="more than 1 decimals"):
        steps_of("83757.55", 1)
    with pytest.raises(Malformed, match="more than 1 decimals"):
        Steps(1)["83757.55"]
    assert Steps(1)["83757.50"] == 837575
    with pytest.raises(Malformed, match="too large"):
        Steps(1, PRICE_TICKS_MAX)["214748364.8"]
    assert Steps(1, PRICE_TICKS_MAX)["214748364.7"] == PRICE_TICKS_MAX
    with pytest.raises(Malformed, match="too large"):
        steps_of("9" * 5_000, 0)
    assert steps_of(str(INT64_MAX), 0) == INT64_MAX
    with pytest.raises(Malformed, match="too large"):
        steps_of(str(INT64_MAX + 1), 0)
    with pytest.raises(Malformed, match="negative"):
        Steps(1)["-1"]


@given(st.lists(st.tuples(steps, decimals), max_size=40))
@settings(max_examples=50, derandomize=True, deadline=None)
def test_cache_equals_the_conversion(items):
    caches = {places: Steps(places) for _, places in items}
    for count, places in items * 2:
        text = server_text(abs(count), places)
        assert caches[places][text] == steps_of(text, places)


def test_cache_is_bounded():
    cache = Steps(0)
    for count in range(CACHE_ENTRIES_MAX + 10):
        assert cache[str(count)] == count
        assert len(cache) <= CACHE_ENTRIES_MAX


def test_money_is_rounded_up():
    assert money_e8("0.015076") == 1_507_600
    assert money_e8("-0.000001") == -100
    assert money_e8("0.0000000001") == 1
    assert money_e8("-0.0000000001") == 0
    with pytest.raises(Malformed):
        money_e8("0.00000001x")


@given(IDENTITIES)
@settings(max_examples=200, derandomize=True, deadline=None)
def test_cloid_round_trip(identity):
    text = cloid_text(identity)
    assert len(text) == 34
    assert text == text.lower()
    assert bytes.fromhex(text[2:])
    assert identity_of(text) == identity


def test_cloid_of_the_parts_of_an_id():
    identity = client_order_id(bot=5, epoch=7, counter=9, slot=11)
    assert cloid_text(identity) == "0x6d616b657273" + f"{identity:012x}" + cloid_text(identity)[26:]


@given(st.binary(min_size=16, max_size=16))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_a_stranger_is_not_ours(raw):
    assert identity_of("0x" + raw.hex()) == 0


@given(IDENTITIES, st.integers(0, 127))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_one_wrong_bit_makes_a_stranger(identity, bit):
    wrong = int(cloid_text(identity), 16) ^ (1 << bit)
    assert identity_of(f"0x{wrong:032x}") == 0


@given(st.text(max_size=40))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_any_text_is_a_stranger(text):
    assert identity_of(text) == 0
    assert identity_of(("0x6d616b657273" + text)[:34].ljust(34, "0")) == 0


def test_forms_that_are_not_ours():
    text = cloid_text(77)
    for other in (None, "", text.upper(), text[:-1], text + "0", text[2:], text.replace("0x", "0X")):
        assert identity_of(other) == 0
    for identity in (0, -1, 1 << 48):
        with pytest.raises(AssertionError):
            cloid_text(identity)
