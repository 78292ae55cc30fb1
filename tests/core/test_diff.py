"""The diff: what stays, what goes, what is new; and that doing it leaves nothing to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    MS,
    START_NS,
    acks,
    active_orders,
    cancels,
    feed,
    fill,
    make_engine,
    places,
    tape,
    timer,
    told,
    touch,
)
from makerside.model.units import BUY, SELL
from scripted import script

BOOK = (9_000, 11_000)


def quoting(quotes, hysteresis_bps=0.0, **settings):
    """Return an engine whose orders rest where `quotes` want them."""
    engine = make_engine({"pacing.hysteresis_bps": hysteresis_bps, **settings})
    script(engine, *quotes)
    actions = feed(engine, touch(*BOOK))
    assert len(actions) == len([q for q in quotes if q[2] > 0])
    feed(engine, acks(actions, START_NS + 1))
    return engine


def change(engine, *quotes, now=START_NS + 2):
    """Want other quotes and return what is sent at once."""
    script(engine, *quotes)
    return feed(engine, timer(now))


def resting(engine):
    """Return {(side, price, open)} of all orders."""
    return sorted((int(o["side"]), int(o["price_ticks"]), int(o["open_lots"])) for o in active_orders(engine))


def settle(engine, now):
    """Confirm and decide until nothing is sent any more; returns how many rounds sent something."""
    actions, rounds = feed(engine, timer(now)), 0
    while len(actions):
        rounds += 1
        assert rounds < 10
        now += 1
        actions = feed(engine, acks(actions, now), timer(now))
    return rounds


bids = st.lists(st.tuples(st.just(BUY), st.integers(9_900, 9_999), st.integers(1, 9)), max_size=5)
asks = st.lists(st.tuples(st.just(SELL), st.integers(10_001, 10_100), st.integers(1, 9)), max_size=5)
targets = st.tuples(bids, asks).map(lambda sides: sides[0] + sides[1])


@given(st.lists(targets, min_size=1, max_size=6), st.sampled_from([0.0, 5.0]))
def test_diff_then_apply_gives_the_targets_and_a_second_diff_is_empty(sequence, hysteresis_bps):
    engine = make_engine({"pacing.hysteresis_bps": hysteresis_bps})
    feed(engine, touch(*BOOK))
    now = START_NS
    for quotes in sequence:
        script(engine, *quotes)
        now += 100
        settle(engine, now)
        found, wanted = resting(engine), sorted(quotes)
        assert len(found) == len(wanted)
        for (side, price, lots), (wanted_side, wanted_price, wanted_lots) in zip(found, wanted, strict=True):
            assert side == wanted_side
            if hysteresis_bps == 0:
                assert (price, lots) == (wanted_price, wanted_lots)
        assert sum(lots for _, _, lots in found) == sum(lots for _, _, lots in wanted)
        assert len(feed(engine, timer(now + 90))) == 0


@given(targets, targets)
def test_actions_are_the_difference_of_two_sets(before, after):
    """Without hysteresis: cancels are what is not wanted, places what does not rest, as multisets."""
    engine = quoting(before)
    actions = change(engine, *after)
    gone, new = list(before), list(after)
    for quote in list(before):
        if quote in new:
            gone.remove(quote)
            new.remove(quote)
    signed = [(1 if side == "buy" else -1, price, lots) for _, side, price, lots in told(actions)]
    n_cancels = len(cancels(actions))
    assert sorted(signed[:n_cancels]) == sorted(gone), "cancels first"
    assert sorted(signed[n_cancels:]) == sorted(new)


@pytest.mark.parametrize(
    ("shift", "is_kept"), [(0, True), (1, True), (5, True), (6, False), (-4, True), (-5, False)]
)
def test_an_order_within_the_hysteresis_keeps_its_place(shift, is_kept):
    """5 bps of the wanted price: 5.003 ticks above 10,000, 4.998 below."""
    engine = quoting([(BUY, 10_000, 5)], hysteresis_bps=5.0)
    actions = change(engine, (BUY, 10_000 + shift, 5))
    assert (len(actions) == 0) == is_kept
    if not is_kept:
        assert told(actions) == [("CANCEL", "buy", 10_000, 5), ("PLACE", "buy", 10_000 + shift, 5)]


def test_each_quote_takes_the_nearest_order_and_no_order_serves_two():
    engine = quoting([(BUY, 9_990, 5), (BUY, 9_993, 5)], hysteresis_bps=10.0)
    assert told(change(engine, (BUY, 9_992, 5))) == [("CANCEL", "buy", 9_990, 5)]
    engine = quoting([(BUY, 9_990, 5)], hysteresis_bps=10.0)
    assert told(change(engine, (BUY, 9_991, 5), (BUY, 9_989, 5))) == [("PLACE", "buy", 9_989, 5)]


def test_sides_do_not_serve_each_other():
    engine = quoting([(BUY, 10_000, 5)], hysteresis_bps=100.0)
    assert told(change(engine, (SELL, 10_001, 5))) == [
        ("CANCEL", "buy", 10_000, 5),
        ("PLACE", "sell", 10_001, 5),
    ]


@pytest.mark.parametrize(("lots", "is_kept"), [(5, True), (4, False), (6, False)])
def test_another_size_needs_another_order(lots, is_kept):
    engine = quoting([(BUY, 9_990, 5)])
    assert (len(change(engine, (BUY, 9_990, lots))) == 0) == is_kept


def test_a_partly_filled_order_keeps_its_place():
    engine = quoting([(BUY, 9_990, 5)])
    (order,) = active_orders(engine)
    assert len(feed(engine, fill(int(order["client_order_id"]), START_NS + 2, 2, 9_990))) == 0
    assert resting(engine) == [(BUY, 9_990, 3)]
    assert len(change(engine, (BUY, 9_990, 9))) == 0, "topped up only when it has ended"
    assert told(change(engine, (BUY, 9_990, 2))) == [("CANCEL", "buy", 9_990, 3), ("PLACE", "buy", 9_990, 2)]


def test_an_order_that_is_not_acked_is_not_doubled_and_not_cancelled():
    engine = make_engine()
    script(engine, (BUY, 9_990, 5))
    first = feed(engine, touch(*BOOK))
    assert len(first) == 1
    assert len(feed(engine, timer(START_NS + 1))) == 0, "it is on its way"
    assert told(change(engine, (BUY, 9_980, 5))) == [("PLACE", "buy", 9_980, 5)], "it cannot be cancelled yet"
    later = feed(engine, acks(first, START_NS + 3))
    assert told(later) == [("CANCEL", "buy", 9_990, 5)]


def test_a_cancel_is_sent_once():
    engine = quoting([(BUY, 9_990, 5)])
    assert len(cancels(change(engine))) == 1
    assert len(feed(engine, timer(START_NS + 3 * MS))) == 0


def test_a_quote_that_comes_back_does_not_wait_for_its_cancel():
    """The order is leaving; the quote gets a new one, both count as exposure until the venue has answered."""
    engine = quoting([(BUY, 9_990, 5)])
    leaving = change(engine)
    assert told(change(engine, (BUY, 9_990, 5))) == [("PLACE", "buy", 9_990, 5)]
    assert engine.accounts[0]["positions"][0]["open_buy_lots"] == 10
    feed(engine, acks(leaving, START_NS + 4))
    assert engine.accounts[0]["positions"][0]["open_buy_lots"] == 5


def test_nothing_is_sent_while_nothing_changes():
    engine = quoting([(BUY, 9_990, 5), (SELL, 10_010, 5)])
    rows = tape(
        [touch(*BOOK, START_NS + i) for i in range(2, 50)], [timer(START_NS + i) for i in range(50, 99)]
    )
    assert len(feed(engine, rows)) == 0
    assert len(places(feed(engine, rows[:0]))) == 0
