"""The book: against a twin with dictionaries, and rule by rule as a table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import config_of, plain
from makerside.config.convert import fill_market
from makerside.core.book import (
    apply_book_row,
    book_clear,
    book_lots,
    end_message,
    move_window,
    next_ask,
    next_bid,
)
from makerside.core.own import set_touch
from makerside.model.event import Kind
from makerside.model.market import NO_ASK, NO_BID, WINDOW_TICKS, MarketStatus, market_t
from makerside.model.units import ASK, BID
from reference.book import BookTwin

KINDS = {"delta": Kind.DELTA, "snapshot": Kind.SNAPSHOT, "bbo": Kind.BBO}
SIDES = {"bid": BID, "ask": ASK}


def new_market(own_in_book=False):
    """Return one empty market record."""
    markets = np.zeros(1, market_t)
    fill_market(markets[0], plain(), config_of({}).estimators, own_in_book)
    return markets[0]


def apply(book, kind, side, tick, lots, ts):
    """Apply one row to the kernel's book."""
    apply_book_row(book, int(KINDS[kind]), side, tick, lots, ts)


def levels_of(book, side):
    """Return {tick: lots} of every level the book holds, by walking from the touch."""
    found, step = {}, next_bid if side == BID else next_ask
    tick = book["bid_ticks"] if side == BID else book["ask_ticks"]
    while tick not in (NO_BID, NO_ASK):
        found[int(tick)] = int(book_lots(book, side, tick))
        tick = step(book, tick - 1 if side == BID else tick + 1)
    return found


def best_of(book):
    """Return best prices and their sizes."""
    bid, ask = int(book["bid_ticks"]), int(book["ask_ticks"])
    return bid, int(book_lots(book, BID, bid)), ask, int(book_lots(book, ASK, ask))


def assert_same(book, twin):
    """Assert that both books hold the same levels and the same best prices."""
    assert book["bid_ticks"] == (NO_BID if twin.bid() is None else twin.bid())
    assert book["ask_ticks"] == (NO_ASK if twin.ask() is None else twin.ask())
    for side in (BID, ASK):
        assert levels_of(book, side) == twin.levels[side]
    ticks = np.flatnonzero(book["lots"].any(axis=0))
    assert len(ticks) == len(twin.levels[BID].keys() | twin.levels[ASK].keys()), "nothing else is left over"


# Messages: a kind, an age against the newest so far, and rows of (side, tick, lots).
near = st.integers(20_000, 20_012)
far = st.sampled_from(
    [1, 300, 20_000 - 7_000, 20_000 + 7_000, 20_000 + WINDOW_TICKS, 20_006 + 3 * WINDOW_TICKS]
)
ticks = st.one_of(near, near, near, far)
lots = st.one_of(st.just(0), st.integers(1, 9))
rows = st.lists(st.tuples(st.sampled_from([BID, ASK]), ticks, lots), min_size=1, max_size=5)
messages = st.lists(
    st.tuples(st.sampled_from(["delta", "delta", "snapshot", "bbo", "gap"]), st.integers(-2, 3), rows),
    min_size=1,
    max_size=25,
)


@given(messages)
def test_book_equals_its_twin(sequence):
    book, twin = new_market()["book"], BookTwin(WINDOW_TICKS)
    newest = 100
    for kind, age, message in sequence:
        if kind == "gap":
            book_clear(book)
            book["ts_touch_ns"] = book["ts_depth_ns"] = 0
            twin.gap()
            continue
        ts = newest + age
        newest = max(newest, ts)
        for side, tick, size in message:
            apply(book, kind, side, tick, size, ts)
            twin.row(kind, side, tick, size, ts)
        end_message(book)
        twin.end_message()
        assert_same(book, twin)


@given(messages)
def test_older_messages_never_change_the_touch(sequence):
    """Whatever is older than the newest word about the touch leaves both best prices and sizes alone."""
    book = new_market()["book"]
    newest = 100
    for kind, age, message in sequence:
        if kind == "gap":
            continue
        ts = newest + age
        is_older = ts < book["ts_touch_ns"]
        before = best_of(book)
        for side, tick, size in message:
            apply(book, kind, side, tick, size, ts)
        if is_older:
            assert best_of(book) == before
        end_message(book)
        newest = max(newest, ts)


