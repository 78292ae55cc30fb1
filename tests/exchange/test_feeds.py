"""What the local exchange publishes: books, best prices, trades, mids.

Venue file, sections 1.2 to 1.4 and 4.
"""

import itertools
from decimal import Decimal

import pytest

from exchange.desk import ANN, BEN, CAT, Desk
from makerside.model.event import Flag, Kind

D = Decimal


def test_best_prices_are_told_once_per_change(desk):
    assert len(desk.told("bbo", "BTC")) == 1  # the first block of the fixture
    desk.block()
    assert desk.told("bbo", "BTC") == []
    desk.place(ANN, desk.order("B", "64000", "0.5", "Alo"))
    (told,) = desk.told("bbo", "BTC")
    assert told["bbo"] == [{"px": "64000.0", "sz": "1.5", "n": 2}, {"px": "64001.0", "sz": "1.0", "n": 1}]
    assert told["time"] == desk.now_ms


def test_an_empty_side_is_null():
    desk = Desk().book([("64000", "1")], [])
    desk.block()
    assert desk.told("bbo", "BTC")[0]["bbo"] == [{"px": "64000.0", "sz": "1.0", "n": 1}, None]
    assert desk.ask(type="l2Book", coin="BTC")["levels"][1] == []


def test_books_come_whole_at_their_own_pace():
    """Fast: 5 levels each 0.5 s. Slow: 20 levels each 5 s. Both best first, with every client's order."""
    levels = [(str(64_000 - i), "1") for i in range(30)], [(str(64_001 + i), "1") for i in range(30)]
    desk = Desk().book(*levels)
    desk.block()
    times = {"fast": [], "slow": []}
    for _ in range(180):
        desk.block()
        for pace, found in times.items():
            found += [frame["time"] for frame in desk.told("l2Book", "BTC", pace)]
    gaps = {pace: {b - a for a, b in itertools.pairwise(found)} for pace, found in times.items()}
    assert gaps["fast"]
    assert gaps["fast"] <= {500 + late for late in range(70)}
    assert gaps["slow"]
    assert gaps["slow"] <= {5_000 + late for late in range(70)}
    desk.block(ms=6_000)
    (fast,), (slow,) = desk.told("l2Book", "BTC", "fast"), desk.told("l2Book", "BTC", "slow")
    assert [len(side) for side in fast["levels"]] == [5, 5]
    assert [len(side) for side in slow["levels"]] == [20, 20]
    assert fast["fast"] is True
    assert "fast" not in slow
    for side, sign in zip(slow["levels"], (-1, 1), strict=True):
        prices = [sign * D(level["px"]) for level in side]
        assert prices == sorted(prices)


def test_trades_tell_the_aggressors_side_and_come_in_one_frame(desk):
    desk.trade("B", "64001", "0.2").trade("A", "64000", "0.1").block()
    (frame,) = desk.told("trades", "BTC")
    assert [(one["side"], one["px"], one["sz"]) for one in frame] == [
        ("B", "64001.0", "0.2"),
        ("A", "64000.0", "0.1"),
    ]
    assert all(isinstance(one["tid"], int) and isinstance(one["time"], int) for one in frame)
    assert len({one["tid"] for one in frame}) == 2
    assert len(frame[0]["users"]) == 2
    recent = desk.ask(type="recentTrades", coin="BTC")
    assert [one["tid"] for one in recent] == [one["tid"] for one in reversed(frame)]


def test_house_and_client_trades_never_share_an_id(desk):
    seen = []
    for _ in range(5):
        desk.trade("B", "64001", "0.2").block()
        seen += [one["tid"] for frame in desk.told("trades", "BTC") for one in frame]
        desk.place(ANN, desk.order("B", "64002", "0.01", "Ioc"))
        seen += [one["tid"] for frame in desk.told("trades", "BTC") for one in frame]
    assert len(seen) == len(set(seen)) == 10


def test_a_fill_is_found_among_the_trades_by_its_id(desk):
    """Section 1.5: tid is the trade's; section 4.4: its users are the buyer and the seller."""
    desk.place(ANN, desk.order("B", "64000.0", "0.1", "Alo"))
    desk.trade("A", "63995", "0.1").block()
    (fill,) = desk.fills(ANN)
    (frame,) = desk.told("trades", "BTC")
    assert fill["tid"] in {one["tid"] for one in frame}


