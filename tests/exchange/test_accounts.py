"""The money of an account at the local exchange, by the venue's own algebra.

Venue file, sections 1.5, 7.1, 7.5.
"""

from decimal import Decimal

import numpy as np
import pytest

from exchange.desk import ANN, BEN, CAT, Desk

D = Decimal


def two_markets(**funds):
    desk = Desk(("BTC", "ETH"), {ANN: 100_000, BEN: 100_000})
    desk.book([("64000", "50")], [("64001", "50")]).book([("3400", "500")], [("3400.1", "500")], "ETH")
    desk.block()
    return desk


def marks_of(desk):
    """Return the mark prices that the exchange publishes."""
    meta, contexts = desk.ask(type="metaAndAssetCtxs")
    return {one["name"]: D(context["markPx"]) for one, context in zip(meta["universe"], contexts, strict=True)}


def check_algebra(desk, user):
    """Assert every relation that section 1.5 gives, with the exchange's own marks; returns the state."""
    state = desk.state(user)
    marks = marks_of(desk)
    positions = [one["position"] for one in state["assetPositions"]]
    summary = state["marginSummary"]
    value = D(summary["accountValue"])
    held = sum((D(one["szi"]) * marks[one["coin"]] for one in positions), D(0))
    assert value == D(summary["totalRawUsd"]) + held
    assert D(summary["totalNtlPos"]) == sum((D(one["positionValue"]) for one in positions), D(0))
    assert D(summary["totalMarginUsed"]) == sum((D(one["marginUsed"]) for one in positions), D(0))
    for one in positions:
        size, mark, worth = D(one["szi"]), marks[one["coin"]], D(one["positionValue"])
        assert worth == abs(size) * mark
        leverage = one["leverage"]
        if leverage["type"] == "cross":
            assert abs(D(one["marginUsed"]) - worth / leverage["value"]) < D("1e-7")
            assert "rawUsd" not in leverage
        else:
            assert D(one["marginUsed"]) == D(leverage["rawUsd"]) + size * mark
        gain = size * (mark - D(one["entryPx"]))
        assert abs(D(one["unrealizedPnl"]) - gain) <= abs(size) * D("0.01")  # the entry price is rounded
    cross = [one for one in positions if one["leverage"]["type"] == "cross"]
    maintenance = sum((D(one["positionValue"]) / (2 * one["maxLeverage"]) for one in cross), D(0))
    assert abs(D(state["crossMaintenanceMarginUsed"]) - maintenance) < D("1e-6")
    return state


def test_the_account_obeys_the_algebra_through_random_trading(rng):
    desk = two_markets()
    for _ in range(40):
        symbol, side = rng.choice(["BTC", "ETH"]), rng.choice(["A", "B"])
        size = str(round(float(rng.uniform(0.01, 0.4 if symbol == "BTC" else 8)), 4))
        price = {"BTC": ("63000", "65000"), "ETH": ("3300", "3500")}[symbol][int(side == "B")]
        desk.place(rng.choice([ANN, BEN]), desk.order(str(side), price, size, "Ioc", str(symbol)))
        low = 64_000 + int(rng.integers(-200, 200))
        desk.book([(str(low), "50")], [(str(low + 1), "50")])
        desk.book([("3400", "500")], [("3400.1", "500")], "ETH")
        desk.block()
        for user in (ANN, BEN):
            check_algebra(desk, user)


def test_cash_is_the_deposit_plus_closed_results_less_fees(rng):
    desk = two_markets()
    for _ in range(30):
        side = str(rng.choice(["A", "B"]))
        price = "65000" if side == "B" else "63000"
        desk.place(ANN, desk.order(side, price, str(round(float(rng.uniform(0.01, 0.3)), 5)), "Ioc"))
        low = 64_000 + int(rng.integers(-300, 300))
        desk.book([(str(low), "50")], [(str(low + 1), "50")]).block()
    fills = desk.ask(type="userFills", user=ANN)
    closed = sum((D(one["closedPnl"]) - D(one["fee"]) for one in fills), D(0))
    state = desk.state(ANN)
    unrealized = sum((D(one["position"]["unrealizedPnl"]) for one in state["assetPositions"]), D(0))
    assert D(state["marginSummary"]["accountValue"]) - unrealized == 100_000 + closed
    size = sum((D(one["sz"]) * (1 if one["side"] == "B" else -1) for one in fills), D(0))
    assert D(state["assetPositions"][0]["position"]["szi"]) == size


