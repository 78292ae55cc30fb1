"""The official Hyperliquid SDK, unmodified, as a client of `makerside exchange`. Venue file, section 8.

Every answer is checked in the form that the SDK's own users rely on.
"""

import contextlib
import json
import re
import threading
import time
from collections import defaultdict
from decimal import Decimal

import pytest

pytest.importorskip("hyperliquid.exchange", reason="needs the official SDK: pip install hyperliquid-python-sdk")

import hyperliquid.exchange
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.error import ClientError
from hyperliquid.utils.types import Cloid

D = Decimal
WAIT_S = 8.0
ALO, GTC, IOC = ({"limit": {"tif": tif}} for tif in ("Alo", "Gtc", "Ioc"))
SERVER_NUMBER = re.compile(r"-?(0|[1-9]\d*)\.(0|\d*[1-9])\Z")  # "100.0", "0.5": never "100", never "0.50"


def wallet(number):
    return Account.from_key(f"0x{number:064x}")


def connected(url):
    """Return an `Info` with a connected socket.

    It is made in a daemon thread, since its own threads inherit that: after a close by the client its
    reader may sleep for ever on a socket that is gone (websocket-client 1.9), and would keep us alive.
    """
    made = []
    maker = threading.Thread(target=lambda: made.append(Info(url)), daemon=True)
    maker.start()
    maker.join(WAIT_S)
    (info,) = made
    until(lambda: info.ws_manager.ws_ready)
    return info


@contextlib.contextmanager
def listening(url):
    """Have a connected `Info` for a while."""
    info = connected(url)
    try:
        yield info
    finally:
        info.disconnect_websocket()


def until(condition, wait_s=WAIT_S):
    """Return what `condition` gives as soon as that is true."""
    deadline = time.monotonic() + wait_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


class Trader:
    """One account with both halves of the SDK, and everything that its subscriptions have told."""

    def __init__(self, url, number, listens=True):
        self.wallet = wallet(number)
        self.address = self.wallet.address
        self.info = connected(url) if listens else Info(url, skip_ws=True)
        self.exchange = Exchange(self.wallet, url)
        self.heard = defaultdict(list)
        if listens:
            for kind in ("orderUpdates", "userFills", "userEvents"):
                subscription = {"type": kind, "user": self.address}
                self.info.subscribe(subscription, lambda message, kind=kind: self.heard[kind].append(message))
            until(lambda: self.heard["userFills"])  # its snapshot: the subscriptions are in place

    def price(self, coin="BTC", away=0.0):
        """Return a whole price at a relative distance from the mid."""
        return float(round(float(self.info.all_mids()[coin]) * (1 + away)))

    def updates(self, **wanted):
        """Return the order updates whose order has these fields."""
        return [
            one
            for message in list(self.heard["orderUpdates"])
            for one in message["data"]
            if all(one["order"].get(name) == value for name, value in wanted.items())
        ]

    def fills(self, oid):
        return [
            fill
            for message in list(self.heard["userFills"])
            if not message["data"].get("isSnapshot")
            for fill in message["data"]["fills"]
            if fill["oid"] == oid
        ]

    def flatten(self):
        """Cancel everything and close every position."""
        orders = self.info.open_orders(self.address)
        if orders:
            self.exchange.bulk_cancel([{"coin": one["coin"], "oid": one["oid"]} for one in orders])
        for one in self.info.user_state(self.address)["assetPositions"]:
            self.exchange.market_close(one["position"]["coin"])


def cloid(number):
    return Cloid.from_int(number)


@pytest.fixture(scope="module")
def traders(sdk_exchange):
    """Return a function that gives the trader of a key, made once."""
    made = {}

    def trader(number, listens=True):
        if number not in made:
            made[number] = Trader(sdk_exchange.url, number, listens)
        return made[number]

    yield trader
    for one in made.values():
        if one.info.ws_manager is not None:
            one.info.disconnect_websocket()