def test_a_print_is_told_as_the_trades_that_it_was(desk):
    """At 64,000 stand 1.0 of the house, 0.2 of ANN, 0.3 of BEN; 1.3 are sold."""
    desk.place(ANN, desk.order("B", "64000", "0.2", "Alo"))
    desk.place(BEN, desk.order("B", "64000", "0.3", "Alo"))
    desk.trade("A", "64000", "1.3").block()
    (frame,) = desk.told("trades", "BTC")
    nobody = "0x" + 40 * "0"
    assert [(one["px"], one["sz"], one["side"], one["users"]) for one in frame] == [
        ("64000.0", "0.2", "A", [ANN, nobody]),
        ("64000.0", "0.1", "A", [BEN, nobody]),
        ("64000.0", "1.0", "A", [nobody, nobody]),
    ]
    assert [one["tid"] for one in frame[:2]] == [desk.fills(user)[0]["tid"] for user in (ANN, BEN)]
    assert {one["time"] for one in frame} == {desk.now_ms}


def test_an_aggressor_that_the_source_does_not_tell_is_inferred_for_each_print(desk):
    for price in ("64001", "64000", "64001"):
        desk.house.push(desk._rows("BTC", [(Kind.TRADE, int(Flag.UNKNOWN_SIDE), price, "0.1")]))
    desk.block()
    assert [one["side"] for frame in desk.told("trades", "BTC") for one in frame] == ["B", "A", "B"]


def test_a_print_through_a_price_is_told_there_first(desk):
    desk.place(ANN, desk.order("B", "64000.0", "0.1", "Alo"))
    desk.trade("A", "63995", "0.4").block()
    (frame,) = desk.told("trades", "BTC")
    assert [(one["px"], one["sz"]) for one in frame] == [("64000.0", "0.1"), ("63995.0", "0.4")]


def test_nobody_listens_nothing_is_made(desk):
    assert desk.block(wanted=()) == []


def test_prints_that_nobody_listens_to_are_not_kept_for_later(desk):
    """Else the first listener gets a day's prints in one frame, and memory grows for ever."""
    for _ in range(20):
        desk.trade("B", "64001", "0.001")
        desk.now_ms += 70
        desk.venue.run_block(desk.now_ms * 1_000_000, {})
    desk.trade("B", "64001", "0.002").block()
    assert [one["sz"] for frame in desk.told("trades", "BTC") for one in frame] == ["0.002"]


class TestMids:
    def test_they_are_half_way_and_may_lie_between_two_ticks(self):
        desk = Desk(("BTC", "ETH"))
        desk.book([("64000", "1")], [("64001", "1")]).book([("3400", "1")], [("3400.1", "1")], "ETH")
        desk.block()
        assert desk.ask(type="allMids") == {"BTC": "64000.5", "ETH": "3400.05"}

    def test_an_empty_book_gives_the_last_trade(self):
        desk = Desk().book([("64000", "1")], [])
        desk.trade("A", "64000", "0.1").block()
        assert desk.ask(type="allMids") == {"BTC": "64000.0"}

    def test_another_dex_has_none_of_them(self, desk):
        assert desk.ask(type="allMids", dex="xyz") == {}


