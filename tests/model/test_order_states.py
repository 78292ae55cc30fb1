"""The state table of orders: complete, without dead ends, and the one that formulas d-17 asks for."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makerside.model.order import (
    BOT_BITS,
    COUNTER_BITS,
    EPOCH_BITS,
    ID_BITS,
    IMPOSSIBLE,
    NEXT_STATE,
    ORDER_CAPACITY,
    SLOT_BITS,
    TRANSITIONS,
    OrderInput,
    OrderState,
    bot_of,
    client_order_id,
    is_live,
    is_terminal,
)
from reference import orders as twin

TERMINAL = {OrderState[name] for name in twin.TERMINAL}
WAITING = {OrderState[name] for name in (*twin.LIVE, twin.SETTLING)}


def after(state):
    """Return the states that one input leads to."""
    return {OrderState(int(s)) for s in NEXT_STATE[state] if s != IMPOSSIBLE}


def reachable(start):
    """Return all states that some inputs lead to."""
    found, new = set(), {start}
    while new:
        found |= new
        new = set().union(*(after(state) for state in new)) - found
    return found


def test_every_pair_has_one_line_or_is_impossible():
    lines = [(before, what) for before, what, _, _ in TRANSITIONS]
    assert len(set(lines)) == len(lines)
    filled = {(s, i) for s, i in itertools.product(OrderState, OrderInput) if NEXT_STATE[s, i] != IMPOSSIBLE}
    assert filled == set(lines)
    assert NEXT_STATE.shape == (len(OrderState), len(OrderInput))


def test_table_is_the_one_that_the_rules_give():
    written = {(before.name, what.name): end.name for before, what, end, _ in TRANSITIONS}
    assert written == twin.TABLE


def test_every_line_tells_its_reason():
    assert all(reason.strip() for _, _, _, reason in TRANSITIONS)


def test_kinds_of_state_divide_all_states():
    assert {state for state in OrderState if is_terminal(state)} == TERMINAL
    assert {state for state in OrderState if is_live(state)} == {OrderState[name] for name in twin.LIVE}
    assert set(OrderState) == TERMINAL | WAITING | {OrderState.FREE}


@pytest.mark.parametrize("state", sorted(TERMINAL | {OrderState.FREE}), ids=lambda s: s.name)
def test_nothing_happens_to_an_ended_order(state):
    assert after(state) == set()


@pytest.mark.parametrize("state", sorted(WAITING), ids=lambda s: s.name)
def test_every_waiting_state_is_reached_and_can_end(state):
    assert state in reachable(OrderState.PENDING_NEW)
    assert reachable(state) & TERMINAL


@pytest.mark.parametrize("state", sorted(WAITING - {OrderState.RESTING}), ids=lambda s: s.name)
def test_silence_never_leaves_an_order_waiting_for_an_answer(state):
    """Whoever waits for the venue times out to UNKNOWN, and UNKNOWN is resolved by a query."""
    if state == OrderState.UNKNOWN:
        assert NEXT_STATE[state, OrderInput.NEVER_EXISTED] in TERMINAL
    else:
        assert NEXT_STATE[state, OrderInput.TIMEOUT] == OrderState.UNKNOWN


@pytest.mark.parametrize("state", sorted(WAITING), ids=lambda s: s.name)
def test_a_fill_is_possible_as_long_as_an_order_has_not_ended(state):
    assert NEXT_STATE[state, OrderInput.FILL_LAST] == OrderState.FILLED
    assert NEXT_STATE[state, OrderInput.FILL_PART] == state


@pytest.mark.parametrize("state", sorted(WAITING), ids=lambda s: s.name)
def test_a_venue_that_ends_an_order_always_ends_it(state):
    """Whatever we believed: after CANCELED, EXPIRED or SELF_TRADE nothing rests any more."""
    for what in (OrderInput.CANCELED, OrderInput.EXPIRED, OrderInput.SELF_TRADE):
        assert NEXT_STATE[state, what] in TERMINAL | {OrderState.SETTLING}


def test_table_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        NEXT_STATE[0, 0] = 1


parts = st.tuples(
    st.integers(0, (1 << BOT_BITS) - 1),
    st.integers(0, (1 << EPOCH_BITS) - 1),
    st.integers(0, (1 << COUNTER_BITS) - 1),
    st.integers(0, ORDER_CAPACITY - 1),
)


@given(parts, parts)
def test_client_order_ids_are_distinct_and_fit_48_bits(one, other):
    first, second = client_order_id(*one), client_order_id(*other)
    assert 0 <= first < 1 << 48
    assert (first == second) == (one == other)


@given(parts)
def test_client_order_id_gives_its_parts_back(given_parts):
    identity = client_order_id(*given_parts)
    bits = f"{identity:0{ID_BITS}b}"
    cuts = [0, BOT_BITS, BOT_BITS + EPOCH_BITS, BOT_BITS + EPOCH_BITS + COUNTER_BITS, ID_BITS]
    assert tuple(int(bits[a:b], 2) for a, b in itertools.pairwise(cuts)) == given_parts
    assert bot_of(identity) == given_parts[0]


def test_largest_id_fits_the_widest_and_the_narrowest_wire():
    largest = client_order_id(
        (1 << BOT_BITS) - 1, (1 << EPOCH_BITS) - 1, (1 << COUNTER_BITS) - 1, (1 << SLOT_BITS) - 1
    )
    assert largest == (1 << 48) - 1
    assert np.int64(largest) == largest