@pytest.fixture(autouse=True)
def patience():
    """Let the weight of what was asked before run off: 1,200 a minute of market time."""
    time.sleep(0.06)


@pytest.fixture
def ann(traders):
    """The trader of key 11, flat and without orders before and after a test."""
    trader = traders(11)
    yield trader
    trader.flatten()


def statuses(answer):
    assert answer["status"] == "ok", answer
    return answer["response"]["data"]["statuses"]


class TestConstruction:
    def test_both_halves_are_made_from_a_url_alone(self, sdk_exchange):
        with listening(sdk_exchange.url) as info:
            assert info.name_to_asset("BTC") == 0
            assert info.name_to_asset("ETH") == 1
            assert info.asset_to_sz_decimals[0] == 5
        exchange = Exchange(wallet(11), sdk_exchange.url, account_address=wallet(11).address)
        assert exchange.info.coin_to_asset == {"BTC": 0, "ETH": 1}

    def test_a_list_of_dexs_is_served(self, sdk_exchange):
        assert Info(sdk_exchange.url, skip_ws=True, perp_dexs=[""]).name_to_asset("ETH") == 1

    def test_the_ready_line_says_where_and_what(self, sdk_exchange):
        ready = sdk_exchange.ready
        assert ready["url"].startswith("http://127.0.0.1:")
        assert ready["ws"] == ready["url"].replace("http", "ws") + "/ws"
        assert ready["instruments"] == ["BTC", "ETH"]


class TestInfo:
    def test_metadata(self, ann):
        meta = ann.info.meta()
        assert [one["name"] for one in meta["universe"]] == ["BTC", "ETH"]
        assert all(isinstance(one["szDecimals"], int) for one in meta["universe"])
        assert ann.info.perp_dexs() == [None]
        assert ann.info.spot_meta()["tokens"][0]["name"] == "USDC"
        asked, contexts = ann.info.meta_and_asset_ctxs()
        assert asked == meta
        assert len(contexts) == 2
        for context in contexts:
            assert all(
                SERVER_NUMBER.match(context[name]) for name in ("markPx", "oraclePx", "midPx", "prevDayPx")
            )

    def test_mids_and_books(self, ann):
        mids = ann.info.all_mids()
        assert set(mids) == {"BTC", "ETH"}
        assert all(SERVER_NUMBER.match(text) for text in mids.values())
        book = ann.info.l2_snapshot("BTC")
        assert book["coin"] == "BTC"
        bids, asks = book["levels"]
        assert D(bids[0]["px"]) < D(asks[0]["px"])
        assert all(len(side) <= 20 for side in (bids, asks))
        for level in bids + asks:
            assert SERVER_NUMBER.match(level["px"])
            assert SERVER_NUMBER.match(level["sz"])
            assert isinstance(level["n"], int)
            assert level["n"] >= 1

    def test_an_account_that_has_done_nothing(self, traders):
        trader = traders(15, listens=False)
        state = trader.info.user_state(trader.address)
        assert state["assetPositions"] == []
        assert state["marginSummary"]["accountValue"] == state["withdrawable"] == "100000.0"
        assert isinstance(state["time"], int)
        for ask in ("open_orders", "frontend_open_orders", "user_fills"):
            assert getattr(trader.info, ask)(trader.address) == []
        assert trader.info.user_fills_by_time(trader.address, 0) == []
        assert trader.info.spot_user_state(trader.address) == {"balances": []}
        assert trader.info.user_role(trader.address) == {"role": "user"}
        assert trader.info.user_role("0x" + "9" * 40) == {"role": "missing"}
        assert trader.info.user_fees(trader.address)["userCrossRate"] == "0.00045"
        limit = trader.info.user_rate_limit(trader.address)
        assert (limit["nRequestsUsed"], limit["nRequestsCap"]) == (0, 10_000)
        assert trader.info.query_user_abstraction_state(trader.address) == "disabled"
        assert trader.info.query_order_by_oid(trader.address, 5) == {"status": "unknownOid"}

    def test_what_is_not_served_is_422_with_the_venues_text(self, ann):
        with pytest.raises(ClientError) as caught:
            ann.info.post("/info", {"type": "nonsense"})
        assert caught.value.status_code == 422
        assert caught.value.error_message == "Failed to deserialize the JSON body into the target type"