def test_fees_are_the_base_tiers_rate_of_the_notional_rounded_up_to_a_millionth(desk):
    desk.place(ANN, desk.order("B", "64010", "3.33333", "Ioc"))
    for fill in desk.fills(ANN):
        exact = D(fill["px"]) * D(fill["sz"]) * D("0.00045")
        assert 0 <= D(fill["fee"]) - exact < D("0.000001")


class TestEntryPrice:
    """Section 7.5: average when increasing, unchanged when reducing, reset on a flip."""

    @pytest.fixture
    def desk(self):
        desk = Desk().book([("64000", "50")], [("64100", "1"), ("64300", "9")])
        desk.block()
        return desk

    def entry(self, desk):
        return desk.state(ANN)["assetPositions"][0]["position"]["entryPx"]

    def test_it_averages_what_was_opened(self, desk):
        desk.place(ANN, desk.order("B", "64300", "2", "Ioc"))
        assert self.entry(desk) == "64200.0"

    def test_it_stays_when_the_position_is_reduced(self, desk):
        desk.place(ANN, desk.order("B", "64300", "2", "Ioc"))
        desk.place(ANN, desk.order("A", "64000", "0.5", "Ioc"))
        assert self.entry(desk) == "64200.0"
        (fill,) = desk.fills(ANN)
        assert fill["closedPnl"] == "-100.0"  # gross: the fee is told beside it
        assert (fill["dir"], fill["startPosition"]) == ("Close Long", "2.0")

    def test_it_starts_anew_when_the_position_flips(self, desk):
        desk.place(ANN, desk.order("B", "64100", "1", "Ioc"))
        desk.place(ANN, desk.order("A", "64000", "1.5", "Ioc"))
        assert self.entry(desk) == "64000.0"
        assert [(one["dir"], one["closedPnl"]) for one in desk.fills(ANN)] == [("Long > Short", "-100.0")]
        assert desk.state(ANN)["assetPositions"][0]["position"]["szi"] == "-0.5"


def test_a_flat_coin_is_absent_and_a_stranger_has_nothing(desk):
    desk.place(ANN, desk.order("B", "64001", "0.5", "Ioc"))
    desk.place(ANN, desk.order("A", "64000", "0.5", "Ioc"))
    assert desk.state(ANN)["assetPositions"] == []
    assert desk.state(CAT)["marginSummary"] == {
        "accountValue": "0.0",
        "totalNtlPos": "0.0",
        "totalRawUsd": "0.0",
        "totalMarginUsed": "0.0",
    }
    assert desk.open_orders(CAT) == desk.ask(type="userFills", user=CAT) == []


def test_roles(desk):
    assert desk.ask(type="userRole", user=ANN) == {"role": "user"}
    assert desk.ask(type="userRole", user=CAT) == {"role": "missing"}
    desk.venue.agents[CAT] = ANN
    assert desk.ask(type="userRole", user=CAT) == {"role": "agent", "data": {"user": ANN}}


def test_an_agents_address_is_no_account(desk):
    """Section 1.1: an agent address returns an empty state, not an error."""
    desk.venue.agents[CAT] = ANN
    desk.place(ANN, desk.order("B", "64001", "0.5", "Ioc"), desk.order("B", "63990", "0.1"))
    assert desk.state(CAT)["assetPositions"] == []
    assert desk.open_orders(CAT) == desk.ask(type="userFills", user=CAT) == []


def test_what_can_be_withdrawn_leaves_the_margin_of_resting_orders(desk):
    desk.set_leverage(ANN, 10)
    desk.place(ANN, desk.order("B", "64000", "1", "Alo"))
    assert D(desk.state(ANN)["withdrawable"]) <= 100_000 - 6_400


