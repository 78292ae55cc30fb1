"""The market without ourselves: the touch is the one of a book that never had our orders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    MS,
    S,
    acks,
    book_row,
    feed,
    fill,
    make_engine,
    report,
    tape,
    timer,
    touch,
)
from makerside.core.book import end_message
from makerside.core.observe import observe_level
from makerside.core.own import own_begins, own_ends, set_touch
from makerside.model.event import Kind
from makerside.model.market import NO_ASK, NO_BID, OWN_CAPACITY
from makerside.model.units import ASK, BID, BUY, SELL
from reference.book import touch_without
from scripted import script

from .test_book import new_market

DELTA = int(Kind.DELTA)
T0 = 1_000 * S  # a clock that has just begun; test_on_the_real_clock has the years

levels = st.dictionaries(st.integers(90, 99), st.integers(1, 20), min_size=0, max_size=6)
own_orders = st.lists(
    st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 9), st.integers(1, 20)), max_size=8
)


@given(levels, levels, own_orders)
def test_touch_is_that_of_a_book_that_never_had_us(bids, asks, own):
    """Published = others + ours; subtracting ours gives the others' touch back, on both sides."""
    asks = {199 - tick: lots for tick, lots in asks.items()}
    ours = {BID: {}, ASK: {}}
    market = new_market(own_in_book=True)
    for number, (side, offset, lots) in enumerate(own, start=1):
        book_side = BID if side == BUY else ASK
        tick = 99 - offset if side == BUY else 100 + offset
        ours[book_side][tick] = ours[book_side].get(tick, 0) + lots
        own_begins(market, number, book_side, tick, lots, 10)
    published = {}
    for side, others in ((BID, bids), (ASK, asks)):
        published[side] = {
            tick: others.get(tick, 0) + ours[side].get(tick, 0) for tick in others.keys() | ours[side].keys()
        }
        for tick, lots in published[side].items():
            observe_level(market, DELTA, side, tick, lots, 10)
    end_message(market["book"])
    set_touch(market)
    for side, name, nothing in ((BID, "bid", NO_BID), (ASK, "ask", NO_ASK)):
        expected = touch_without(published[side], ours[side], side)
        assert expected == touch_without((bids, asks)[side], {}, side)
        found = (market[f"{name}_ticks"], market[f"{name}_lots"])
        assert found == (expected or (nothing, 0))


@pytest.fixture
def quoting():
    """Return an engine in a live market (100 x 105) with our acked orders: buy 5 at 102, sell 5 at 104."""
    engine = make_engine(own_in_book=True, start_ns=T0)
    script(engine, (BUY, 102, 5), (SELL, 104, 5))
    actions = feed(engine, touch(100, 105, T0, bid_lots=9, ask_lots=8))
    feed(engine, acks(actions, T0 + 10 * MS))
    return engine, [int(a["client_order_id"]) for a in actions]


def shown(engine):
    """Return (bid, its lots, ask, its lots) as decisions see them."""
    market = engine.markets[0]
    return tuple(int(market[name]) for name in ("bid_ticks", "bid_lots", "ask_ticks", "ask_lots"))


def level(side, price, lots, ms, is_last=True):
    """Return a delta `ms` milliseconds after the start."""
    return book_row(Kind.DELTA, side, price, lots, T0 + ms * MS, last=is_last)


def test_our_orders_in_the_feed_are_not_the_market(quoting):
    engine, _ = quoting
    feed(engine, level(BID, 102, 5, 10, False), level(ASK, 104, 5, 10))
    assert shown(engine) == (100, 9, 105, 8)


@pytest.mark.parametrize("year", [2010, 2023, 2100])
def test_on_the_real_clock(year):
    """Nanoseconds since 1970 are what tapes carry."""
    start = (year - 1970) * 31_557_600 * S
    engine = make_engine(own_in_book=True, start_ns=start)
    script(engine, (BUY, 102, 5))
    actions = feed(engine, touch(100, 105, start, bid_lots=9))
    feed(engine, acks(actions, start + 10 * MS))
    feed(engine, book_row(Kind.DELTA, BID, 102, 5, start + 11 * MS))
    assert shown(engine)[:2] == (100, 9)