class TestResting:
    def test_the_life_of_a_quote(self, ann):
        """Placed post-only, seen everywhere, cancelled by its client order id, remembered."""
        mine = cloid(1)
        price = ann.price(away=-0.05)
        (status,) = statuses(ann.exchange.order("BTC", True, 0.01, price, ALO, cloid=mine))
        oid = status["resting"]["oid"]
        assert status["resting"]["cloid"] == mine.to_raw()
        assert isinstance(oid, int)
        opened = until(lambda: ann.updates(cloid=mine.to_raw()))[0]
        assert opened["status"] == "open"
        order = opened["order"]
        assert (order["coin"], order["side"], order["sz"], order["origSz"]) == ("BTC", "B", "0.01", "0.01")
        assert order["limitPx"] == f"{price:.1f}"
        assert order["timestamp"] == opened["statusTimestamp"]
        (open_order,) = ann.info.open_orders(ann.address)
        assert open_order == order
        (frontend,) = ann.info.frontend_open_orders(ann.address)
        assert (frontend["tif"], frontend["isTrigger"], frontend["cloid"]) == ("Alo", False, mine.to_raw())
        asked = ann.info.query_order_by_cloid(ann.address, mine)
        assert (asked["status"], asked["order"]["status"]) == ("order", "open")
        assert asked == ann.info.query_order_by_oid(ann.address, oid)
        assert statuses(ann.exchange.cancel_by_cloid("BTC", mine)) == ["success"]
        ended = until(lambda: [one for one in ann.updates(oid=oid) if one["status"] != "open"])
        assert [(one["status"], one["order"]["sz"]) for one in ended] == [("canceled", "0.01")]
        assert ann.info.query_order_by_cloid(ann.address, mine)["order"]["status"] == "canceled"
        assert ann.info.open_orders(ann.address) == []

    def test_batches(self, ann):
        orders = [
            {
                "coin": coin,
                "is_buy": False,
                "sz": size,
                "limit_px": ann.price(coin, 0.05),
                "order_type": ALO,
                "reduce_only": False,
                "cloid": cloid(number),
            }
            for number, (coin, size) in enumerate(
                (("BTC", 0.01), ("ETH", 0.1), ("BTC", 0.00001), ("ETH", 0.2)), 10
            )
        ]
        placed = statuses(ann.exchange.bulk_orders(orders))
        assert [next(iter(one)) for one in placed] == ["resting", "resting", "error", "resting"]
        assert placed[2] == {"error": "Order must have minimum value of $10. asset=0"}
        oids = [one["resting"]["oid"] for one in placed if "resting" in one]
        assert sorted(one["oid"] for one in ann.info.open_orders(ann.address)) == sorted(oids)
        by_cloid = [{"coin": "BTC", "cloid": cloid(10)}, {"coin": "ETH", "cloid": cloid(11)}]
        assert statuses(ann.exchange.bulk_cancel_by_cloid(by_cloid)) == ["success", "success"]
        both = [{"coin": "ETH", "oid": oids[2]}, {"coin": "ETH", "oid": oids[1]}]
        assert statuses(ann.exchange.bulk_cancel(both)) == [
            "success",
            {"error": "Order was never placed, already canceled, or filled. asset=1"},
        ]