class TestAggregation:
    """Section 1.4: bids are floored and asks ceiled to buckets of mantissa x 10^(digits - nSigFigs)."""

    @pytest.fixture
    def desk(self):
        desk = Desk()
        desk.book(
            [("64017", "1"), ("64011", "2"), ("64008", "3"), ("63950", "4")],
            [("64018", "1"), ("64020", "2"), ("64021", "3"), ("64101", "4")],
        ).block()
        return desk

    def levels(self, desk, **how):
        bids, asks = desk.ask(type="l2Book", coin="BTC", **how)["levels"]
        return [(one["px"], one["sz"], one["n"]) for one in bids], [
            (one["px"], one["sz"], one["n"]) for one in asks
        ]

    def test_four_figures(self, desk):
        assert self.levels(desk, nSigFigs=4) == (
            [("64010.0", "3.0", 2), ("64000.0", "3.0", 1), ("63950.0", "4.0", 1)],
            [("64020.0", "3.0", 2), ("64030.0", "3.0", 1), ("64110.0", "4.0", 1)],
        )

    def test_two_figures(self, desk):
        assert self.levels(desk, nSigFigs=2) == (
            [("64000.0", "6.0", 3), ("63000.0", "4.0", 1)],
            [("65000.0", "10.0", 4)],
        )

    def test_a_mantissa_widens_the_buckets(self, desk):
        assert self.levels(desk, nSigFigs=5, mantissa=5)[0][:2] == [
            ("64015.0", "1.0", 1),
            ("64010.0", "2.0", 1),
        ]

    def test_the_spread_is_told_with_figures_only(self, desk):
        assert desk.ask(type="l2Book", coin="BTC", nSigFigs=5)["spread"] == "1.0"
        assert "spread" not in desk.ask(type="l2Book", coin="BTC")

    def test_the_whole_book_is_aggregated(self):
        desk = Desk().book([(str(64_000 - i), "1") for i in range(100)], [("64001", "1")])
        desk.block()
        bids, _ = desk.ask(type="l2Book", coin="BTC", nSigFigs=4)["levels"]
        assert sum(D(level["sz"]) for level in bids) == 100


def test_an_unknown_coin_has_no_book(desk):
    assert desk.ask(type="l2Book", coin="NOPE") is None
    assert desk.ask(type="recentTrades", coin="NOPE") == []


class TestMetadata:
    def test_the_index_in_the_universe_is_the_asset_id(self):
        desk = Desk(("ETH", "BTC"))
        meta = desk.ask(type="meta")
        assert [(one["name"], one["szDecimals"], one["maxLeverage"]) for one in meta["universe"]] == [
            ("ETH", 4, 25),
            ("BTC", 5, 40),
        ]
        assert meta["collateralToken"] == 0
        assert desk.ask(type="meta", dex="") == meta
        assert desk.ask(type="metaAndAssetCtxs")[0] == meta

    def test_the_first_dex_is_null_and_usdc_is_token_zero(self, desk):
        assert desk.ask(type="perpDexs") == [None]
        spot = desk.ask(type="spotMeta")
        assert spot["universe"] == []
        assert [(one["name"], one["index"]) for one in spot["tokens"]] == [("USDC", 0)]

    def test_contexts_are_texts_aligned_with_the_universe(self, desk):
        (context,) = desk.ask(type="metaAndAssetCtxs")[1]
        for name in ("funding", "openInterest", "prevDayPx", "dayNtlVlm", "oraclePx", "markPx", "midPx"):
            assert isinstance(context[name], str)
        assert context["funding"] == "0.0000125"
        assert context["midPx"] == "64000.5"

    def test_the_base_tier_is_told(self, desk):
        fees = desk.ask(type="userFees", user=ANN)
        assert (fees["userCrossRate"], fees["userAddRate"]) == ("0.00045", "0.00015")
        assert (
            fees["feeSchedule"]["tiers"]["vip"][0]
            == {
                "ntlCutoff": "5000000",
                "cross": "0.0004",
                "add": "0.00012",
            }
            or D(fees["feeSchedule"]["tiers"]["vip"][0]["ntlCutoff"]) == 5_000_000
        )

    def test_the_account_is_a_standard_one(self, desk):
        assert desk.ask(type="userAbstraction", user=ANN) == "disabled"
        assert desk.ask(type="spotClearinghouseState", user=ANN) == {"balances": []}
        assert isinstance(desk.ask(type="exchangeStatus")["time"], int)


def test_several_markets_tell_their_own_news_only():
    desk = Desk(("BTC", "ETH"), {ANN: 100_000, BEN: 100_000, CAT: 100_000})
    desk.book([("64000", "1")], [("64001", "1")]).book([("3400", "1")], [("3400.1", "1")], "ETH").block()
    desk.trade("B", "3400.1", "0.5", "ETH").block()
    assert desk.told("trades", "BTC") == []
    assert [one["coin"] for one in desk.told("trades", "ETH")[0]] == ["ETH"]
    (status,) = desk.place(ANN, desk.order("B", "3400.1", "0.5", "Ioc", "ETH"))
    assert status["filled"]["totalSz"] == "0.5"
    assert desk.told("trades", "BTC") == []
    assert desk.fills(ANN)[0]["coin"] == "ETH"