def test_what_can_be_withdrawn_leaves_a_tenth_of_all_positions(desk):
    desk.place(ANN, desk.order("B", "64001", "1", "Ioc"))
    state = desk.state(ANN)
    summary = state["marginSummary"]
    assert D(state["withdrawable"]) == D(summary["accountValue"]) - D(summary["totalNtlPos"]) / 10


class TestIsolated:
    @pytest.fixture
    def long(self, desk):
        desk.set_leverage(ANN, 5, is_cross=False)
        desk.place(ANN, desk.order("B", "64001", "0.5", "Ioc"))
        return desk

    def position(self, desk):
        return desk.state(ANN)["assetPositions"][0]["position"]

    def test_it_is_told_with_its_own_money(self, long):
        check_algebra(long, ANN)
        leverage = self.position(long)["leverage"]
        assert (leverage["type"], leverage["value"]) == ("isolated", 5)
        assert D(leverage["rawUsd"]) < 0  # of a long: what was borrowed

    def test_its_money_stays_when_the_mark_moves(self, long):
        """Section 1.5: marginUsed = rawUsd + szi x mark, so that the margin includes the open result."""
        before = self.position(long)
        long.book([("64500", "50")], [("64501", "50")]).block()
        after = self.position(long)
        assert after["leverage"]["rawUsd"] == before["leverage"]["rawUsd"]
        assert D(after["marginUsed"]) > D(before["marginUsed"])

    def test_its_money_grows_and_shrinks_with_it(self, long):
        """Half of it is sold: half of its money goes back to the account. Flat, it has none."""
        whole = D(self.position(long)["leverage"]["rawUsd"])
        long.place(ANN, long.order("A", "64000", "0.25", "Ioc"))
        assert abs(D(self.position(long)["leverage"]["rawUsd"]) - whole / 2) < D("1e-7")
        check_algebra(long, ANN)
        long.place(ANN, long.order("A", "63000", "0.5", "Ioc"))
        short = self.position(long)
        assert short["szi"] == "-0.25"
        assert D(short["leverage"]["rawUsd"]) == D("0.25") * 64_000 * D("1.2")  # the sale and its margin
        long.place(ANN, long.order("B", "65000", "0.25", "Ioc"))
        assert long.state(ANN)["assetPositions"] == []
        state = long.state(ANN)
        assert state["crossMarginSummary"] == state["marginSummary"]

    def test_another_leverage_leaves_its_money(self, long):
        before = self.position(long)["leverage"]["rawUsd"]
        assert long.set_leverage(ANN, 10, is_cross=False)["status"] == "ok"
        assert self.position(long)["leverage"] == {"type": "isolated", "value": 10, "rawUsd": before}

    def test_it_may_become_cross_and_isolated_again(self, long):
        value = long.state(ANN)["marginSummary"]["accountValue"]
        assert long.set_leverage(ANN, 5, is_cross=True)["status"] == "ok"
        state = check_algebra(long, ANN)
        assert state["crossMarginSummary"] == state["marginSummary"]
        assert long.set_leverage(ANN, 4, is_cross=False)["status"] == "ok"
        state = check_algebra(long, ANN)
        assert state["marginSummary"]["accountValue"] == value
        position = self.position(long)
        assert D(position["marginUsed"]) == D(position["positionValue"]) / 4

    def test_its_liquidation_price_is_its_own(self, long):
        """Section 7.5: the margin of the position alone, open result included, less maintenance."""
        position = self.position(long)
        mark = D(position["positionValue"]) * 2
        available = D(position["marginUsed"]) - D(position["positionValue"]) / 80
        wanted = mark - available / D("0.5") / (1 - D(1) / 80)
        assert abs(D(position["liquidationPx"]) - wanted) < D("0.01")

    def test_it_is_no_part_of_the_cross_margin(self, long):
        state = long.state(ANN)
        assert D(state["crossMarginSummary"]["totalMarginUsed"]) == 0
        assert D(state["crossMarginSummary"]["accountValue"]) < D(state["marginSummary"]["accountValue"])