class TestTaking:
    def test_a_crossing_order_is_told_on_every_channel(self, ann):
        before = D(ann.info.user_state(ann.address)["marginSummary"]["accountValue"])
        mine = cloid(20)
        (status,) = statuses(ann.exchange.order("BTC", True, 0.02, ann.price(away=0.01), IOC, cloid=mine))
        filled = status["filled"]
        assert (filled["totalSz"], filled["cloid"]) == ("0.02", mine.to_raw())
        oid = filled["oid"]
        fills = until(lambda: sum(D(one["sz"]) for one in ann.fills(oid)) == D("0.02") and ann.fills(oid))
        for fill in fills:
            assert (fill["side"], fill["dir"], fill["crossed"], fill["feeToken"]) == (
                "B",
                "Open Long",
                True,
                "USDC",
            )
            assert all(
                SERVER_NUMBER.match(fill[name]) for name in ("px", "sz", "fee", "closedPnl", "startPosition")
            )
            assert isinstance(fill["tid"], int)
            assert isinstance(fill["time"], int)
            assert fill["cloid"] == mine.to_raw()
            fee = D(fill["px"]) * D(fill["sz"]) * D("0.00045")
            assert 0 <= D(fill["fee"]) - fee < D("0.000001")
        value = sum(D(one["px"]) * D(one["sz"]) for one in fills)
        assert abs(value / D("0.02") - D(filled["avgPx"])) < D("0.01")
        events = [one for message in list(ann.heard["userEvents"]) for one in message["data"].get("fills", ())]
        assert {one["tid"] for one in fills} <= {one["tid"] for one in events}
        assert [one["status"] for one in until(lambda: ann.updates(oid=oid))][-1] == "filled"
        asked = ann.info.user_fills(ann.address)
        assert asked[: len(fills)] == fills[::-1]
        assert ann.info.user_fills_by_time(ann.address, fills[0]["time"])[-len(fills) :] == fills
        state = ann.info.user_state(ann.address)
        (position,) = (one["position"] for one in state["assetPositions"])
        assert (position["coin"], position["szi"], position["leverage"]["type"]) == ("BTC", "0.02", "cross")
        assert isinstance(position["leverage"]["value"], int)
        fees = sum(D(one["fee"]) for one in fills)
        raw = D(state["marginSummary"]["totalRawUsd"])
        assert raw == before - value - fees

    def test_reduce_only_closes_what_is_held_and_no_more(self, ann):
        statuses(ann.exchange.order("BTC", True, 0.02, ann.price(away=0.01), IOC))
        (status,) = statuses(
            ann.exchange.order("BTC", False, 0.05, ann.price(away=-0.01), IOC, reduce_only=True)
        )
        assert status["filled"]["totalSz"] == "0.02"
        assert ann.info.user_state(ann.address)["assetPositions"] == []

    def test_the_market_helpers(self, ann):
        (status,) = statuses(ann.exchange.market_open("ETH", False, 0.5))
        assert status["filled"]["totalSz"] == "0.5"
        assert ann.info.user_state(ann.address)["assetPositions"][0]["position"]["szi"] == "-0.5"
        (status,) = statuses(ann.exchange.market_close("ETH"))
        assert status["filled"]["totalSz"] == "0.5"
        assert ann.info.user_state(ann.address)["assetPositions"] == []
        assert ann.exchange.market_close("ETH") is None

    def test_leverage_and_margin_mode_are_kept(self, ann):
        assert ann.exchange.update_leverage(7, "ETH", is_cross=False) == {
            "status": "ok",
            "response": {"type": "default"},
        }
        statuses(ann.exchange.market_open("ETH", True, 0.5))
        (position,) = (one["position"] for one in ann.info.user_state(ann.address)["assetPositions"])
        assert (position["leverage"]["type"], position["leverage"]["value"]) == ("isolated", 7)
        assert SERVER_NUMBER.match(position["leverage"]["rawUsd"])
        assert ann.exchange.update_leverage(500, "ETH")["status"] == "err"


