"""Orders of the local exchange, by the venue's words. Venue file, sections 2.4 to 2.6 and 5.1."""

from decimal import Decimal

import pytest

from exchange.desk import ANN, BEN, Desk, cancelling, placing
from makerside.venues.hyperliquid.wire_actions import (
    ModifyOrder,
    Order,
    OrderType,
    ScheduleCancel,
    Trigger,
    UpdateIsolatedMargin,
)

# Which order is refused, with the venue's words and the status under which it is remembered.
REFUSALS = {
    "sixth figure": (
        {"side": "B", "price": "64000.5", "size": "0.1"},
        "Price must be divisible by tick size. asset=0",
        "tickRejected",
    ),
    "not a lot": ({"side": "B", "price": "64000", "size": "0.000001"}, "Order has invalid size.", None),
    "no size": ({"side": "B", "price": "64000", "size": "0"}, "Order has zero size.", None),
    "9.60 USD": (
        {"side": "B", "price": "64000", "size": "0.00015"},
        "Order must have minimum value of $10. asset=0",
        "minTradeNtlRejected",
    ),
    "too much": (
        {"side": "B", "price": "64000", "size": "100"},
        "Insufficient margin to place order. asset=0",
        "perpMarginRejected",
    ),
    "nothing to reduce": (
        {"side": "A", "price": "64001", "size": "0.1", "reduce_only": True},
        "Reduce only order would increase position. asset=0",
        "reduceOnlyRejected",
    ),
    "crossing post-only": (
        {"side": "B", "price": "64001", "size": "0.1", "tif": "Alo"},
        "Post only order would have immediately matched, bbo was 64000.0@64001.0. asset=0",
        "badAloPxRejected",
    ),
    "nobody to match": (
        {"side": "B", "price": "64000", "size": "0.1", "tif": "Ioc"},
        "Order could not immediately match against any resting orders. asset=0",
        "iocCancelRejected",
    ),
    "far away": (
        {"side": "B", "price": "12800", "size": "0.1"},
        "Order price cannot be more than 80% away from the reference price",
        None,
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_an_order_is_refused_in_the_venues_words(desk, name):
    order, words, _ = REFUSALS[name]
    assert desk.place(ANN, desk.order(**order)) == [{"error": words}]
    assert desk.open_orders(ANN) == []
    assert desk.fills(ANN) == []


@pytest.mark.parametrize(
    "name",
    [name for name, (_, _, status) in REFUSALS.items() if status is not None],
)
def test_a_refused_order_appears_among_the_updates_and_can_be_asked_for(desk, name):
    """Section 4.4: rejected orders also appear with their `...Rejected` status."""
    order, _, status = REFUSALS[name]
    cloid = desk.cloid()
    desk.place(ANN, desk.order(**order, cloid=cloid))
    ((told, one),) = desk.updates(ANN)
    assert (told, one["cloid"], Decimal(one["sz"])) == (status, cloid, Decimal(order["size"]))
    assert desk.status(ANN, cloid) == status


def test_a_price_with_too_many_decimals_is_off_the_tick(desk):
    """Section 5.1: at most 6 - szDecimals decimals. Section 8: more of them are a tick rejection."""
    assert desk.place(ANN, desk.order("B", "63999.95", "0.1")) == [
        {"error": "Price must be divisible by tick size. asset=0"}
    ]
    assert [(told, one["limitPx"]) for told, one in desk.updates(ANN)] == [("tickRejected", "63999.95")]


@pytest.mark.parametrize("price", ["640000000000", "999999999999999999999999"])
def test_a_price_that_no_book_holds_is_invalid(desk, price):
    assert desk.place(ANN, desk.order("B", price, "0.1")) == [{"error": "Order has invalid price."}]


def test_a_refused_order_does_not_take_the_id_of_an_open_one(desk):
    cloid = desk.cloid()
    desk.place(ANN, desk.order("B", "63990", "0.1", "Alo", cloid=cloid))
    (again,) = desk.place(ANN, desk.order("B", "63990.55", "0.1", "Alo", cloid=cloid))
    assert "error" in again
    assert desk.status(ANN, cloid) == "open"
    assert desk.cancel_cloid(ANN, cloid) == ["success"]


@pytest.mark.parametrize(
    ("symbol", "price", "is_allowed"),
    [
        ("BTC", "64000", True),
        ("BTC", "101234", True),  # whole prices are always allowed
        ("BTC", "64000.1", False),
        ("BTC", "9999.9", True),
        ("ETH", "3400.1", True),
        ("ETH", "3400.12", False),
        ("DOGE", "0.12", True),
        ("DOGE", "0.12001", True),
        ("DOGE", "0.120012", False),
        ("PUMP", "0.002512", True),
        ("PUMP", "0.0025123", False),  # seven decimals: one more than szDecimals 0 allows
    ],
)
def test_prices_have_five_figures_or_are_whole(symbol, price, is_allowed):
    desk = Desk((symbol,), {ANN: 100_000_000})
    (status,) = desk.place(ANN, desk.order("B", price, "10000", "Alo", symbol))
    assert ("error" not in status) == is_allowed, status


def test_trailing_zeros_of_a_client_change_nothing(desk):
    (status,) = desk.place(ANN, desk.order("B", "64000.0", "0.10000"))
    assert "resting" in status
    assert [(one["limitPx"], one["sz"], one["origSz"]) for one in desk.open_orders(ANN)] == [
        ("64000.0", "0.1", "0.1")
    ]


def test_an_answer_echoes_the_client_order_id_and_numbers_are_integers_or_text(desk):
    cloid = desk.cloid()
    (resting,) = desk.place(ANN, desk.order("B", "64000", "0.1", "Alo", cloid=cloid))
    assert resting["resting"]["cloid"] == cloid
    assert isinstance(resting["resting"]["oid"], int)
    other = desk.cloid()
    (filled,) = desk.place(ANN, desk.order("A", "64000", "0.1", "Ioc", cloid=other))
    assert filled["filled"] == {
        "totalSz": "0.1",
        "avgPx": "64000.0",
        "oid": resting["resting"]["oid"] + 1,
        "cloid": other,
    }


def test_a_resting_order_tells_its_life_in_open_then_filled(desk):
    """Section 4.4: open, then open with a smaller sz at each partial fill, then filled with 0.0."""
    (status,) = desk.place(ANN, desk.order("A", "64000.0", "3", "Gtc"))  # takes 1.0, rests with 2.0
    assert [(told, one["sz"], one["origSz"]) for told, one in desk.updates(ANN)] == [
        ("open", "2.0", "3.0"),
        ("open", "2.0", "3.0"),
    ]
    desk.trade("B", "64000", "0.5").block()
    assert [(told, one["sz"], one["origSz"]) for told, one in desk.updates(ANN)] == [("open", "1.5", "3.0")]
    desk.trade("B", "64000", "7").block()
    assert [(told, one["sz"], one["origSz"]) for told, one in desk.updates(ANN)] == [("filled", "0.0", "3.0")]
    assert desk.open_orders(ANN) == []
    oid = (status.get("resting") or status.get("filled"))["oid"]
    assert desk.status(ANN, oid) == "filled"


def test_a_cancelled_order_tells_what_was_left(desk):
    cloid = desk.cloid()
    desk.place(ANN, desk.order("B", "63990", "0.3", "Alo", cloid=cloid))
    assert desk.cancel_cloid(ANN, cloid) == ["success"]
    assert [(told, one["sz"], one["cloid"]) for told, one in desk.updates(ANN)] == [("canceled", "0.3", cloid)]
    assert desk.status(ANN, cloid) == "canceled"


def test_cancels_that_come_too_late_or_are_not_ours_say_the_same(desk):
    text = "Order was never placed, already canceled, or filled. asset=0"
    (status,) = desk.place(ANN, desk.order("B", "63990", "0.3", "Alo"))
    oid = status["resting"]["oid"]
    assert desk.cancel(BEN, oid) == [{"error": text}]
    assert desk.cancel(ANN, oid, asset=1) == [{"error": text.replace("=0", "=1")}]
    assert desk.cancel(ANN, oid, 12345) == ["success", {"error": text}]
    assert desk.cancel(ANN, oid) == [{"error": text}]


def test_one_order_is_cancelled_once_however_often_a_batch_names_it(desk):
    cloid = desk.cloid()
    desk.place(ANN, desk.order("B", "63990", "0.3", "Alo", cloid=cloid))
    assert desk.cancel_cloid(ANN, cloid, cloid) == [
        "success",
        {"error": "Order was never placed, already canceled, or filled. asset=0"},
    ]


def test_an_ioc_order_takes_what_there_is_and_its_rest_ends(desk):
    (status,) = desk.place(ANN, desk.order("B", "64001", "1.5", "Ioc"))
    assert (status["filled"]["totalSz"], status["filled"]["avgPx"]) == ("1.0", "64001.0")
    assert desk.open_orders(ANN) == []
    assert [(one["sz"], one["px"], one["crossed"]) for one in desk.fills(ANN)] == [("1.0", "64001.0", True)]


def test_a_taker_walks_the_book_best_price_first(desk):
    (status,) = desk.place(ANN, desk.order("B", "64010", "4", "Ioc"))
    assert [(one["px"], one["sz"]) for one in desk.fills(ANN)] == [
        ("64001.0", "1.0"),
        ("64002.0", "2.0"),
        ("64010.0", "1.0"),
    ]
    assert status["filled"]["avgPx"] == "64003.75"
    assert len({one["tid"] for one in desk.fills(ANN)}) == 3


def test_a_print_fills_resting_orders_by_price_time_and_queue(desk):
    """ANN is behind the house's 1.0 at 64,000; BEN behind ANN; who quotes better is hit first."""
    desk.place(ANN, desk.order("B", "64000", "0.2", "Alo"))
    desk.place(BEN, desk.order("B", "64000", "0.2", "Alo"))
    desk.trade("A", "64000", "0.9").block()
    assert desk.fills(ANN) == []
    desk.trade("A", "64000", "0.3").block()
    assert [one["sz"] for one in desk.fills(ANN)] == ["0.2"]
    assert desk.fills(BEN) == []
    desk.trade("A", "63995", "0.1").block()  # through the price: what rests there was reached
    assert [(one["sz"], one["px"]) for one in desk.fills(BEN)] == [("0.2", "64000.0")]


def test_a_maker_pays_the_makers_fee_and_a_taker_the_takers(desk):
    desk.place(ANN, desk.order("B", "64001", "0.1", "Ioc"))
    (taken,) = desk.fills(ANN)
    assert (taken["fee"], taken["crossed"], taken["feeToken"]) == ("2.880045", True, "USDC")
    desk.place(BEN, desk.order("A", "64001", "0.1", "Alo"))
    desk.trade("B", "64002", "3").block()
    (made,) = desk.fills(BEN)
    assert (made["fee"], made["crossed"]) == ("0.960015", False)


class TestTwoClients:
    def test_they_trade_with_one_trade_id_and_one_print(self, desk):
        desk.place(ANN, desk.order("B", "64000.0", "0.5", "Alo"))
        desk.book([("63990", "5")], [("64001", "1")]).block()  # the house leaves the price to ANN
        desk.place(BEN, desk.order("A", "64000", "0.5", "Ioc"))
        (made,), (took,) = desk.fills(ANN), desk.fills(BEN)
        assert made["tid"] == took["tid"]
        assert (made["crossed"], took["crossed"]) == (False, True)
        assert (made["side"], took["side"]) == ("B", "A")
        (print_,) = desk.told("trades", "BTC")[0]
        assert (print_["side"], print_["px"], print_["sz"], print_["tid"]) == (
            "A",
            "64000.0",
            "0.5",
            made["tid"],
        )

    def test_their_print_names_both(self, desk):
        """Section 4.4: users is [buyer, seller]."""
        desk.place(ANN, desk.order("B", "64000", "0.5", "Alo"))
        desk.book([("63990", "5")], [("64001", "1")]).block()
        desk.place(BEN, desk.order("A", "64000", "0.5", "Ioc"))
        assert desk.told("trades", "BTC")[0][0]["users"] == [ANN, BEN]

    def test_money_only_changes_hands(self, desk):
        desk.place(ANN, desk.order("B", "64000", "0.5", "Alo"))
        desk.book([("63990", "5")], [("64001", "1")]).block()
        desk.place(BEN, desk.order("A", "64000", "0.5", "Ioc"))
        held = [desk.state(user)["assetPositions"][0]["position"]["szi"] for user in (ANN, BEN)]
        assert held == ["0.5", "-0.5"]
        assert desk.fills(ANN)[0]["startPosition"] == desk.fills(BEN)[0]["startPosition"] == "0.0"


class TestSelfTrade:
    def test_the_resting_order_ends_and_the_taker_goes_on(self, desk):
        (resting,) = desk.place(ANN, desk.order("A", "64001", "0.4", "Alo"))  # behind the house's 1.0
        oid = resting["resting"]["oid"]
        (status,) = desk.place(ANN, desk.order("B", "64002", "2", "Ioc"))
        assert status["filled"]["totalSz"] == "2.0"
        assert [(one["px"], one["sz"]) for one in desk.fills(ANN)] == [("64001.0", "1.0"), ("64002.0", "1.0")]
        assert ("selfTradeCanceled", oid, "0.4") in [
            (told, one["oid"], one["sz"]) for told, one in desk.updates(ANN)
        ]
        assert desk.status(ANN, oid) == "selfTradeCanceled"

    def test_orders_of_others_in_the_same_queue_are_still_met(self, desk):
        desk.place(ANN, desk.order("A", "64000.0", "1", "Ioc"))  # clears the bid: room for own quotes
        desk.book([("63990", "5")], [("64010", "5")]).block()
        desk.place(ANN, desk.order("A", "64005", "0.4", "Alo"))
        desk.place(BEN, desk.order("A", "64005", "0.3", "Alo"))
        (status,) = desk.place(ANN, desk.order("B", "64005", "1", "Ioc"))
        assert status["filled"]["totalSz"] == "0.3"
        assert [one["sz"] for one in desk.fills(BEN)] == ["0.3"]


class TestReduceOnly:
    """Section 2.6: larger than the position it is shrunk, not refused, and goes on shrinking with it."""

    @pytest.fixture
    def long(self, desk):
        desk.place(ANN, desk.order("B", "64001", "0.5", "Ioc"))
        return desk

    def test_an_ioc_closes_the_position_and_no_more(self, long):
        (status,) = long.place(ANN, long.order("A", "64000", "0.9", "Ioc", reduce_only=True))
        assert status["filled"]["totalSz"] == "0.5"
        assert long.state(ANN)["assetPositions"] == []

    def test_a_resting_one_shows_the_position_as_size(self, long):
        long.place(ANN, long.order("A", "64050", "2", "Gtc", reduce_only=True))
        (order,) = long.open_orders(ANN)
        assert (order["sz"], order["origSz"], order["reduceOnly"]) == ("0.5", "2.0", True)

    def test_it_shrinks_when_the_position_does(self, long):
        long.place(ANN, long.order("A", "64050", "2", "Gtc", reduce_only=True))
        long.place(ANN, long.order("A", "64000", "0.2", "Ioc"))
        assert ("open", "0.3", "2.0") in [(told, one["sz"], one["origSz"]) for told, one in long.updates(ANN)]
        assert [order["sz"] for order in long.open_orders(ANN)] == ["0.3"]

    def test_it_ends_in_the_frame_of_the_fill_that_closes(self, long):
        (status,) = long.place(ANN, long.order("A", "64050", "2", "Gtc", reduce_only=True))
        oid = status["resting"]["oid"]
        long.place(ANN, long.order("A", "64000", "0.5", "Ioc"))
        assert len(long.told("orderUpdates", ANN)) == 1
        told = {(status, one["oid"]) for status, one in long.updates(ANN)}
        assert ("reduceOnlyCanceled", oid) in told
        assert "filled" in {status for status, _ in told}
        assert [list(frame) for frame in long.told("userEvents", ANN)] == [["fills"]]  # no nonUserCancel
        assert long.status(ANN, oid) == "reduceOnlyCanceled"

    def test_on_the_side_of_the_position_it_is_refused(self, long):
        assert long.place(ANN, long.order("B", "63990", "0.1", "Gtc", reduce_only=True)) == [
            {"error": "Reduce only order would increase position. asset=0"}
        ]

    def test_the_minimum_binds_partial_closes_and_spares_the_whole_one(self, long):
        text = "Order must have minimum value of $10. asset=0"
        assert long.place(ANN, long.order("A", "64000", "0.0001", "Ioc", reduce_only=True)) == [{"error": text}]
        long.place(ANN, long.order("A", "64000", "0.4999", "Ioc", reduce_only=True))
        (status,) = long.place(ANN, long.order("A", "64000", "0.0001", "Ioc", reduce_only=True))
        assert status["filled"]["totalSz"] == "0.0001"

    def test_its_end_hides_no_other_order_from_the_print_that_caused_it(self, long):
        """The print closes ANN's long; her reduce-only order, older than all others, ends by that."""
        long.book([("63990", "5")], [("64100", "5")]).block()
        long.place(ANN, long.order("A", "64050", "0.5", "Gtc", reduce_only=True))
        long.place(ANN, long.order("A", "64005", "0.5", "Alo"))
        long.place(BEN, long.order("A", "64005", "0.2", "Alo"))
        long.trade("B", "64006", "5").block()
        assert [one["sz"] for one in long.fills(ANN)] == ["0.5"]
        assert [one["sz"] for one in long.fills(BEN)] == ["0.2"]


class TestMargin:
    def test_working_orders_use_margin_too(self):
        desk = Desk(funds={ANN: 1_000}).book([("64000", "1")], [("64001", "1")])
        desk.block()
        desk.set_leverage(ANN, 1)
        words = "Insufficient margin to place order. asset=0"
        first, second = desk.place(
            ANN, desk.order("B", "63000", "0.01", "Alo"), desk.order("B", "62000", "0.01", "Alo")
        )
        assert "resting" in first
        assert second == {"error": words}

    def test_they_use_it_also_before_there_is_a_mark(self):
        desk = Desk(funds={ANN: 1_000})
        desk.set_leverage(ANN, 1)
        first, second = desk.place(
            ANN, desk.order("B", "63000", "0.01", "Alo"), desk.order("B", "62000", "0.01", "Alo")
        )
        assert "resting" in first
        assert second == {"error": "Insufficient margin to place order. asset=0"}

    def test_closing_needs_no_margin(self):
        desk = Desk(funds={ANN: 1_000}).book([("64000", "1")], [("64001", "1")])
        desk.block()
        desk.place(ANN, desk.order("B", "64001", "0.6", "Ioc"))  # 38,400 USD with 960 of margin
        (status,) = desk.place(ANN, desk.order("A", "64000", "0.6", "Ioc"))
        assert status["filled"]["totalSz"] == "0.6"

    def test_an_order_that_flips_the_position_needs_margin_for_what_it_opens(self, desk):
        desk.place(ANN, desk.order("B", "64001", "0.001", "Ioc"))
        assert desk.place(ANN, desk.order("A", "64100", "1000", "Gtc")) == [
            {"error": "Insufficient margin to place order. asset=0"}
        ]

    def test_what_rests_to_close_is_not_closed_twice(self):
        """0.6 long with all its margin bound: a second order to sell 0.6 would open a short."""
        desk = Desk(funds={ANN: 1_000}).book([("64000", "1")], [("64001", "1")])
        desk.block()
        desk.place(ANN, desk.order("B", "64001", "0.6", "Ioc"))
        first, second = desk.place(
            ANN, desk.order("A", "64100", "0.6", "Alo"), desk.order("A", "64110", "0.6", "Alo")
        )
        assert "resting" in first
        assert second == {"error": "Insufficient margin to place order. asset=0"}

    def test_leverage_cannot_sink_below_what_is_bound(self):
        desk = Desk(funds={ANN: 1_000}).book([("64000", "1")], [("64001", "1")])
        desk.block()
        desk.place(ANN, desk.order("B", "63990", "0.5", "Alo"))
        assert desk.set_leverage(ANN, 20)["status"] == "err"
        assert desk.set_leverage(ANN, 35)["status"] == "ok"

    def test_leverage_sets_how_much_may_be_opened(self, desk):
        assert desk.set_leverage(ANN, 1) == {"status": "ok", "response": {"type": "default"}}
        assert desk.place(ANN, desk.order("B", "64000", "2", "Gtc")) == [
            {"error": "Insufficient margin to place order. asset=0"}
        ]
        desk.set_leverage(ANN, 40)
        (status,) = desk.place(ANN, desk.order("B", "64000", "2", "Gtc"))
        assert "resting" in status

    @pytest.mark.parametrize("leverage", [0, 41])
    def test_a_leverage_that_the_instrument_does_not_have_is_refused(self, desk, leverage):
        assert desk.set_leverage(ANN, leverage)["status"] == "err"


def test_a_client_order_id_is_unique_among_open_orders(desk):
    cloid = desk.cloid()
    desk.place(ANN, desk.order("B", "63990", "0.1", "Alo", cloid=cloid))
    (again,) = desk.place(ANN, desk.order("B", "63989", "0.1", "Alo", cloid=cloid))
    assert "error" in again
    (others,) = desk.place(BEN, desk.order("B", "63990", "0.1", "Alo", cloid=cloid))
    assert "resting" in others
    desk.cancel_cloid(ANN, cloid)
    (free,) = desk.place(ANN, desk.order("B", "63989", "0.1", "Alo", cloid=cloid))
    assert "resting" in free


def test_the_cap_on_open_orders_refuses_the_next_one():
    desk = Desk(open_orders_initial=3).book([("64000", "1")], [("64001", "1")])
    desk.block()
    statuses = desk.place(ANN, *(desk.order("B", str(63_990 - i), "0.01", "Alo") for i in range(4)))
    assert [next(iter(status)) for status in statuses] == ["resting", "resting", "resting", "error"]
    assert len(desk.open_orders(ANN)) == 3


def test_what_the_slice_does_not_have_is_refused_cleanly(desk):
    order = desk.order("B", "63990", "0.1")
    for action in (
        ModifyOrder(1, order),
        ScheduleCancel(desk.now_ms + 10_000),
        UpdateIsolatedMargin(0, True, 1),
    ):
        answer = desk.act(ANN, action)
        assert answer["status"] == "err"
        assert "not available" in answer["response"]
    stop = Order(0, True, "64000", "0.1", False, OrderType(trigger=Trigger(True, "65000", "sl")))
    (status,) = desk.place(ANN, stop)
    assert "not available" in status["error"]
    assert desk.place(ANN, Order(7, True, "64000", "0.1", False, order.kind))[0]["error"]


class TestBudget:
    """Section 6, per address: a batch of n costs n, also what fails; refused as a whole it costs nothing."""

    def used(self, desk):
        return desk.ask(type="userRateLimit", user=ANN)["nRequestsUsed"]

    def market(self, **rules):
        desk = Desk(**rules).book([("64000", "9")], [("64001", "9")])
        desk.block()
        return desk

    def test_a_batch_costs_its_length_also_for_orders_that_fail(self):
        desk = self.market()
        desk.place(ANN, desk.order("B", "63990", "0.01"), desk.order("B", "63990", "0"))
        desk.cancel(ANN, 1, 2, 3)
        limit = desk.ask(type="userRateLimit", user=ANN)
        assert limit == {
            "cumVlm": "0.0",
            "nRequestsUsed": 5,
            "nRequestsCap": 10_000,
            "nRequestsSurplus": 9_995,
        }

    def test_a_spent_budget_is_told_in_the_venues_words_and_costs_nothing_more(self):
        desk = self.market(address_budget_initial=2)
        desk.place(ANN, desk.order("B", "63990", "0.01"), desk.order("B", "63980", "0.01"))
        for _ in range(2):
            assert desk.act(ANN, placing(desk.order("B", "63970", "0.01"))) == {
                "status": "err",
                "response": "Too many cumulative requests sent (3 > 2) for cumulative volume traded $0.00. "
                "Place taker orders to free up 1 request per USDC traded.",
            }
        assert self.used(desk) == 2

    def test_cancels_have_twice_the_budget(self):
        desk = self.market(address_budget_initial=2)
        cloids = [desk.cloid(), desk.cloid()]
        desk.place(ANN, *(desk.order("B", "63990", "0.01", "Alo", cloid=one) for one in cloids))
        assert desk.cancel_cloid(ANN, *cloids) == ["success", "success"]
        assert desk.act(ANN, cancelling(1))["status"] == "err"

    def test_volume_frees_requests(self):
        desk = self.market(address_budget_initial=1)
        desk.place(ANN, desk.order("B", "64001", "0.01", "Ioc"))
        assert desk.ask(type="userRateLimit", user=ANN)["nRequestsCap"] == 641
        (status,) = desk.place(ANN, desk.order("B", "63990", "0.01"))
        assert "resting" in status

    def test_over_budget_one_action_passes_every_ten_seconds(self):
        desk = self.market(address_budget_initial=1)
        desk.place(ANN, desk.order("B", "63990", "0.01"))
        desk.block(ms=11_000)
        (status,) = desk.place(ANN, desk.order("B", "63980", "0.01"))
        assert "resting" in status

    def test_a_refused_action_does_not_start_the_ten_seconds_anew(self):
        desk = self.market(address_budget_initial=1)
        desk.place(ANN, desk.order("B", "63990", "0.01"))
        one = placing(desk.order("B", "63980", "0.01"))
        desk.block(ms=5_000)
        assert desk.act(ANN, one)["status"] == "err"
        desk.block(ms=5_000)
        assert desk.act(ANN, placing(*one.orders, *one.orders))["status"] == "err"  # two are not one
        assert desk.act(ANN, one)["status"] == "ok"
        assert desk.act(ANN, one)["status"] == "err"
        assert self.used(desk) == 2

    def test_more_than_200_in_one_action_are_refused_as_a_whole(self):
        desk = self.market()
        answer = desk.act(ANN, cancelling(*range(201)))
        assert answer == {"status": "err", "response": "Signed action over weight limit of 200."}

    def test_an_action_over_the_weight_limit_costs_nothing(self):
        desk = self.market()
        desk.act(ANN, cancelling(*range(201)))
        assert self.used(desk) == 0


class TestHistory:
    def test_order_status_forgets_what_is_older_than_its_limit(self):
        desk = Desk(orders_remembered=5).book([("64000", "1")], [("64001", "1")])
        desk.block()
        cloids = [desk.cloid() for _ in range(8)]
        for cloid in cloids:
            desk.place(ANN, desk.order("B", "63990", "0.01", "Alo", cloid=cloid))
            desk.cancel_cloid(ANN, cloid)
        known = [desk.status(ANN, cloid) for cloid in cloids]
        assert known[0] == "unknownOid"
        assert known[-5:] == ["canceled"] * 5
        assert known == sorted(known, reverse=True)  # the oldest are forgotten first

    def test_an_open_order_is_never_forgotten(self):
        desk = Desk(orders_remembered=2).book([("64000", "1")], [("64001", "1")])
        desk.block()
        old = desk.cloid()
        desk.place(ANN, desk.order("B", "63000", "0.01", "Alo", cloid=old))
        for _ in range(6):
            cloid = desk.cloid()
            desk.place(ANN, desk.order("B", "63990", "0.01", "Alo", cloid=cloid))
            desk.cancel_cloid(ANN, cloid)
        assert desk.status(ANN, old) == "open"

    def test_an_order_is_known_to_its_account_only(self, desk):
        (status,) = desk.place(ANN, desk.order("B", "63990", "0.01", "Alo"))
        oid = status["resting"]["oid"]
        assert desk.status(BEN, oid) == "unknownOid"
        assert desk.status(ANN, oid) == "open"
        assert desk.status(ANN, 7) == "unknownOid"

    def test_a_frontend_order_always_has_its_sixteen_fields(self, desk):
        desk.place(ANN, desk.order("B", "63990", "0.01", "Alo"))
        (order,) = desk.ask(type="frontendOpenOrders", user=ANN)
        assert set(order) == {
            "coin",
            "side",
            "limitPx",
            "sz",
            "oid",
            "timestamp",
            "origSz",
            "triggerCondition",
            "isTrigger",
            "triggerPx",
            "children",
            "isPositionTpsl",
            "reduceOnly",
            "orderType",
            "tif",
            "cloid",
        }
        assert (order["tif"], order["orderType"], order["triggerCondition"]) == ("Alo", "Limit", "N/A")
        assert order["cloid"] is None
        record = desk.ask(type="orderStatus", user=ANN, oid=order["oid"])
        assert record["order"]["order"] == order