def test_others_at_our_price_are_the_market(quoting):
    engine, _ = quoting
    feed(engine, level(BID, 102, 5 + 3, 10, False), level(ASK, 104, 5, 10))
    assert shown(engine) == (102, 3, 105, 8)


def test_a_book_older_than_our_order_does_not_contain_it(quoting):
    """Its level at our price, if any, is somebody else's."""
    engine, _ = quoting
    feed(engine, book_row(Kind.DELTA, BID, 102, 4, T0 + 20 * MS, venue=T0 + 9 * MS))
    assert shown(engine) == (102, 4, 105, 8)


def test_a_cancelled_order_is_subtracted_from_books_of_its_time_only(quoting):
    engine, (bid, ask) = quoting
    feed(engine, level(BID, 102, 5, 10, False), level(ASK, 104, 5, 10))
    ended = [report(Kind.ORDER_CANCELED, o, T0 + 50 * MS, venue=T0 + 40 * MS, size=5) for o in (bid, ask)]
    script(engine)
    feed(engine, ended)
    # The feed is behind: what it shows is of 30 ms, when our orders still rested.
    late = T0 + 60 * MS
    feed(engine, book_row(Kind.DELTA, BID, 99, 1, late, venue=T0 + 30 * MS))
    assert shown(engine) == (100, 9, 105, 8)
    # Somebody takes our former price after us.
    feed(engine, book_row(Kind.DELTA, BID, 102, 7, late, venue=T0 + 41 * MS))
    assert shown(engine)[:2] == (102, 7)


def test_a_partly_filled_order_is_subtracted_with_its_rest(quoting):
    engine, (bid, _) = quoting
    feed(engine, level(BID, 102, 5, 10, False), level(ASK, 104, 5, 10))
    feed(engine, fill(bid, T0 + 30 * MS, 2, 102, venue=T0 + 20 * MS))
    feed(engine, level(BID, 102, 3 + 6, 31))
    assert shown(engine)[:2] == (102, 6)


def test_recordings_never_contain_us():
    """Without our orders in the feed nothing is subtracted."""
    engine = make_engine(own_in_book=False, start_ns=T0)
    script(engine, (BUY, 102, 5))
    actions = feed(engine, touch(100, 105, T0))
    feed(engine, acks(actions, T0 + 10 * MS), level(BID, 102, 5, 11))
    assert shown(engine)[:2] == (102, 5)


def test_a_fill_that_overtook_the_ack_keeps_its_rest():
    """Fill of 2 at 20 ms is told first, the ack of 5 at 10 ms afterwards: 3 of ours rest."""
    engine = make_engine(own_in_book=True, start_ns=T0)
    script(engine, (BUY, 102, 5))
    (action,) = feed(engine, touch(100, 105, T0, bid_lots=9))
    order = int(action["client_order_id"])
    feed(engine, fill(order, T0 + 30 * MS, 2, 102, venue=T0 + 20 * MS))
    feed(engine, report(Kind.ORDER_ACK, order, T0 + 31 * MS, venue=T0 + 10 * MS, price=102, size=5))
    feed(engine, level(BID, 102, 3 + 1, 32))
    assert shown(engine)[:2] == (102, 1)


def test_fills_that_come_after_the_end_do_not_revive_an_order(quoting):
    """Cancelled at 40 ms with 5 - 3 unfilled; its first fill of 1 is told afterwards."""
    engine, (bid, _) = quoting
    feed(engine, level(BID, 102, 5, 10))
    feed(engine, report(Kind.ORDER_CANCELED, bid, T0 + 50 * MS, venue=T0 + 40 * MS, size=2))
    feed(engine, fill(bid, T0 + 51 * MS, 1, 102, venue=T0 + 30 * MS))
    feed(engine, level(BID, 102, 2, 60))
    assert shown(engine)[:2] == (102, 2), "nothing of ours rests after 40 ms"