class TestRefusals:
    @pytest.mark.parametrize(
        ("order", "words"),
        [
            (
                (True, 0.01, 0.01, ALO),
                r"Post only order would have immediately matched, bbo was \d+\.\d@\d+\.\d\. asset=0",
            ),
            (
                (True, 0.01, -0.05, IOC),
                r"Order could not immediately match against any resting orders\. asset=0",
            ),
            ((True, 0.0001, -0.05, GTC), r"Order must have minimum value of \$10\. asset=0"),
            ((True, 0.0, -0.05, GTC), r"Order has zero size\."),
            ((True, 0.000001, -0.05, GTC), r"Order has invalid size\."),
            ((True, 500.0, -0.05, GTC), r"Insufficient margin to place order\. asset=0"),
        ],
        ids=["post-only", "ioc", "minimum", "zero", "lot", "margin"],
    )
    def test_orders(self, ann, order, words):
        is_buy, size, away, kind = order
        (status,) = statuses(ann.exchange.order("BTC", is_buy, size, ann.price(away=away), kind))
        assert re.fullmatch(words, status["error"])

    def test_a_price_off_the_tick(self, ann):
        (status,) = statuses(ann.exchange.order("BTC", True, 0.01, ann.price(away=-0.05) + 0.5, GTC))
        assert status == {"error": "Price must be divisible by tick size. asset=0"}

    def test_reduce_only_without_a_position(self, ann):
        (status,) = statuses(ann.exchange.order("BTC", False, 0.01, ann.price(), IOC, reduce_only=True))
        assert status == {"error": "Reduce only order would increase position. asset=0"}

    def test_what_the_exchange_does_not_have_yet(self, ann):
        price = ann.price(away=-0.05)
        (status,) = statuses(ann.exchange.order("BTC", True, 0.01, price, ALO))
        changed = ann.exchange.modify_order(status["resting"]["oid"], "BTC", True, 0.01, price - 1, ALO)
        assert changed["status"] == "err"
        assert "batchModify" in changed["response"]
        assert ann.exchange.schedule_cancel(int(time.time() * 1000) + 60_000)["status"] == "err"
        assert ann.exchange.usd_transfer(1.0, "0x" + "9" * 40)["status"] == "err"
        assert [one["oid"] for one in ann.info.open_orders(ann.address)] == [status["resting"]["oid"]]

    def test_a_nonce_that_was_used(self, ann, monkeypatch):
        nonce = int(time.time() * 1000) + 5_000
        monkeypatch.setattr(hyperliquid.exchange, "get_timestamp_ms", lambda: nonce)
        first, second = (ann.exchange.update_leverage(3, "BTC") for _ in range(2))
        assert first["status"] == "ok"
        assert second == {"status": "err", "response": f"Invalid nonce: duplicate nonce {nonce}"}

    def test_an_action_that_comes_too_late(self, ann):
        ann.exchange.set_expires_after(int(time.time() * 1000) - 2_000)
        try:
            answer = ann.exchange.order("BTC", True, 0.01, ann.price(away=-0.05), GTC)
        finally:
            ann.exchange.set_expires_after(None)
        assert answer["status"] == "err"
        assert "expire" in answer["response"].lower()

    def test_a_stranger(self, sdk_exchange):
        stranger = wallet(999)
        answer = Exchange(stranger, sdk_exchange.url).order("BTC", True, 0.01, 60_000.0, GTC)
        assert answer == {
            "status": "err",
            "response": f"User or API Wallet {stranger.address.lower()} does not exist.",
        }

    def test_a_signature_for_mainnet_is_read(self, ann, sdk_exchange, monkeypatch):
        """Section 8: the SDK signs as mainnet when the module's constant names this exchange."""
        monkeypatch.setattr(hyperliquid.exchange, "MAINNET_API_URL", sdk_exchange.url)
        assert ann.exchange.update_leverage(3, "BTC")["status"] == "ok"


