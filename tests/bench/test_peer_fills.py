"""Orders of two backtesters side by side: what is the same, what differs, and the cause of each difference."""

import numpy as np
import pytest
from fills import Cause, QueueTape, by_order, compare
from makerside_side import log_t

from makerside.model.event import Flag, Kind, event_t

LOT = 0.001
PRICE = 100


def log(*lines):
    """Return an order log. lines : (ts, accepted, price, side, lots); lots 0 accepted, -1 cancelled"""
    return np.array(list(lines), log_t)


def tape(*lines):
    """Return a tape. lines : (venue ns, kind, flags, price, lots); a deep snapshot comes first"""
    opening = [(1, Kind.SNAPSHOT, 0, 1, 1), (1, Kind.SNAPSHOT, Flag.SELL, 10_000, 1)]
    rows = np.zeros(len(lines) + 2, event_t)
    for row, (ts_ns, kind, flags, price, lots) in zip(rows, [*opening, *lines], strict=True):
        row["ts_venue_ns"] = row["ts_local_ns"] = ts_ns
        row["kind"], row["flags"], row["price_ticks"], row["size_lots"] = kind, flags, price, lots
    return QueueTape(rows, LOT)


def bid(ts_ns, lots, price=PRICE):
    return (ts_ns, Kind.DELTA, 0, price, lots)


def ask(ts_ns, lots, price):
    return (ts_ns, Kind.DELTA, int(Flag.SELL), price, lots)


def sold(ts_ns, lots, price=PRICE):
    return (ts_ns, Kind.TRADE, int(Flag.SELL), price, lots)


ACCEPTED = (10, 10, PRICE, 1, 0)


def filled(ts_ns, lots):
    return (ts_ns, 10, PRICE, 1, lots)


def cause(ours, theirs, *rows, queue="log_prob", is_whole=False):
    """Return the cause of the one difference between two lives of one order."""
    found = compare(log(ACCEPTED, *ours), log(ACCEPTED, *theirs), tape(*rows), queue, is_whole)
    assert len(found.differences) == 1
    return found.differences[0].cause


def test_pieces_at_one_time_are_one_fill():
    life = by_order(log(ACCEPTED, filled(20, 2), filled(20, 3), filled(30, 1), filled(40, -1)))
    assert life[10, 1, PRICE].fills == {20: 5, 30: 1}
    assert life[10, 1, PRICE].canceled_ns == 40


def test_equal_logs_agree():
    both = log(ACCEPTED, filled(20, 4), (12, 12, 90, -1, 0))
    found = compare(both, both, tape(), "log_prob")
    assert (found.fills_ours, found.fills_theirs, found.lots_ours, found.lots_theirs) == (1, 1, 4, 4)
    assert (found.orders_same, found.differences, found.worst) == (1, [], 0.0)


def test_worst_is_the_larger_of_number_and_volume():
    ours = log(ACCEPTED, filled(20, 40), filled(30, 20))
    found = compare(ours, log(ACCEPTED, filled(20, 50)), tape(bid(2, 500)), "risk_averse")
    assert (found.fills_ours, found.fills_theirs) == (2, 1)
    assert found.worst == pytest.approx(1.0)


def test_queue_below_zero_after_a_cancel_at_the_level():
    # 900 lots behind us, 100 before: a cancel of all of them leaves less than nothing before us.
    rows = (bid(2, 100), bid(11, 1_000), bid(12, 0), bid(13, 500), sold(20, 20))
    assert cause([filled(20, 20)], [filled(20, 60)], *rows) is Cause.BELOW_ZERO
    assert cause([filled(20, 20)], [filled(20, 60)], *rows, queue="risk_averse") is Cause.UNEXPLAINED


def test_same_size_told_after_prints():
    rows = (bid(2, 100), sold(11, 30), bid(12, 100), bid(13, 60), sold(20, 20))
    assert cause([filled(20, 20)], [], *rows) is Cause.SAME_SIZE


def test_book_that_reaches_the_order_at_the_end_of_a_message_or_only_within_it():
    crossed = (bid(2, 100), ask(20, 5, PRICE))
    assert cause([], [filled(20, 60)], *crossed) is Cause.CROSSED
    within = (bid(2, 100), ask(20, 5, PRICE), ask(20, 0, PRICE))
    assert cause([], [filled(20, 60)], *within) is Cause.WITHIN_MESSAGE


def test_price_beyond_the_snapshot():
    found = compare(
        log((10, 10, 20_000, -1, 0)), log((10, 10, 20_000, -1, 0), (20, 10, 20_000, -1, 5)), tape(), "log_prob"
    )
    assert [one.cause for one in found.differences] == [Cause.UNKNOWN_LEVEL]


def test_price_beyond_the_snapshot_that_a_row_has_told():
    far = (10, 10, 20_000, -1, 0)
    told = tape(ask(5, 100, 20_000))
    found = compare(log(far), log(far, (20, 10, 20_000, -1, 5)), told, "log_prob")
    assert [one.cause for one in found.differences] == [Cause.UNEXPLAINED]


def test_whole_fills_of_the_peer():
    assert cause([filled(20, 20)], [filled(20, 60)], bid(2, 0), is_whole=True) is Cause.WHOLE


def test_consequences():
    assert cause([filled(20, 5)], [(15, 10, PRICE, 1, -1)], bid(2, 0)) is Cause.CONSEQUENCE
    only_ours = compare(log(ACCEPTED, filled(20, 5)), log(), tape(), "log_prob")
    assert [one.cause for one in only_ours.differences] == [Cause.CONSEQUENCE]
    assert only_ours.differences[0].theirs is None


def test_what_has_no_cause_is_not_given_one():
    assert cause([filled(20, 5)], [filled(20, 6)], bid(2, 0), sold(20, 5)) is Cause.UNEXPLAINED


def test_files_tell_every_difference():
    found = compare(log(ACCEPTED, filled(20, 5)), log(), tape(), "log_prob").differences[0].as_dict()
    assert found == {
        "accepted_ns": 10,
        "side": 1,
        "price_ticks": PRICE,
        "ours": [[20, 5]],
        "theirs": None,
        "cause": Cause.CONSEQUENCE.value,
    }
