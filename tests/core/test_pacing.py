"""Pacing: never more than the budget, cancels always possible, a flush interval between decisions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    MS,
    START_NS,
    S,
    acks,
    cancels,
    command,
    events_of,
    feed,
    make_engine,
    places,
    statement,
    tape,
    timer,
    touch,
)
from makerside.core.pacing import ONE_ACTION_U6, may_cancel, may_place, refill_budget, spend
from makerside.model.account import account_t
from makerside.model.action import ActionKind
from makerside.model.event import Kind, Reason
from makerside.model.units import BUY, SELL
from reference.pacing import BucketTwin
from scripted import script

BOOK = (9_000, 11_000)


def new_account(most, rate, reserve=0.0):
    """Return an account with a full budget. rate : actions per second"""
    accounts = np.zeros(1, account_t)
    account = accounts[0]
    account["budget_u6"] = account["budget_max_u6"] = round(most * ONE_ACTION_U6)
    account["budget_u6_per_s"] = round(rate * ONE_ACTION_U6)
    account["reserve_u6"] = round(reserve * ONE_ACTION_U6)
    return account


waits = st.sampled_from([0, 1, 999, 1_000, 1_499, 3_333_333, 50 * MS, S, 3_600 * S, 10**6 * S])


@given(
    st.lists(st.tuples(waits, st.integers(0, 3)), max_size=60),
    st.sampled_from([1.0, 5.0, 100.0, 10_000.0]),
    st.sampled_from([0.0, 0.5, 1.0, 20.0, 1_000.0]),
)
def test_budget_is_an_exact_bucket(steps, most, rate):
    account, twin, now = new_account(most, rate), BucketTwin(int(most), Fraction(rate)), START_NS
    for wait, wanted in steps:
        now += wait
        refill_budget(account, now)
        twin.refill(now)
        rest = Fraction(int(account["budget_rest"]), S)
        assert Fraction(int(account["budget_u6"]) + rest, ONE_ACTION_U6) == twin.tokens
        for _ in range(wanted):
            if may_cancel(account):
                spend(account)
                twin.spend(1)
        assert account["budget_u6"] >= 0


def test_budget_comes_back_in_full_however_often_one_looks():
    """1.9 us between two looks, as in a burst of messages: little is lost to rounding."""
    account = new_account(100.0, 20.0)
    account["budget_u6"] = 0
    refill_budget(account, START_NS)
    for i in range(1, 20_001):
        refill_budget(account, START_NS + i * 1_900)
    assert account["budget_u6"] / ONE_ACTION_U6 == pytest.approx(20.0 * 20_000 * 1_900 / S, rel=0.02)


def test_a_year_of_silence_fills_the_bucket():
    account = new_account(1e9, 1e6)
    account["budget_u6"] = 0
    refill_budget(account, START_NS)
    refill_budget(account, START_NS + 31_557_600 * S)
    assert account["budget_u6"] == account["budget_max_u6"]
    assert account["budget_rest"] == 0


def test_a_large_empty_bucket_refills_slowly():
    """`budget_actions` may be 10^9: 10^15 millionths of an action and 10^9 ns a second do not fit together."""
    account = new_account(1e9, 0.005)
    account["budget_u6"] = 0
    refill_budget(account, START_NS)
    refill_budget(account, START_NS + 10_000 * S)
    assert account["budget_u6"] == 50 * ONE_ACTION_U6


@pytest.mark.parametrize(
    ("tokens", "cancel", "place"), [(0.999_999, 0, 0), (1.0, 1, 0), (2.999_999, 1, 0), (3.0, 1, 1)]
)
def test_placing_stops_at_the_reserve_and_cancelling_at_nothing(tokens, cancel, place):
    account = new_account(10.0, 1.0, reserve=2.0)
    account["budget_u6"] = round(tokens * ONE_ACTION_U6)
    assert (may_cancel(account), may_place(account)) == (cancel, place)


def paced(flush_ms=0, budget=10_000, per_s=0.0, reserve=0.0):
    """Return an engine with these limits."""
    return make_engine(
        {
            "pacing.flush_ms": flush_ms,
            "pacing.budget_actions": budget,
            "pacing.budget_per_s": per_s,
            "pacing.reserve_actions": reserve,
        }
    )


def test_what_is_sent_never_exceeds_the_budget(rng):
    """Every message wants other quotes; all sent actions go through an exact bucket that may not run dry."""
    engine, twin, now = paced(budget=40, per_s=25.0, reserve=10.0), BucketTwin(40, 25), START_NS
    twin.refill(now)
    feed(engine, touch(*BOOK))
    actions, n_sent = feed(engine, timer(now)), 0
    for _ in range(events_of(8_000)):
        now += int(rng.exponential(30 * MS))
        shift = int(rng.integers(0, 50))
        script(engine, (BUY, 9_900 - shift, 5), (BUY, 9_800 - shift, 5), (SELL, 10_100 + shift, 5))
        rows = tape(acks(actions, now), touch(*BOOK, now), timer(now))
        actions = feed(engine, rows)
        twin.refill(now)
        for action in actions:
            twin.spend(1)
            assert action["kind"] == ActionKind.CANCEL or twin.tokens >= 10, "placing leaves the reserve"
        n_sent += len(actions)
    assert n_sent > 0.8 * 25 * (now - START_NS) / S, "and what the budget allows is used"


def test_everything_that_rests_can_be_taken_back():
    """Budget 10 with 5 in reserve: however the bot has quoted, pausing cancels all of it at once."""
    engine = paced(budget=10, reserve=5.0)
    script(engine, *[(BUY, 9_900 - i, 1) for i in range(10)])
    actions = feed(engine, touch(*BOOK))
    assert len(places(actions)) == 5
    assert engine.traders[0]["refusals"][Reason.BUDGET] == 5
    feed(engine, acks(actions, START_NS + 1))
    assert len(cancels(feed(engine, command("PAUSE", START_NS + 2)))) == 5


def test_a_cancel_that_found_no_budget_is_sent_when_there_is_some():
    engine = paced(budget=2, per_s=1.0)
    script(engine, (BUY, 9_900, 1), (SELL, 10_100, 1))
    actions = feed(engine, touch(*BOOK), timer(START_NS))
    feed(engine, acks(actions, START_NS + 1))
    script(engine)
    assert len(feed(engine, timer(START_NS + 2))) == 0
    assert len(cancels(feed(engine, timer(START_NS + 1 * S + 2 * MS)))) == 1
    assert len(cancels(feed(engine, timer(START_NS + 2 * S + 3 * MS)))) == 1


@pytest.mark.parametrize(("wait_ns", "is_sent"), [(250 * MS - 1, False), (250 * MS, True)])
def test_the_flush_interval_is_kept(wait_ns, is_sent):
    engine = paced(flush_ms=250)
    script(engine, (BUY, 9_900, 1))
    actions = feed(engine, touch(*BOOK))
    feed(engine, acks(actions, START_NS + 1))
    script(engine, (BUY, 9_800, 1))
    assert (len(feed(engine, timer(START_NS + wait_ns))) > 0) == is_sent


def test_decisions_that_send_are_apart_and_none_is_forgotten(rng):
    engine, now, sent_at = paced(flush_ms=100), START_NS, []
    feed(engine, touch(*BOOK))
    actions = feed(engine)
    for i in range(events_of(4_000)):
        now += int(rng.exponential(20 * MS))
        script(engine, (BUY, 9_900 - i % 50, 5))
        rows = tape(acks(actions, now), touch(*BOOK, now, bid_lots=1 + i % 9))
        actions = feed(engine, rows)
        if len(actions):
            sent_at.append(now)
    gaps = np.diff(sent_at)
    assert gaps.min() >= 100 * MS
    assert np.median(gaps) < 140 * MS, (
        "a wanted change waits for the interval only, not for a further event of ours"
    )


def test_news_that_came_too_early_is_decided_on_when_the_interval_is_over():
    """By whatever comes next, also by a row that is no news for us; and once."""
    engine = paced(flush_ms=100)
    script(engine, (BUY, 9_900, 1))
    actions = feed(engine, touch(*BOOK))
    feed(engine, acks(actions, START_NS + 1))
    script(engine, (BUY, 9_800, 1))
    assert len(feed(engine, touch(9_001, 11_000, START_NS + 10 * MS))) == 0
    prices = [statement(Kind.PRICES, START_NS + ms * MS, mark=ms, account=-1) for ms in (99, 100, 101)]
    assert len(feed(engine, prices[0])) == 0
    assert len(feed(engine, prices[1])) == 2
    decided = int(engine.traders[0]["n_decisions"])
    feed(engine, prices[2])
    assert engine.traders[0]["n_decisions"] == decided


def test_leaving_the_market_does_not_wait_for_the_interval():
    engine = paced(flush_ms=60_000)
    script(engine, (BUY, 9_900, 1))
    actions = feed(engine, touch(*BOOK))
    feed(engine, acks(actions, START_NS + 1))
    assert len(cancels(feed(engine, command("PAUSE", START_NS + 2)))) == 1
