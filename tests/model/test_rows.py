"""Rows: sizes, offsets and kinds that a tape depends on."""

import itertools

import numpy as np
import pytest

from makerside.model.account import TRADE_IDS_CAPACITY, account_t
from makerside.model.action import ActionKind, action_detail_t, action_t
from makerside.model.desk import ACTIONS_CAPACITY, ACTIONS_PER_DECISION, TRADERS_MAX
from makerside.model.event import (
    DETAIL_ROWS,
    FIRST_ACTION,
    HAS_DETAIL,
    Flag,
    Kind,
    Reason,
    account_detail_t,
    event_t,
    order_detail_t,
)
from makerside.model.market import WINDOW_MASK, WINDOW_TICKS
from makerside.model.order import ORDER_CAPACITY
from makerside.model.quote import QUOTE_CAPACITY
from makerside.model.trader import REFUSALS_CAPACITY, trader_t

FLAT = """
ts_venue_ns   0  8
ts_local_ns   8  8
size_lots    16  8
price_ticks  24  4
instrument   28  2
kind         30  1
flags        31  1
"""


def test_an_event_row_has_the_described_bytes():
    layout = [line.split() for line in FLAT.strip().splitlines()]
    for name, offset, size in layout:
        assert event_t.fields[name][1] == int(offset)
        assert event_t[name].itemsize == int(size)
    assert event_t.itemsize == order_detail_t.itemsize == account_detail_t.itemsize == 32


def test_an_action_is_two_rows_of_the_same_tape():
    action = np.zeros(1, action_t)
    for number, name in enumerate(action_t.names):
        action[name] = number + 1
    rows = action.view(event_t)
    assert len(rows) == 2
    for name in ("size_lots", "price_ticks", "instrument", "kind", "flags"):
        assert rows[0][name] == action[0][name]
    detail = rows[1:].view(action_detail_t)
    for name in action_detail_t.names:
        assert detail[0][name] == action[0][name]
    assert set(action_detail_t.names) | {"event_seq", "ts_decided_ns"} <= set(action_t.names)


def test_kinds_tell_events_from_actions_and_who_has_a_continuation():
    assert max(Kind) < FIRST_ACTION <= min(ActionKind)
    assert all(DETAIL_ROWS[kind] == (1 if kind in HAS_DETAIL else 0) for kind in range(FIRST_ACTION))
    assert (DETAIL_ROWS[FIRST_ACTION:] == 1).all()
    about_orders = {kind for kind in Kind if kind.name.startswith(("ORDER_", "CANCEL_")) or kind.name == "FILL"}
    about_money = {Kind.PRICES, Kind.POSITION, Kind.BALANCE, Kind.FUNDING}
    assert {kind for kind in Kind if kind in HAS_DETAIL} == about_orders | about_money | {Kind.SEND_FAILED}


def test_flags_are_separate_bits_of_one_byte():
    assert all(a & b == 0 for a, b in itertools.combinations(Flag, 2))
    assert sum(Flag) < 256


def test_every_reason_has_a_counter():
    assert max(Reason) < REFUSALS_CAPACITY
    assert trader_t["refusals"].shape == (REFUSALS_CAPACITY,)


@pytest.mark.parametrize("record", [account_t, trader_t], ids=["account", "trader"])
def test_records_have_no_padding(record):
    """State is compared as bytes: bytes that belong to no field would make equal runs differ."""
    assert record.itemsize == sum(record[name].itemsize for name in record.names)


def test_window_is_a_power_of_two():
    assert WINDOW_TICKS & WINDOW_MASK == 0
    assert WINDOW_MASK == WINDOW_TICKS - 1


def test_actions_of_one_decision_of_every_trader_fit():
    """One decision writes at most a cancel per order and a place per quote."""
    assert ACTIONS_PER_DECISION == ORDER_CAPACITY + QUOTE_CAPACITY
    assert ACTIONS_CAPACITY >= ACTIONS_PER_DECISION * TRADERS_MAX
    assert TRADE_IDS_CAPACITY >= 2 * ORDER_CAPACITY