def test_an_impossible_reject_changes_nothing(quoting):
    engine, (bid, _) = quoting
    feed(engine, level(BID, 102, 5, 10))
    before = int(engine.traders[0]["n_rejects"])
    feed(engine, report(Kind.ORDER_REJECT, bid, T0 + 20 * MS))
    assert engine.accounts[0]["n_impossible"] == 1
    feed(engine, level(BID, 102, 5, 30))
    assert shown(engine)[:2] == (100, 9), "the order still rests and is still ours"
    assert engine.traders[0]["n_rejects"] == before


def test_an_order_that_shows_before_its_ack_is_not_the_market():
    """The public feed and the private one do not wait for each other."""
    engine = make_engine(own_in_book=True, start_ns=T0)
    script(engine, (BUY, 102, 5))
    feed(engine, touch(100, 105, T0, bid_lots=9))
    feed(engine, level(BID, 102, 5, 10))
    assert shown(engine)[:2] == (100, 9)


def test_a_cancel_answer_without_a_time_does_not_rewrite_the_past(quoting):
    """Hyperliquid's answers to actions carry no time. The last book told still contains our order."""
    engine, (bid, _) = quoting
    feed(engine, level(BID, 102, 5, 10))
    script(engine)
    feed(engine, report(Kind.ORDER_CANCELED, bid, T0 + 50 * MS, venue=0, size=5))
    feed(engine, book_row(Kind.DELTA, ASK, 106, 1, T0 + 51 * MS, venue=T0 + 11 * MS))
    assert shown(engine)[:2] == (100, 9)


def test_what_stays_behind_of_us_on_a_feed_of_best_prices_is_not_the_market(quoting):
    """Our 102 was the best bid, then our 103 is: nobody tells that the level at 102 has gone."""
    engine, (bid, _) = quoting
    feed(engine, touch(102, 105, T0 + 10 * MS, bid_lots=5, kind=Kind.BBO))
    assert shown(engine)[:2] == (100, 9)
    script(engine, (BUY, 103, 6))
    actions = feed(engine, touch(102, 105, T0 + 20 * MS, bid_lots=5, ask_lots=7, kind=Kind.BBO))
    feed(engine, acks(actions, T0 + 30 * MS))
    feed(engine, report(Kind.ORDER_CANCELED, bid, T0 + 30 * MS, size=5))
    feed(engine, touch(103, 105, T0 + 40 * MS, bid_lots=6, kind=Kind.BBO))
    assert shown(engine)[:2] == (100, 9)


@pytest.mark.parametrize(("lots", "others"), [(4, 4), (5, 0), (6, 0), (7, 7), (8, 3), (11, 11), (13, 2)])
def test_orders_without_an_ack_are_ours_when_the_level_grew_by_their_size(lots, others):
    """We sent 5, and 6 behind it, to a price at which 0 (or, for 8, 11 and 13, some) of others rested."""
    engine = make_engine(own_in_book=True, start_ns=T0)
    before = {8: 3, 11: 2, 13: 2}.get(lots, 0)
    feed(engine, touch(100, 105, T0, bid_lots=9), level(BID, 99, before, 1))
    script(engine, (BUY, 99, 5), (BUY, 99, 6))
    feed(engine, level(BID, 98, 1, 2), timer(T0 + 2 * MS))
    feed(engine, level(BID, 100, 0, 3, is_last=False), level(BID, 99, lots, 3))
    assert shown(engine)[:2] == ((99, others) if others else (98, 1))