# side tick lots at time -> best bid, best ask as price x lots. A dot ends the message.
RULES = """
a snapshot replaces everything
    snapshot  bid 100 5 @10
    snapshot  bid  99 2 @10
    snapshot. ask 101 4 @10   100x5 101x4
    snapshot  bid  98 1 @20
    snapshot. ask 103 2 @20    98x1 103x2

a delta changes one level; size 0 removes it and the next level is the touch
    delta  bid 100 5 @10
    delta  bid  98 7 @10
    delta. ask 101 4 @10      100x5 101x4
    delta. bid 100 0 @11       98x7 101x4
    delta. ask 101 9 @12       98x7 101x9

removing what is not there changes nothing
    delta  bid 100 5 @10
    delta. ask 101 4 @10      100x5 101x4
    delta. bid  99 0 @11      100x5 101x4

best prices trim what stood in front of them
    delta  bid 100 5 @10
    delta  bid  99 6 @10
    delta  ask 101 4 @10
    delta. ask 102 3 @10      100x5 101x4
    bbo    bid  99 1 @11
    bbo.   ask 102 8 @11       99x1 102x8

best prices may improve
    delta  bid 100 5 @10
    delta. ask 105 4 @10      100x5 105x4
    bbo    bid 102 1 @11
    bbo.   ask 104 2 @11      102x1 104x2

best price of size 0 says that the side is empty
    delta  bid 100 5 @10
    delta  bid  99 5 @10
    delta. ask 101 4 @10      100x5 101x4
    bbo.   bid   0 0 @11        -   101x4

an older delta cannot touch the touch
    bbo    bid 100 5 @20
    bbo.   ask 102 4 @20      100x5 102x4
    delta  bid 100 9 @19
    delta  bid 101 9 @19
    delta  bid  99 3 @19
    delta. ask 102 0 @19      100x5 102x4
    bbo.   bid  99 3 @21       99x3 102x4

an older delta may change what lies behind the touch
    bbo    bid 100 5 @20
    bbo.   ask 102 4 @20      100x5 102x4
    delta. bid  98 7 @19      100x5 102x4
    delta. bid 100 0 @21       98x7 102x4

an older snapshot keeps the newer touch and replaces the rest
    snapshot  bid  99 1 @10
    snapshot  bid  98 1 @10
    snapshot. ask 105 1 @10    99x1 105x1
    bbo       bid 100 5 @20
    bbo.      ask 102 4 @20   100x5 102x4
    snapshot  bid 101 9 @19
    snapshot  bid  97 6 @19
    snapshot  ask 101 9 @19
    snapshot. ask 104 7 @19   100x5 102x4
    delta     bid 100 0 @21
    delta.    ask 102 0 @21    97x6 104x7

an older snapshot cannot fill a side that a newer message says is empty
    bbo       bid 100 5 @20
    bbo.      ask   0 0 @20   100x5   -
    snapshot  bid  99 1 @19
    snapshot. ask 101 1 @19   100x5   -

equal times are not older
    bbo    bid 100 5 @20
    bbo.   ask 102 4 @20      100x5 102x4
    delta. bid 101 1 @20      101x1 102x4

a locked and a crossed book are told as they are
    delta  bid 100 5 @10
    delta. ask 100 4 @10      100x5 100x4
    delta. bid 101 2 @11      101x2 100x4

a message is looked at when it has ended
    delta  bid 100 5 @10
    delta. ask 101 4 @10      100x5 101x4
    delta  bid 102 5 @11
    delta  ask 101 0 @11
    delta. ask 103 1 @11      102x5 103x1
"""


def _cases(text):
    blocks = [block.splitlines() for block in text.strip().split("\n\n")]
    return [pytest.param(lines, id=title.replace(" ", "_")) for title, *lines in blocks]


def _text(price, size):
    return "-" if price in (NO_BID, NO_ASK) else f"{price}x{size}"


@pytest.mark.parametrize("lines", _cases(RULES))
def test_rule(lines):
    book = new_market()["book"]
    for line in lines:
        kind, side, tick, size, at, *expected = line.split()
        apply(book, kind.rstrip("."), SIDES[side], int(tick), int(size), int(at.lstrip("@")))
        if kind.endswith("."):
            end_message(book)
            bid, bid_lots, ask, ask_lots = best_of(book)
            assert [_text(bid, bid_lots), _text(ask, ask_lots)] == expected, line


def test_levels_outside_the_window_are_dropped_and_counted():
    book = new_market()["book"]
    apply(book, "delta", BID, 50_000, 5, 1)
    apply(book, "delta", ASK, 50_001, 5, 1)
    apply(book, "delta", BID, 50_000 - WINDOW_TICKS, 5, 1)
    apply(book, "delta", ASK, 50_000 + WINDOW_TICKS, 5, 1)
    assert book["n_outside"] == 2
    assert levels_of(book, BID) == {50_000: 5}
    assert levels_of(book, ASK) == {50_001: 5}