def test_an_agent_trades_for_its_master_and_owns_nothing(traders, sdk_exchange):
    master = traders(12, listens=False)
    answer, agent_key = master.exchange.approve_agent()
    assert answer == {"status": "ok", "response": {"type": "default"}}
    agent = Account.from_key(agent_key)
    exchange = Exchange(agent, sdk_exchange.url, account_address=master.address)
    (status,) = statuses(exchange.order("BTC", True, 0.01, master.price(away=-0.05), ALO))
    assert [one["oid"] for one in master.info.open_orders(master.address)] == [status["resting"]["oid"]]
    assert master.info.open_orders(agent.address) == []
    state = master.info.user_state(agent.address)
    assert (state["assetPositions"], state["marginSummary"]["accountValue"]) == ([], "0.0")
    role = {"role": "agent", "data": {"user": master.address.lower()}}
    assert master.info.user_role(agent.address) == role
    assert statuses(exchange.cancel("BTC", status["resting"]["oid"])) == ["success"]
    named, _ = master.exchange.approve_agent("second")
    assert named["status"] == "ok"


class TestSubscriptions:
    def test_public_channels_deliver(self, sdk_exchange):
        heard = defaultdict(list)
        with listening(sdk_exchange.url) as info:
            for kind in ("l2Book", "bbo", "trades", "allMids"):
                subscription = {"type": kind} if kind == "allMids" else {"type": kind, "coin": "BTC"}
                info.subscribe(subscription, lambda message, kind=kind: heard[kind].append(message["data"]))
            until(lambda: all(heard[kind] for kind in ("l2Book", "bbo", "trades", "allMids")))
        book = heard["l2Book"][0]
        assert book["coin"] == "BTC"
        assert isinstance(book["time"], int)
        assert [len(side) <= 20 for side in book["levels"]] == [True, True]
        bid, ask = heard["bbo"][0]["bbo"]
        assert D(bid["px"]) < D(ask["px"])
        for trade in heard["trades"][0]:
            assert trade["coin"] == "BTC"
            assert trade["side"] in ("A", "B")
            assert SERVER_NUMBER.match(trade["px"])
            assert SERVER_NUMBER.match(trade["sz"])
            assert isinstance(trade["tid"], int)
            assert len(trade["users"]) == 2
        assert set(heard["allMids"][0]["mids"]) == {"BTC", "ETH"}

    def test_fast_books_have_five_levels(self, sdk_exchange):
        heard = []
        with listening(sdk_exchange.url) as info:
            info.subscribe({"type": "l2Book", "coin": "ETH", "fast": True}, heard.append)
            until(lambda: len(heard) > 2)
        assert all(message["data"]["fast"] for message in heard)
        assert all(len(side) <= 5 for message in heard for side in message["data"]["levels"])

    def test_an_unsubscribed_channel_falls_silent(self, sdk_exchange, capfd):
        heard = []
        with listening(sdk_exchange.url) as info:
            number = info.subscribe({"type": "bbo", "coin": "BTC"}, heard.append)
            until(lambda: len(heard) > 2)
            assert info.unsubscribe({"type": "bbo", "coin": "BTC"}, number)
            until(lambda: not said_within(capfd, 0.1))  # what was on its way
            seen = len(heard)
            assert "unexpected subscription" not in said_within(capfd, 0.2)  # fifty blocks
            assert len(heard) == seen


def said_within(capfd, seconds):
    """Return what was printed within some time: the SDK prints messages that nobody wants."""
    time.sleep(seconds)
    return capfd.readouterr().out


def test_the_exchange_has_said_one_line_and_complained_of_nothing(sdk_exchange):
    """Standard output holds the ready line only. Runs last in this file; any time is as good."""
    assert len(sdk_exchange.out) == 1
    assert json.loads(sdk_exchange.out[0])["url"] == sdk_exchange.url
    assert "Traceback" not in sdk_exchange.text
    assert sdk_exchange.process.poll() is None
