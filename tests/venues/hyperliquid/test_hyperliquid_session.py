"""The session: what it asks for, what answers mean, what it does with trouble."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from makerside.model.action import ActionKind, action_t
from makerside.model.errors import ConfigError
from makerside.model.event import Flag, Kind, Reason
from makerside.venues.hyperliquid import render
from makerside.venues.hyperliquid import wire_actions as wire
from makerside.venues.hyperliquid import wire_frames as frames
from makerside.venues.hyperliquid.cloid import cloid_text
from makerside.venues.hyperliquid.codec import to_json
from makerside.venues.hyperliquid.posts import POSTS_MAX, PostKind, SentOrder, sent_order
from makerside.venues.hyperliquid.session import PING_FRAME, Feeds, Session

NOW_NS = 1_758_800_001_000_000_000
USER = "0x" + "5e" * 20
T = 1_758_800_000_123
A, B = SentOrder(77, 0, 837_570, 120, 0), SentOrder(78, 1, 200_000, 30, int(Flag.SELL))
IOC = SentOrder(79, 0, 837_570, 120, int(Flag.IOC))


def subscribed(frame_list):
    return [json.loads(frame)["subscription"] for frame in frame_list]


def test_opening_frames(session, universe):
    found = subscribed(session.opening_frames())
    assert found[:2] == [{"type": "orderUpdates", "user": USER}, {"type": "userFills", "user": USER}]
    assert found[2:5] == [
        {"type": "l2Book", "coin": "BTC", "fast": True},
        {"type": "bbo", "coin": "BTC"},
        {"type": "trades", "coin": "BTC"},
    ]
    assert len(found) == 2 + 3 * 4
    assert PING_FRAME == b'{"method":"ping"}'


def test_market_data_only_asks_for_no_user_channel(universe):
    session = Session(universe, [universe.instrument("BTC")], feeds=Feeds(prices=True, trades=False))
    kinds = [item["type"] for item in subscribed(session.opening_frames())]
    assert kinds == ["l2Book", "bbo", "activeAssetCtx"]


def test_a_deep_book_is_a_choice(universe):
    session = Session(universe, [universe.instrument("BTC")], feeds=Feeds(is_book_fast=False))
    assert subscribed(session.opening_frames())[0] == {"type": "l2Book", "coin": "BTC"}


def test_prints_from_before_the_connection_are_left_out(session, feed, btc):
    users = ("0x" + "0" * 40, "0x" + "1" * 40)

    def prints(*times_ms: int) -> bytes:
        told = tuple(render.trade(btc, time_ms, True, 837_570, 1, 17, users) for time_ms in times_ms)
        return to_json(frames.TradesFrame(told))

    assert [row[5] for row in feed(prints(T - 50_000, T - 5_000, T))] == [T - 5_000, T]
    feed(to_json(render.bbo_frame(btc, T + 60_000, None, None)))
    assert feed(prints(T, T + 1)) == []
    assert session.statistics().n_old_trades == 3
    session.trade_age_ms_max = 1_000_000
    assert len(feed(prints(T, T + 1))) == 2


def test_a_wrong_clock_does_not_last(session, feed, btc):
    users = ("0x" + "0" * 40, "0x" + "1" * 40)
    feed(to_json(render.bbo_frame(btc, T + 10**9, None, None)))
    feed(to_json(render.bbo_frame(btc, T, None, None)))
    print_now = frames.TradesFrame((render.trade(btc, T, True, 837_570, 1, 17, users),))
    assert len(feed(to_json(print_now))) == 1


def test_an_instrument_must_exist(universe, btc):
    with pytest.raises(ConfigError, match="asset id 5"):
        Session(universe, [dataclasses.replace(btc, venue_id=5)])
    with pytest.raises(ConfigError, match="ZZZ is not traded"):
        Session(universe, [dataclasses.replace(btc, symbol="ZZZ")])


def test_confirmations(session, feed):
    opening = session.opening_frames()
    assert not session.is_subscribed
    for data in opening[:-1]:
        assert feed(frames.echo(frames.decode_command(data))) == []
    assert not session.is_subscribed
    last = frames.decode_command(opening[-1]).subscription
    feed(to_json(frames.ErrorFrame(frames.subscription_error_text("Already subscribed", last))))
    assert session.is_subscribed
    assert session.statistics().n_venue_errors == 0
    feed(to_json(frames.ErrorFrame("Cannot track more than 10 total users.")))
    assert session.statistics().n_venue_errors == 1
    assert session.statistics().errors[-1] == "Cannot track more than 10 total users."


# Answers to posts. status or result -> rows as (kind, client id, reason, venue id, size)

OK = wire.accepted


@pytest.fixture
def take(session, buffer, rows_of):
    """Return a function that feeds the answer to post 256 and gives what it says about each order."""

    def run(result: Any) -> list[tuple[Any, ...]]:
        data = to_json(frames.PostFrame(frames.PostAnswer(256, result)))
        rows = rows_of(buffer, session.on_frame(data, NOW_NS, buffer))
        lasts = [row[4].startswith("LAST") for row in rows]
        assert lasts == [False] * (len(rows) - 1) + [True] * bool(rows)
        return [(row[0], row[6][0], Reason(row[6][2]).name, row[6][1], row[3]) for row in rows]

    return run


@pytest.fixture
def answered(session, take):
    """Return a function that posts a request under id 256 and feeds its answer."""

    def run(result: Any, kind=PostKind.PLACE, orders=(A, B), **more: Any) -> list[tuple[Any, ...]]:
        session.expect(256, kind, orders, **more)
        return take(result)

    return run


def action(payload: Any) -> frames.ActionResult:
    return frames.ActionResult(payload)


ERROR = wire.Status(error="Post only order would have immediately matched, bbo was 1@2. asset=1")
RESTING = wire.Status(resting=wire.Resting(191))
PLACES = [
    ("rests and refused", OK("order", [RESTING, ERROR]),
     [("ORDER_ACK", 77, "NONE", 191, 120), ("ORDER_REJECT", 78, "POST_ONLY_WOULD_TAKE", 0, 30)]),
    ("filled is left to the stream", OK("order", [wire.Status(filled=wire.Filled("1", "2", 5)), RESTING]),
     [("ORDER_ACK", 78, "NONE", 191, 30)]),
    ("one error for the whole batch", OK("order", [wire.Status(error="Order price cannot be more than 80%")]),
     [("ORDER_REJECT", 77, "ORACLE_BAND", 0, 120), ("ORDER_REJECT", 78, "ORACLE_BAND", 0, 30)]),
    ("one success for two orders says nothing", OK("order", [RESTING]), None),
    ("children", OK("order", ["waitingForFill", "waitingForTrigger"]), []),
    ("no statuses", wire.DEFAULT, None),
    ("refused as a whole", wire.Refused("User or API Wallet 0x12 does not exist."),
     [("ORDER_REJECT", 77, "AUTHORISATION", 0, 120), ("ORDER_REJECT", 78, "AUTHORISATION", 0, 30)]),
    ("budget", wire.Refused("Too many cumulative requests sent (2 > 1) for ..."),
     [("ORDER_REJECT", 77, "RATE_LIMIT", 0, 120), ("ORDER_REJECT", 78, "RATE_LIMIT", 0, 30)]),
    ("a refused nonce may have been used by the same bytes",
     wire.Refused("Invalid nonce: duplicate nonce 5"), None),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "rows"), [line[1:] for line in PLACES], ids=[line[0] for line in PLACES])
def test_answer_to_orders(session, answered, payload, rows):
    assert answered(action(payload)) == (rows or [])
    assert session.statistics().n_open_posts == (1 if rows is None else 0)


LATE = wire.Status(error="Order was never placed, already canceled, or filled. asset=0")
CANCELS = [
    ("done and too late", OK("cancel", ["success", LATE]), [("CANCEL_TOO_LATE", 78, "OTHER", 0, 30)]),
    ("refused", OK("cancel", [wire.Status(error="Cannot cancel a trigger order fast"), "success"]),
     [("CANCEL_REFUSED", 77, "OTHER", 0, 120)]),
    ("refused as a whole", wire.Refused("Signed action over weight limit of 200."),
     [("CANCEL_REFUSED", 77, "RATE_LIMIT", 0, 120), ("CANCEL_REFUSED", 78, "RATE_LIMIT", 0, 30)]),
    ("duplicate nonce", wire.Refused("Invalid nonce: duplicate nonce 5"), []),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "rows"), [line[1:] for line in CANCELS], ids=[line[0] for line in CANCELS])
def test_answer_to_cancels(answered, payload, rows):
    assert answered(action(payload), PostKind.CANCEL) == rows


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("422 Unprocessable Entity: x", "OTHER"),
        ("429 Too Many Requests", "RATE_LIMIT"),
        ("502 Bad Gateway", None),
        ("what", None),
    ],
)
def test_answer_of_the_front(answered, text, reason):
    rows = answered(frames.ErrorResult(text))
    assert [row[2] for row in rows] == ([reason] * 2 if reason else [])


def test_a_resent_request_that_is_refused_may_have_been_executed(session, answered):
    refused = action(wire.Refused("User or API Wallet 0x12 does not exist."))
    assert answered(refused, is_resend=True) == []
    assert session.statistics().n_open_posts == 1


def test_the_rest_of_an_ioc_ends_silently(session, answered):
    part = OK("order", [wire.Status(filled=wire.Filled("0.0005", "83757.0", 5))])
    assert answered(action(part), orders=(IOC,)) == [("ORDER_CANCELED", 79, "NO_MATCH", 5, 70)]
    whole = OK("order", [wire.Status(filled=wire.Filled("0.0012", "83757.0", 5))])
    assert answered(action(whole), orders=(IOC,)) == []
    bad = OK("order", [wire.Status(filled=wire.Filled("0.00000001", "83757.0", 5))])
    assert answered(action(bad), orders=(IOC,)) == []
    assert session.statistics().n_private_lost == 1


def stream(universe, identity, status, left=20, symbol="BTC") -> bytes:
    instrument = universe.instrument(symbol)
    order = render.open_order(instrument, True, 837_570, left, 120, 191, T - 5, cloid_text(identity))
    return to_json(frames.OrderUpdatesFrame((render.order_update(order, status, T),)))


@pytest.mark.parametrize(("status", "answer"), [("open", RESTING), ("badAloPxRejected", ERROR)])
def test_the_stream_knows_better_than_a_late_answer(session, take, feed, universe, status, answer):
    """Fills and updates overtake answers (nautilus_trader#4076): the answer must not undo them."""
    session.expect(256, PostKind.PLACE, (A,))
    assert len(feed(stream(universe, 77, status))) == 1
    assert take(action(OK("order", [answer]))) == []


def test_a_cancel_error_is_told_even_after_the_stream(session, take, feed, universe):
    session.expect(256, PostKind.CANCEL, (A,))
    feed(stream(universe, 77, "canceled"))
    assert take(action(OK("cancel", [LATE])))[0][0] == "CANCEL_TOO_LATE"


def test_an_answer_is_later_than_what_was_seen_at_sending(session, buffer, feed, universe, btc):
    session.expect(255, PostKind.PLACE, (A,))
    feed(to_json(render.bbo_frame(btc, T, (1, 1), (2, 1))))
    session.expect(256, PostKind.PLACE, (B,))
    result = action(OK("order", [RESTING]))
    buffer_rows = []
    for post_id in (255, 256):
        session.on_post_response(post_id, result, NOW_NS, buffer)
        buffer_rows.append(int.from_bytes(buffer[:8], "little"))
    assert buffer_rows == [0, T * 1_000_000 + 1]


def test_answers_of_other_requests_are_kept_for_the_client(session, answered):
    info = frames.InfoResult(frames.InfoPayload("l2Book", frames.msgspec.Raw(b"null")))
    assert answered(info, PostKind.INFO, ()) == []
    assert bytes(session.take_answer(256).payload.data) == b"null"
    assert session.take_answer(256) is None
    assert answered(action(wire.DEFAULT), PostKind.OTHER, ()) == []
    assert session.take_answer(256).payload == wire.DEFAULT


def test_unmatched_and_forgotten_answers(session, take):
    assert take(action(OK("order", [RESTING]))) == []
    session.expect(256, PostKind.PLACE, (A,))
    session.forget(256)
    assert take(action(OK("order", [RESTING]))) == []
    assert session.statistics().n_unmatched_posts == 2


def test_the_table_of_posts_is_bounded(session, buffer):
    for post_id in range(1_000, 1_000 + POSTS_MAX + 1):
        session.expect(post_id, PostKind.PLACE, (A,))
    assert session.statistics().n_dropped_posts == 1
    assert session.on_post_response(1_000, action(OK("order", [RESTING])), NOW_NS, buffer) == 0
    for post_id in range(2_000, 2_300):
        session.expect(post_id, PostKind.INFO)
        session.on_post_response(post_id, frames.ErrorResult("429"), NOW_NS, buffer)
    assert session.take_answer(2_000) is None
    assert session.take_answer(2_299) is not None


def test_sent_order_of_an_action_row():
    row = np.zeros(1, action_t)
    row["client_order_id"], row["instrument"], row["price_ticks"], row["size_lots"] = 77, 2, 5, 6
    row["kind"], row["flags"] = ActionKind.PLACE, Flag.SELL | Flag.POST_ONLY | Flag.IOC
    assert sent_order(row[0]) == SentOrder(77, 2, 5, 6, Flag.SELL | Flag.IOC)


def test_disconnect(session, buffer, rows_of):
    session.expect(256, PostKind.PLACE, (A,))
    rows = rows_of(buffer, session.on_disconnect(NOW_NS, buffer))
    assert [row[:5] for row in rows] == [("GAP", i, 0, 0, "LAST") for i in range(4)]
    assert session.on_post_response(256, action(wire.DEFAULT), NOW_NS, buffer) == 0


def test_snapshot_fills_since(session, buffer, feed, btc):
    def frame(is_snapshot: bool) -> bytes:
        told = tuple(render.fill(btc, T + i, True, 837_570, 1, 0, 0, 9, 100 + i, False, 0) for i in (3, 2, 1))
        return to_json(
            frames.UserFillsFrame(frames.UserFills(USER.upper().replace("X", "x"), told, is_snapshot))
        )

    assert feed(frame(is_snapshot=True)) == []
    session.snapshot_since_ms = T + 2
    rows = feed(frame(is_snapshot=True))
    assert [row[6][2] for row in rows] == [102, 103]  # oldest first
    assert [row[4] for row in rows] == ["", "LAST"]
    assert session.statistics().n_old_fills == 4
    assert len(feed(frame(is_snapshot=False))) == 3


def test_fundings(session, feed, universe):
    item = {"time": T, "coin": "BTC", "usdc": "0.145796", "szi": "4.0", "fundingRate": "0.1", "nSamples": 3}
    data = {"user": USER, "isSnapshot": True, "fundings": [item]}
    assert feed(json.dumps({"channel": "userFundings", "data": data}).encode()) == []
    del data["isSnapshot"]
    rows = feed(json.dumps({"channel": "userFundings", "data": data}).encode())
    assert rows == [("FUNDING", 0, 0, 0, "LAST", T, (0, 14_579_600, 0, 0))]


def test_a_spot_buyers_fee_is_valued_in_the_quote(session, feed, universe):
    hype = universe.instrument("@107")
    fill = render.fill(hype, T, True, 38_100_000, 150, 0, 0, 9, 100, True, 0)
    told = frames.msgspec.structs.replace(fill, fee="0.00105", fee_token="HYPE")
    rows = feed(to_json(frames.UserFillsFrame(frames.UserFills(USER, (told,)))))
    assert rows[0][6][3] == 4_000_500  # 0.00105 x 38.1


def test_silent_books(session, feed, btc):
    session.opening_frames(now_ns=NOW_NS)
    assert session.silent_books(NOW_NS + 10, limit_ns=10) == []
    feed(to_json(render.book_frame(btc, T, [], [], True)))
    assert session.silent_books(NOW_NS + 11, limit_ns=10) == ["BTC", "ETH", "kPEPE", "@107"]
    session.last_message_ns["l2Book BTC"] = NOW_NS + 5
    assert session.silent_books(NOW_NS + 11, limit_ns=10) == ["ETH", "kPEPE", "@107"]
    feed(b'{"channel":"pong"}')
    assert session.last_message_ns["pong"] == NOW_NS


FIXED = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@given(st.binary(max_size=200))
@FIXED
def test_any_bytes(session, buffer, data):
    assert session.on_frame(data, NOW_NS, buffer) == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)

prices = st.integers(1, 2_000_000_000)
sizes = st.integers(0, 10**15)
side_of_book = st.lists(st.tuples(prices, sizes), max_size=20)


@given(side_of_book, side_of_book, st.integers(0, 10**12))
@FIXED
def test_any_book_comes_back(session, buffer, btc, rows_of, bids, asks, time_ms):
    data = to_json(render.book_frame(btc, time_ms, bids, asks, is_fast=True))
    rows = rows_of(buffer, session.on_frame(data, NOW_NS, buffer))
    assert [row[2:4] for row in rows] == (bids + asks or [(0, 0)])
    assert [("SELL" in row[4]) for row in rows] == ([False] * len(bids) + [True] * len(asks) or [False])
    assert [row[4].startswith("LAST") for row in rows] == [False] * (len(rows) - 1) + [True]
    assert {row[5] for row in rows} == {time_ms}
    assert Kind[rows[0][0]] == Kind.SNAPSHOT
