"""Queue position: formulas d-16 against a twin, and what must hold whatever the level does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makerside.sim.queue import queue_on_level, queue_on_trade
from makerside.sim.records import UNKNOWN_AHEAD, QueueModel, client_order_t
from reference.queue import QueueTwin, log_share_behind

MODELS = {"risk_averse": int(QueueModel.RISK_AVERSE), "log_prob": int(QueueModel.LOG_PROB)}


def new_order(ahead):
    """Return an order with a queue before it."""
    orders = np.zeros(1, client_order_t)
    orders["ahead_lots"] = ahead
    return orders[0]


events = st.lists(
    st.one_of(
        st.tuples(st.just("trade"), st.integers(1, 40)), st.tuples(st.just("level"), st.integers(0, 120))
    ),
    max_size=40,
)


@pytest.mark.parametrize("model", sorted(MODELS))
@given(st.integers(0, 100), events)
def test_queue_equals_its_twin(model, level, sequence):
    order, twin = new_order(level), QueueTwin(level, model)
    for what, lots in sequence:
        if what == "trade":
            assert queue_on_trade(order, float(lots)) == twin.trade(lots)
        else:
            queue_on_level(order, float(level), float(lots), MODELS[model])
            twin.level(level, lots)
            level = lots
        assert order["ahead_lots"] == pytest.approx(twin.front, rel=1e-12, abs=1e-12)
        assert order["traded_lots"] == twin.traded


@pytest.mark.parametrize("model", sorted(MODELS))
@given(st.integers(0, 100), events)
def test_we_never_fall_back_and_never_stand_behind_the_level(model, level, sequence):
    order = new_order(level)
    for what, lots in sequence:
        before = float(order["ahead_lots"])
        if what == "trade":
            queue_on_trade(order, float(lots))
        else:
            queue_on_level(order, float(level), float(lots), MODELS[model])
            level = lots
            assert order["ahead_lots"] <= level
        assert 0.0 <= order["ahead_lots"] <= before


@given(st.integers(0, 100), events)
def test_risk_averse_is_never_ahead_of_the_probable(level, sequence):
    """For the same history: only trades and the level itself bring the cautious model forward."""
    cautious, probable = new_order(level), new_order(level)
    for what, lots in sequence:
        for order, model in ((cautious, "risk_averse"), (probable, "log_prob")):
            if what == "trade":
                queue_on_trade(order, float(lots))
            else:
                queue_on_level(order, float(level), float(lots), MODELS[model])
        level = lots if what == "level" else level
        assert probable["ahead_lots"] <= cautious["ahead_lots"] + 1e-9


def test_by_hand():
    """Level 100, half of it before us, 20 cancelled: p(behind) is one half, 10 of them were before us."""
    order = new_order(50.0)
    queue_on_level(order, 100.0, 80.0, MODELS["log_prob"])
    assert order["ahead_lots"] == pytest.approx(40.0)
    assert log_share_behind(50, 50) == 0.5


def test_the_last_in_the_queue_gains_every_cancel_and_the_first_none():
    last, first = new_order(100.0), new_order(0.0)
    for order in (last, first):
        queue_on_level(order, 100.0, 70.0, MODELS["log_prob"])
    assert last["ahead_lots"] == pytest.approx(70.0)
    assert first["ahead_lots"] == 0.0


def test_what_was_printed_is_not_counted_again_as_a_cancel():
    """30 printed and then the level is told 30 smaller: nobody cancelled."""
    for model in MODELS.values():
        order = new_order(60.0)
        assert queue_on_trade(order, 30.0) == 0
        queue_on_level(order, 100.0, 70.0, model)
        assert order["ahead_lots"] == 30.0


def test_growth_is_behind_us():
    for model in MODELS.values():
        order = new_order(60.0)
        queue_on_level(order, 100.0, 500.0, model)
        assert order["ahead_lots"] == 60.0


@pytest.mark.parametrize(
    ("ahead", "printed", "reached"), [(10, 9, 0), (10, 10, 0), (10, 12, 2), (0, 5, 5), (2.5, 3, 1), (2.6, 3, 0)]
)
def test_a_print_reaches_us_when_the_queue_is_gone(ahead, printed, reached):
    assert queue_on_trade(new_order(ahead), float(printed)) == reached


def test_an_unknown_queue_is_as_long_as_the_level_when_it_is_told():
    for model in MODELS.values():
        order = new_order(UNKNOWN_AHEAD)
        queue_on_level(order, 0.0, 300.0, model)
        assert order["ahead_lots"] == 300.0
