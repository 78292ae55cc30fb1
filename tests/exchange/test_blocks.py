"""Blocks: who goes first, when something happens, and who hears of it. Venue file, sections 2.6 and 7.6."""

import pytest

from exchange.desk import ANN, BEN, BLOCK_MS, CAT, Desk, cancelling, placing
from makerside.venues.hyperliquid.wire_actions import Noop, UpdateLeverage


@pytest.fixture
def three():
    """ANN, BEN and CAT around a house at 64,000 / 64,010."""
    desk = Desk(funds={ANN: 100_000, BEN: 100_000, CAT: 100_000})
    desk.book([("64000", "1")], [("64010", "1")]).block()
    return desk


def test_post_only_goes_first_then_cancels_then_takers_whatever_came_first(three):
    (resting,) = three.place(ANN, three.order("A", "64005", "0.1", "Alo"))
    oid = resting["resting"]["oid"]
    taker = three.submit(BEN, placing(three.order("B", "64005", "0.1", "Ioc")))
    cancel = three.submit(ANN, cancelling(oid))
    quote = three.submit(CAT, placing(three.order("A", "64004", "0.05", "Alo")))
    three.block()
    assert quote[0]["response"]["data"]["statuses"][0].keys() == {"resting"}
    assert cancel[0]["response"]["data"]["statuses"] == ["success"]
    # The taker meets the quote that came last and not the order that was cancelled before it.
    filled = taker[0]["response"]["data"]["statuses"][0]["filled"]
    assert (filled["totalSz"], filled["avgPx"]) == ("0.05", "64004.0")
    assert [status for status, _ in three.updates(ANN)] == ["canceled"]
    assert [status for status, _ in three.updates(CAT)] == ["open", "filled"]


def test_a_batch_with_one_gtc_order_loses_the_first_class(three):
    mixed = three.submit(
        ANN, placing(three.order("A", "64003", "0.1", "Alo"), three.order("A", "64009", "0.1", "Gtc"))
    )
    quiet = three.submit(BEN, placing(three.order("B", "64003", "0.1", "Alo")))
    three.block()
    assert "resting" in quiet[0]["response"]["data"]["statuses"][0]
    first, second = mixed[0]["response"]["data"]["statuses"]
    assert first["error"].startswith("Post only order would have immediately matched")
    assert "resting" in second


def test_within_a_class_the_earlier_arrival_goes_first(three):
    three.place(CAT, three.order("A", "64005", "0.1", "Alo"))
    first = three.submit(ANN, placing(three.order("B", "64005", "0.1", "Ioc")))
    second = three.submit(BEN, placing(three.order("B", "64005", "0.1", "Ioc")))
    three.block()
    assert "filled" in first[0]["response"]["data"]["statuses"][0]
    assert second[0]["response"]["data"]["statuses"] == [
        {"error": "Order could not immediately match against any resting orders. asset=0"}
    ]


def test_leverage_changes_and_noops_are_of_the_first_class(three):
    order = three.submit(ANN, placing(three.order("B", "64000", "2", "Gtc")))
    three.submit(ANN, UpdateLeverage(0, True, 1))
    noop = three.submit(BEN, Noop())
    three.block()
    assert order[0]["response"]["data"]["statuses"] == [
        {"error": "Insufficient margin to place order. asset=0"}
    ]
    assert noop == [{"status": "ok", "response": {"type": "default"}}]


def test_nothing_happens_and_nothing_is_answered_between_blocks(three):
    answers = three.submit(ANN, placing(three.order("B", "64000", "0.1")))
    assert answers == []
    assert three.open_orders(ANN) == []
    three.block()
    assert len(answers) == 1
    assert [order["sz"] for order in three.open_orders(ANN)] == ["0.1"]


def test_the_house_moves_before_the_actions_of_a_block(three):
    (status,) = three.place(ANN, three.order("A", "64005", "0.1", "Alo"))
    three.trade("B", "64005", "0.5")
    cancel = three.submit(ANN, cancelling(status["resting"]["oid"]))
    three.block()
    assert cancel[0]["response"]["data"]["statuses"] == [
        {"error": "Order was never placed, already canceled, or filled. asset=0"}
    ]
    assert [fill["sz"] for fill in three.fills(ANN)] == ["0.1"]


def test_every_time_of_a_block_is_the_time_of_the_block(three):
    three.place(ANN, three.order("B", "64010", "0.5", "Ioc"))
    now = three.now_ms
    ((status, order),) = {(status, order["timestamp"]) for status, order in three.updates(ANN)}
    assert (status, order) == ("filled", now)
    assert [fill["time"] for fill in three.fills(ANN)] == [now]
    assert [one["time"] for frame in three.told("trades", "BTC") for one in frame] == [now]
    assert three.state(ANN)["time"] == now


def test_a_batch_is_worked_off_in_its_order_and_a_failure_does_not_stop_it(three):
    statuses = three.place(
        ANN,
        three.order("B", "64000.55", "0.1"),
        three.order("B", "64000", "0.0001"),
        three.order("B", "64000", "0.1"),
        three.order("A", "64000", "0.05"),
        three.order("B", "64000", "0"),
    )
    assert [next(iter(status)) for status in statuses] == ["error", "error", "resting", "filled", "error"]


def test_one_frame_per_user_and_channel_tells_a_whole_block(three):
    three.place(ANN, three.order("B", "64000", "0.1"), three.order("B", "63990", "0.1"))
    assert len(three.told("orderUpdates", ANN)) == 1
    assert len(three.updates(ANN)) == 2
    assert three.told("orderUpdates", BEN) == []


def test_time_never_goes_back_even_when_the_clock_does(three):
    before = three.venue.now_ns
    three.block(ms=-5 * BLOCK_MS)
    assert three.venue.now_ns == before