@pytest.mark.parametrize(
    "jump", [WINDOW_TICKS // 3, WINDOW_TICKS, 5 * WINDOW_TICKS, -WINDOW_TICKS // 3, -3 * WINDOW_TICKS]
)
def test_window_follows_the_touch_and_leaves_nothing_behind(jump):
    """Slots are reused modulo the window: a level that was left must not show at its alias."""
    book = new_market()["book"]
    start = 200_000
    for offset in range(50):
        apply(book, "delta", BID, start - offset, 1, 1)
        apply(book, "delta", ASK, start + 1 + offset, 1, 1)
    end_message(book)
    apply(book, "bbo", BID, start + jump, 7, 2)
    apply(book, "bbo", ASK, start + jump + 1, 8, 2)
    end_message(book)
    assert (book["bid_ticks"], book["ask_ticks"]) == (start + jump, start + jump + 1)
    for side, best in ((BID, start + jump), (ASK, start + jump + 1)):
        inside = {
            tick
            for tick in range(start - 49, start + 51)
            if book["base_ticks"] <= tick < book["base_ticks"] + WINDOW_TICKS
            and (tick <= start if side == BID else tick > start)
            and (tick < best if side == BID else tick > best)
        }
        assert set(levels_of(book, side)) == inside | {best}


@pytest.mark.parametrize("center", [100_000 + WINDOW_TICKS // 4, 100_000 - WINDOW_TICKS // 4])
def test_a_window_that_moves_keeps_the_levels_inside_it(center):
    """Up to its very edges, [base, base + WINDOW_TICKS); what is one tick beyond is forgotten."""
    book = new_market()["book"]
    base, end = center - WINDOW_TICKS // 2, center + WINDOW_TICKS // 2
    low, high = base if center > 100_000 else 100_000 - 10, end - 1 if center < 100_000 else 100_000 + 10
    apply(book, "delta", BID, 100_000, 5, 1)
    apply(book, "delta", ASK, 100_001, 5, 1)
    for edge in (low - 1, low):
        apply(book, "delta", BID, edge, 3, 1)
    for edge in (high, high + 1):
        apply(book, "delta", ASK, edge, 3, 1)
    move_window(book, center)
    kept = levels_of(book, BID).keys() | levels_of(book, ASK).keys()
    told = {100_000, 100_001, low - 1, low, high, high + 1}
    assert kept == {tick for tick in told if base <= tick < end}
    assert len(kept) == 5


def test_status_of_a_market():
    market = new_market()
    book = market["book"]
    steps = [
        (BID, 100, 5, MarketStatus.EMPTY, 0, 0),
        (ASK, 101, 5, MarketStatus.OK, 0, 0),
        (ASK, 100, 5, MarketStatus.OK, 0, 1),  # locked: legal
        (ASK, 99, 5, MarketStatus.CROSSED, 1, 1),
        (ASK, 99, 0, MarketStatus.OK, 1, 2),
        (BID, 100, 0, MarketStatus.EMPTY, 1, 2),
    ]
    for ts, (side, tick, size, status, n_crossed, n_locked) in enumerate(steps, start=1):
        apply(book, "delta", side, tick, size, ts)
        end_message(book)
        set_touch(market)
        assert (market["status"], market["n_crossed"], market["n_locked"]) == (status, n_crossed, n_locked)


def test_both_sides_of_a_wide_market_are_seen():
    """A spread within the window is a market, whichever side is told first."""
    for first, second in ((BID, ASK), (ASK, BID)):
        book = new_market()["book"]
        prices = {BID: 50_000, ASK: 50_000 + WINDOW_TICKS // 4}
        for side in (first, second):
            apply(book, "delta", side, prices[side], 5, 1)
        end_message(book)
        assert (book["bid_ticks"], book["ask_ticks"]) == (prices[BID], prices[ASK])


def test_the_window_of_a_wide_market_moves_with_it():
    """Both best prices drift by more than the room beside them, the spread stays."""
    book = new_market()["book"]
    spread = int(WINDOW_TICKS * 0.9)
    for ts in range(1, 400):
        bid = 250_000 + 20 * ts
        apply(book, "bbo", ASK, bid + spread, 5, ts)
        apply(book, "bbo", BID, bid, 5, ts)
        end_message(book)
        assert (book["bid_ticks"], book["ask_ticks"]) == (bid, bid + spread)


@pytest.mark.parametrize("share", [0.55, 0.8])
def test_a_spread_that_fits_the_window_is_seen_whole(share):
    """An illiquid market with six decimals: 9,000 ticks of 0.0001 at 25 USD are 3.6 %."""
    book = new_market()["book"]
    bid, ask = 250_000, 250_000 + int(WINDOW_TICKS * share)
    for ts in (1, 2):
        apply(book, "bbo", BID, bid, 5, ts)
        apply(book, "bbo", ASK, ask, 5, ts)
        end_message(book)
    assert (book["bid_ticks"], book["ask_ticks"]) == (bid, ask)