def test_the_liquidation_price_is_where_margin_meets_maintenance():
    """Section 7.5: liq = px - side x margin_available / |szi| / (1 - l x side), l = 1 / (2 x max leverage)."""
    desk = Desk(funds={ANN: 5_000}).book([("64000", "50")], [("64001", "50")])
    desk.block()
    desk.place(ANN, desk.order("B", "64001", "1", "Ioc"))
    state = desk.state(ANN)
    position = state["assetPositions"][0]["position"]
    mark = D(position["positionValue"])
    available = D(state["marginSummary"]["accountValue"]) - D(state["crossMaintenanceMarginUsed"])
    wanted = mark - available / (1 - D(1) / 80)
    assert abs(D(position["liquidationPx"]) - wanted) < 1


class TestFillsHistory:
    def test_the_newest_come_first_and_by_time_the_oldest(self, desk):
        times = []
        for _ in range(3):
            desk.place(ANN, desk.order("B", "64002", "0.01", "Ioc"))
            times.append(desk.now_ms)
        assert [one["time"] for one in desk.ask(type="userFills", user=ANN)] == times[::-1]
        by_time = {"type": "userFillsByTime", "user": ANN}
        assert [one["time"] for one in desk.ask(**by_time, startTime=0)] == times
        assert [one["time"] for one in desk.ask(**by_time, startTime=times[1])] == times[1:]
        assert [one["time"] for one in desk.ask(**by_time, startTime=0, endTime=times[1])] == times[:2]
        assert [one["time"] for one in desk.ask(**by_time, startTime=0, reversed=True)] == times[::-1]

    def test_a_fill_has_the_venues_fields(self, desk):
        cloid = desk.cloid()
        desk.place(ANN, desk.order("B", "64001", "0.5", "Ioc", cloid=cloid))
        (fill,) = desk.ask(type="userFills", user=ANN)
        words = ("coin", "px", "sz", "startPosition", "dir", "closedPnl", "hash", "fee", "feeToken", "cloid")
        assert all(isinstance(fill[name], str) for name in words)
        assert all(isinstance(fill[name], int) for name in ("time", "oid", "tid"))
        assert (fill["side"], fill["dir"], fill["cloid"], fill["crossed"]) == ("B", "Open Long", cloid, True)
        assert fill["twapId"] is None
        assert len(fill["hash"]) == 66
        assert fill["tid"] < 1 << 50


def test_random_trading_between_clients_creates_and_destroys_nothing():
    """All accounts together own the deposits, less fees, plus what the house lost to them."""
    rng = np.random.default_rng(11)
    desk = Desk(funds={ANN: 100_000, BEN: 100_000, CAT: 100_000})
    desk.book([("60000", "0.00001")], [("70000", "0.00001")]).block()
    for _ in range(120):
        user, side = str(rng.choice([ANN, BEN, CAT])), str(rng.choice(["A", "B"]))
        price = str(int(rng.integers(63_900, 64_100)))
        size = str(round(float(rng.uniform(0.001, 0.2)), 5))
        desk.place(user, desk.order(side, price, size, str(rng.choice(["Gtc", "Alo", "Ioc"]))))
    states = [desk.state(user) for user in (ANN, BEN, CAT)]
    sizes = [D(one["position"]["szi"]) for state in states for one in state["assetPositions"]]
    assert sum(sizes) == 0
    fees = sum(
        (D(one["fee"]) for user in (ANN, BEN, CAT) for one in desk.ask(type="userFills", user=user)), D(0)
    )
    assert sum(D(state["marginSummary"]["accountValue"]) for state in states) == 300_000 - fees
    tids = {}
    for user in (ANN, BEN, CAT):
        for fill in desk.ask(type="userFills", user=user):
            tids.setdefault(fill["tid"], []).append((fill["side"], fill["px"], fill["sz"]))
    assert len(tids) > 20
    for sides in tids.values():  # each trade has one buyer and one seller, at one price and size
        assert sorted(side for side, _, _ in sides) == ["A", "B"]
        assert len({(price, size) for _, price, size in sides}) == 1