def test_an_ack_without_a_time_counts_from_now_on(quoting):
    """Books of the time before it may contain the order or not: then the level's growth decides."""
    engine = make_engine(own_in_book=True, start_ns=T0)
    script(engine, (BUY, 102, 5))
    (action,) = feed(engine, touch(100, 105, T0, bid_lots=9))
    order = int(action["client_order_id"])
    feed(engine, report(Kind.ORDER_ACK, order, T0 + 20 * MS, venue=0, price=102, size=5))
    feed(engine, book_row(Kind.DELTA, BID, 102, 7, T0 + 21 * MS, venue=T0 + 5 * MS))
    assert shown(engine)[:2] == (102, 7)
    feed(engine, level(BID, 102, 7, 30))
    assert shown(engine)[:2] == (102, 2)
    feed(engine, report(Kind.ORDER_ACK, order, T0 + 31 * MS, venue=T0 + 6 * MS, price=102, size=5))
    feed(engine, level(BID, 102, 9, 32))
    assert shown(engine)[:2] == (102, 4)


def test_notes_that_no_book_lets_go_are_taken_out_of_it():
    """Two hundred ended orders that a book of one moment still shows, and no newer one comes."""
    market = new_market(own_in_book=True)
    for number in range(1, OWN_CAPACITY + 1):
        own_begins(market, number, BID, 1_000 + number, 5, 10)
        observe_level(market, DELTA, BID, 1_000 + number, 5 + number % 2, 20)
        own_ends(market, number, 30)
    own_begins(market, 9_999, BID, 900, 5, 40)
    set_touch(market)
    assert market["n_own"] == 1
    assert (market["bid_ticks"], market["bid_lots"]) == (1_000 + OWN_CAPACITY - 1, 1)


def requote_for_ever(engine, feed_touch, n):
    """Move the quotes on every message, everything acked at once."""
    orders = np.zeros(0, engine.desks["actions"].dtype)
    for i in range(n):
        now = T0 + (i + 1) * 100 * MS
        script(engine, (BUY, 9_000 + i % 50, 5), (SELL, 11_000 + i % 50, 5))
        orders = feed(engine, acks(orders, now), feed_touch(now, i))


def test_long_runs_on_a_full_feed_keep_few_notes_of_us():
    engine = make_engine(own_in_book=True, start_ns=T0)

    def both(now, i):
        rows = touch(9_999 - i % 2, 10_001, now, kind=Kind.BBO)
        return tape(rows, book_row(Kind.DELTA, BID, 9_990, 1 + i % 3, now))

    requote_for_ever(engine, both, 500)
    assert engine.markets[0]["n_own"] <= 8


def test_long_runs_on_best_prices_only():
    """A feed of best prices never tells the depth: the notes of ended orders must go all the same."""
    engine = make_engine(own_in_book=False, start_ns=T0)
    requote_for_ever(engine, lambda now, i: touch(9_999 - i % 2, 10_001, now, kind=Kind.BBO), 500)


def test_busy_quoting_between_slow_snapshots():
    """Hyperliquid's l2Book comes every 5 s, bbo at once: four levels a side, requoted four times a second."""
    engine = make_engine(own_in_book=True, start_ns=T0)
    orders = np.zeros(0, engine.desks["actions"].dtype)
    for i in range(100):
        now = T0 + S + i * 250 * MS
        quotes = [
            (side, 10_000 - side * (20 + 3 * level + i % 2), 5) for side in (BUY, SELL) for level in range(4)
        ]
        script(engine, *quotes)
        book = touch(9_999 - i % 2, 10_001, now, kind=Kind.SNAPSHOT if i % 20 == 0 else Kind.BBO)
        orders = feed(engine, acks(orders, now), book)


def test_times_of_one_order_do_not_overlap():
    """Whatever is told in order of time, one order counts once at any time."""
    market = new_market(own_in_book=True)
    own_begins(market, 1, BID, 100, 5, 10)
    own_begins(market, 1, BID, 100, 3, 20)
    own_begins(market, 1, BID, 100, 3, 20)
    own_ends(market, 1, 30)
    book = market["book"]
    for ts, others in ((9, 10), (10, 5), (19, 5), (20, 7), (29, 7), (30, 10), (31, 10)):
        observe_level(market, DELTA, BID, 100, 10, ts)
        end_message(book)
        set_touch(market)
        assert market["bid_lots"] == others, ts
