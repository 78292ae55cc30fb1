"""Queue position: formulas d-16 against a twin, and what must hold whatever the level does."""

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makerside.sim.queue import queue_on_level, queue_on_trade, share_behind
from makerside.sim.records import UNKNOWN_AHEAD, QueueModel, client_order_t
from reference import queue as twin_queue
from reference.queue import FifoTwin, QueueTwin, log_share_behind

MODELS = {model.name.lower(): int(model) for model in QueueModel}
PROBABLE = sorted(set(MODELS) - {"risk_averse"})
EXPONENT = 3.0
HERE = Path(__file__).resolve()


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
@given(
    st.integers(0, 100),
    events,
    st.sampled_from([0.25, 1.0, 2.0, 3.0, 7.5]),
    st.sampled_from([1e-5, 0.001, 1.0, 100.0]),
)
def test_queue_equals_its_twin(model, level, sequence, exponent, lot_size):
    order, twin = new_order(level), QueueTwin(level, model, exponent, lot_size)
    for what, lots in sequence:
        if what == "trade":
            assert queue_on_trade(order, float(lots)) == twin.trade(lots)
        else:
            queue_on_level(order, float(level), float(lots), MODELS[model], exponent, lot_size)
            twin.level(level, lots)
            level = lots
        assert order["ahead_lots"] == pytest.approx(twin.front, rel=1e-9, abs=1e-9)
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
            queue_on_level(order, float(level), float(lots), MODELS[model], EXPONENT)
            level = lots
            assert order["ahead_lots"] <= level
        assert 0.0 <= order["ahead_lots"] <= before


@pytest.mark.parametrize("name", PROBABLE)
@given(level=st.integers(0, 100), sequence=events)
def test_risk_averse_is_never_ahead_of_the_probable(name, level, sequence):
    """For the same history: only trades and the level itself bring the cautious model forward."""
    cautious, probable = new_order(level), new_order(level)
    for what, lots in sequence:
        for order, model in ((cautious, "risk_averse"), (probable, name)):
            if what == "trade":
                queue_on_trade(order, float(lots))
            else:
                queue_on_level(order, float(level), float(lots), MODELS[model], EXPONENT)
        level = lots if what == "level" else level
        assert probable["ahead_lots"] <= cautious["ahead_lots"] + 1e-9


def test_by_hand():
    """Level 100, half of it before us, 20 cancelled: p(behind) is one half, 10 of them were before us."""
    order = new_order(50.0)
    queue_on_level(order, 100.0, 80.0, MODELS["log_prob"], EXPONENT)
    assert order["ahead_lots"] == pytest.approx(40.0)
    assert log_share_behind(50, 50) == 0.5


def test_the_last_in_the_queue_gains_every_cancel_and_the_first_none():
    last, first = new_order(100.0), new_order(0.0)
    for order in (last, first):
        queue_on_level(order, 100.0, 70.0, MODELS["log_prob"], EXPONENT)
    assert last["ahead_lots"] == pytest.approx(70.0)
    assert first["ahead_lots"] == 0.0


def test_what_was_printed_is_not_counted_again_as_a_cancel():
    """30 printed and then the level is told 30 smaller: nobody cancelled."""
    for model in MODELS.values():
        order = new_order(60.0)
        assert queue_on_trade(order, 30.0) == 0
        queue_on_level(order, 100.0, 70.0, model, EXPONENT)
        assert order["ahead_lots"] == 30.0


def test_growth_is_behind_us():
    for model in MODELS.values():
        order = new_order(60.0)
        queue_on_level(order, 100.0, 500.0, model, EXPONENT)
        assert order["ahead_lots"] == 60.0


@pytest.mark.parametrize(
    ("ahead", "printed", "reached"), [(10, 9, 0), (10, 10, 0), (10, 12, 2), (0, 5, 5), (2.5, 3, 1), (2.6, 3, 0)]
)
def test_a_print_reaches_us_when_the_queue_is_gone(ahead, printed, reached):
    assert queue_on_trade(new_order(ahead), float(printed)) == reached


def test_an_unknown_queue_is_as_long_as_the_level_when_it_is_told():
    for model in MODELS.values():
        order = new_order(UNKNOWN_AHEAD)
        queue_on_level(order, 0.0, 300.0, model, EXPONENT)
        assert order["ahead_lots"] == 300.0


sizes = st.one_of(st.integers(0, 10**6).map(float), st.floats(0, 1e12))
exponents = st.floats(0.05, 100)


@pytest.mark.parametrize("model", PROBABLE)
@given(ahead=sizes, behind=sizes, exponent=exponents)
def test_the_share_is_a_probability(model, ahead, behind, exponent):
    share = share_behind(MODELS[model], exponent, ahead, behind)
    assert 0.0 <= share <= 1.0
    if ahead == 0.0:
        assert share == 1.0
    elif behind == 0.0:
        assert share == 0.0


@pytest.mark.parametrize("model", PROBABLE)
@given(ahead=st.integers(1, 10**6), behind=st.integers(0, 10**6), exponent=st.floats(0.1, 10))
def test_the_share_is_that_of_the_formula(model, ahead, behind, exponent):
    wanted = twin_queue.share_behind(model, exponent, ahead, behind)
    assert share_behind(MODELS[model], exponent, float(ahead), float(behind)) == pytest.approx(
        wanted, rel=1e-12, abs=1e-13
    )


@given(ahead=sizes, behind=sizes, exponent=exponents)
def test_the_models_have_an_order(ahead, behind, exponent):
    """log <= log2; power2 <= power <= power3 from exponent 1 on, the other way round below it."""

    def share(model):
        return share_behind(MODELS[model], exponent, ahead, behind)

    slack = 1e-12
    assert share("log_prob") <= share("log2") + slack
    low, middle, high = (share(name) for name in ("power2", "power", "power3"))
    if exponent < 1.0:
        low, high = high, low
    assert low <= middle + slack
    assert middle <= high + slack


@given(ahead=sizes, behind=sizes)
def test_at_exponent_one_the_power_models_are_one(ahead, behind):
    shares = [share_behind(MODELS[name], 1.0, ahead, behind) for name in ("power", "power2", "power3")]
    assert shares == pytest.approx([shares[0]] * 3, rel=1e-12, abs=1e-12)


@given(ahead=sizes, behind=sizes, low=exponents, high=exponents)
def test_a_larger_exponent_takes_a_clearer_side(ahead, behind, low, high):
    """power goes to 0 or 1, by which side is longer; power2 falls and power3 grows with the exponent."""
    low, high = sorted((low, high))
    slack = 1e-12

    def change(model):
        return share_behind(MODELS[model], high, ahead, behind) - share_behind(
            MODELS[model], low, ahead, behind
        )

    assert change("power2") <= slack
    assert change("power3") >= -slack
    assert change("power") >= -slack if behind >= ahead else change("power") <= slack


@given(
    st.lists(st.integers(1, 30), max_size=6),
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(1, 30)),
            st.tuples(st.just("cancel"), st.integers(0, 100)),
            st.tuples(st.just("trade"), st.integers(1, 40)),
        ),
        max_size=40,
    ),
)
def test_risk_averse_never_fills_earlier_than_the_truth(start, sequence):
    """Whoever cancels: as long as a print does not reach our true place it does not reach the cautious one."""
    fifo = FifoTwin(start)
    order = new_order(fifo.level)
    for what, number in sequence:
        before = fifo.level
        has_reached = False
        if what == "add":
            fifo.add(number)
        elif what == "cancel" and before:
            fifo.cancel(number % (len(fifo.ahead) + len(fifo.behind)))
        elif what == "trade":
            _, has_reached = fifo.trade(number)
            reached = queue_on_trade(order, float(number))
            assert has_reached or reached == 0
        if has_reached:
            return
        queue_on_level(order, float(before), float(fifo.level), MODELS["risk_averse"], EXPONENT)
        assert sum(fifo.ahead) <= order["ahead_lots"] <= fifo.level


def places_digest():
    """Return the hash of many orders' places, to the last bit."""
    rng = np.random.default_rng(5)
    digest = hashlib.sha256()
    for model in sorted(MODELS):
        for exponent in (0.3, 1.0, math.e, 3.0, 40.0):
            level, order = 1_000.0, new_order(700.0)
            for _ in range(60):
                printed = float(rng.integers(0, 10))
                queue_on_trade(order, printed)
                after = max(0.0, level - printed + float(rng.integers(-40, 41)))
                queue_on_level(order, level, after, MODELS[model], exponent)
                level = after
                digest.update(order.tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("variable", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_the_bytes_are_the_same_compiled_interpreted_and_bounds_checked(variable):
    done = subprocess.run(
        [sys.executable, "-c", "from sim.test_queue import places_digest; print(places_digest())"],
        env={
            **os.environ,
            variable: "0" if os.environ.get(variable, "0") == "1" else "1",
            "PYTHONPATH": os.pathsep.join([*map(str, HERE.parents[1:2]), *sys.path]),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert done.stdout.strip() == places_digest()
