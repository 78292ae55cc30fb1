"""Golden table: (message, bytes, rows) of every frame that gives rows, in both directions.

The local exchange renders the message from ticks and lots, the codec writes the bytes, the session
reads them into rows. Bytes are hand-written after the shapes of the notes (section 4), short ones.
"""

import json
from typing import Any, NamedTuple

import msgspec
import pytest

from makerside.model.event import Kind, Reason
from makerside.model.order import client_order_id
from makerside.venues.hyperliquid import render
from makerside.venues.hyperliquid import wire_frames as frames
from makerside.venues.hyperliquid.cloid import cloid_text
from makerside.venues.hyperliquid.codec import to_json
from makerside.venues.hyperliquid.reasons import order_status
from makerside.venues.hyperliquid.wire_account import Funding
from makerside.venues.hyperliquid.wire_market import AssetContext, AssetContextOf

USER = "0x" + "5e" * 20
T = 1_758_800_000_123  # ms
OURS = client_order_id(bot=3, epoch=1, counter=2, slot=4)
CLOID = cloid_text(OURS)
STRANGER = "0x0000000000000000000000000000abcd"
NOBODY = ("0x" + "0" * 40, "0x" + "1" * 40)


class Golden(NamedTuple):
    name: str
    message: Any  # a function of the universe
    text: str
    rows: list[tuple[Any, ...]]


def trades(*items: Any) -> Any:
    return lambda u: frames.TradesFrame(
        tuple(render.trade(u.instrument(symbol), T, *rest, NOBODY) for symbol, *rest in items)
    )


def updates(*items: tuple[str, bool, int, int, int, str, str | None]) -> Any:
    """symbol, is_buy, price, open, original, status, cloid"""

    def make(universe: Any) -> frames.OrderUpdatesFrame:
        found = []
        for symbol, is_buy, price, left, size, status, cloid in items:
            order = render.open_order(
                universe.instrument(symbol), is_buy, price, left, size, 191, T - 500, cloid
            )
            found.append(render.order_update(order, status, T))
        return frames.OrderUpdatesFrame(tuple(found))

    return make


def fills(is_snapshot: bool = False, **change: Any) -> Any:
    facts: dict[str, Any] = {
        "time_ms": T,
        "is_buy": False,
        "price_ticks": 837_570,
        "size_lots": 120,
        "position_lots": 120,
        "closed_pnl_e8": 0,
        "oid": 191,
        "trade_id": 118906512037719,
        "is_taker": False,
        "fee_e8": 1_507_600,
        "cloid": CLOID,
    }
    return lambda u: frames.UserFillsFrame(
        frames.UserFills(USER, (render.fill(u.instrument("BTC"), **{**facts, **change}),), is_snapshot)
    )


CONTEXT = AssetContext(
    funding="0.0000125",
    open_interest="39338.76246",
    prev_day_price="84120.0",
    day_notional_volume="2310984512.55",
    oracle_price="83777.0",
    mark_price="83757.5",
    premium=None,
)
ZERO_HASH = "0x" + 64 * "0"
TRADE_TEXT = (
    '{{"coin":"{coin}","side":"{side}","px":"{px}","sz":"{sz}","time":1758800000123,'
    f'"hash":"{ZERO_HASH}","tid":{{tid}},"users":["0x{"0" * 40}","0x{"1" * 40}"]}}}}'
)
UPDATE_TEXT = (
    '{{"order":{{"coin":"{coin}","side":"{side}","limitPx":"{px}","sz":"{sz}","oid":191,'
    '"timestamp":1758799999623,"origSz":"{orig}"{cloid}}},"status":"{status}",'
    '"statusTimestamp":1758800000123}}'
)
FILL_TEXT = (
    '{{"channel":"userFills","data":{{"user":"0x' + "5e" * 20 + '","fills":[{{"coin":"BTC","px":"83757.0",'
    '"sz":"0.0012","side":"A","time":1758800000123,"startPosition":"{start}","dir":"{dir}","closedPnl":"0.0",'
    '"hash":"' + ZERO_HASH + '","oid":191,"crossed":{crossed},"fee":"{fee}","tid":118906512037719,'
    '"feeToken":"USDC","twapId":null{cloid}}}]{snapshot}}}}}'
)
C = f',"cloid":"{CLOID}"'


def update_text(*, coin="BTC", side="B", px="83757.0", sz="0.0012", orig="0.0012", status="open", cloid=C):
    item = UPDATE_TEXT.format(coin=coin, side=side, px=px, sz=sz, orig=orig, status=status, cloid=cloid)
    return '{"channel":"orderUpdates","data":[' + item + "]}"


def order_row(kind, size, reason=Reason.NONE, flags="LAST", identity=OURS):
    return (kind.name, 0, 837_570, size, flags, T, (identity, 191, int(reason), 0))


def ended(status: str, kind: Kind, reason: Reason, left: int = 120, sz: str = "0.0012") -> Golden:
    assert order_status(kind, reason) == status
    return Golden(
        status,
        updates(("BTC", True, 837_570, left, 120, status, CLOID)),
        update_text(status=status, sz=sz),
        [order_row(kind, left, reason)],
    )


TABLE = [
    Golden(
        "book",
        lambda u: render.book_frame(
            u.instrument("BTC"), T, [(837_570, 2_261_305), (837_560, 1)], [(837_580, 50_000)], is_fast=True
        ),
        '{"channel":"l2Book","data":{"coin":"BTC","time":1758800000123,"levels":[[{"px":"83757.0","sz":"22.61305",'
        '"n":1},{"px":"83756.0","sz":"0.00001","n":1}],[{"px":"83758.0","sz":"0.5","n":1}]],"fast":true}}',
        [
            ("SNAPSHOT", 0, 837_570, 2_261_305, "", T),
            ("SNAPSHOT", 0, 837_560, 1, "", T),
            ("SNAPSHOT", 0, 837_580, 50_000, "LAST|SELL", T),
        ],
    ),
    Golden(
        "book with bids only, small prices",
        lambda u: render.book_frame(u.instrument("kPEPE"), T, [(2_500, 7), (999, 100)], [], is_fast=False),
        '{"channel":"l2Book","data":{"coin":"kPEPE","time":1758800000123,"levels":'
        '[[{"px":"0.0025","sz":"7.0","n":1},{"px":"0.000999","sz":"100.0","n":1}],[]]}}',
        [("SNAPSHOT", 2, 2_500, 7, "", T), ("SNAPSHOT", 2, 999, 100, "LAST", T)],
    ),
    Golden(
        "empty book",
        lambda u: render.book_frame(u.instrument("ETH"), T, [], [], is_fast=False),
        '{"channel":"l2Book","data":{"coin":"ETH","time":1758800000123,"levels":[[],[]]}}',
        [("SNAPSHOT", 1, 0, 0, "LAST", T)],
    ),
    Golden(
        "bbo",
        lambda u: render.bbo_frame(u.instrument("BTC"), T, (1_180_000, 3), (1_180_010, 4)),
        '{"channel":"bbo","data":{"coin":"BTC","time":1758800000123,"bbo":'
        '[{"px":"118000.0","sz":"0.00003","n":1},{"px":"118001.0","sz":"0.00004","n":1}]}}',
        [("BBO", 0, 1_180_000, 3, "", T), ("BBO", 0, 1_180_010, 4, "LAST|SELL", T)],
    ),
    Golden(
        "bbo with an empty side",
        lambda u: render.bbo_frame(u.instrument("BTC"), T, None, (837_580, 4)),
        '{"channel":"bbo","data":{"coin":"BTC","time":1758800000123,"bbo":[null,{"px":"83758.0","sz":"0.00004","n":1}]}}',
        [("BBO", 0, 0, 0, "", T), ("BBO", 0, 837_580, 4, "LAST|SELL", T)],
    ),
    Golden(
        "trades: the seller and the buyer as aggressor",
        trades(("BTC", False, 837_570, 1_000, 17), ("BTC", True, 837_580, 2, 18)),
        '{"channel":"trades","data":['
        + TRADE_TEXT.format(coin="BTC", side="A", px="83757.0", sz="0.01", tid=17)
        + ","
        + TRADE_TEXT.format(coin="BTC", side="B", px="83758.0", sz="0.00002", tid=18)
        + "]}",
        [("TRADE", 0, 837_570, 1_000, "SELL", T), ("TRADE", 0, 837_580, 2, "LAST", T)],
    ),
    Golden(
        "trades of two coins in one frame are closed one by one",
        trades(("BTC", False, 837_570, 1, 17), ("ETH", True, 200_000, 2, 18)),
        '{"channel":"trades","data":['
        + TRADE_TEXT.format(coin="BTC", side="A", px="83757.0", sz="0.00001", tid=17)
        + ","
        + TRADE_TEXT.format(coin="ETH", side="B", px="2000.0", sz="0.0002", tid=18)
        + "]}",
        [("TRADE", 0, 837_570, 1, "LAST|SELL", T), ("TRADE", 1, 200_000, 2, "LAST", T)],
    ),
    Golden(
        "order rests",
        updates(("BTC", True, 837_570, 120, 120, "open", CLOID)),
        update_text(),
        [order_row(Kind.ORDER_ACK, 120)],
    ),
    Golden(
        "a stranger's order, sold, partly filled",
        updates(("BTC", False, 837_570, 20, 120, "open", STRANGER)),
        update_text(side="A", sz="0.0002", cloid=f',"cloid":"{STRANGER}"'),
        [order_row(Kind.ORDER_ACK, 20, flags="LAST|SELL", identity=0)],
    ),
    Golden(
        "filled",
        updates(("BTC", True, 837_570, 0, 120, "filled", None)),
        update_text(status="filled", sz="0.0", cloid=""),
        [order_row(Kind.ORDER_FILLED, 0, identity=0)],
    ),
    Golden(
        "an IOC that filled in part",
        updates(("BTC", True, 837_570, 70, 120, "filled", CLOID)),
        update_text(status="filled", sz="0.0007"),
        [order_row(Kind.ORDER_CANCELED, 70, Reason.NO_MATCH)],
    ),
    ended("canceled", Kind.ORDER_CANCELED, Reason.USER),
    ended("marginCanceled", Kind.ORDER_CANCELED, Reason.MARGIN),
    ended("scheduledCancel", Kind.ORDER_CANCELED, Reason.SCHEDULED),
    ended("liquidatedCanceled", Kind.ORDER_CANCELED, Reason.LIQUIDATION),
    ended("reduceOnlyCanceled", Kind.ORDER_CANCELED, Reason.REDUCE_ONLY, 7, "0.00007"),
    ended("selfTradeCanceled", Kind.ORDER_SELF_TRADE, Reason.SELF_TRADE),
    ended("badAloPxRejected", Kind.ORDER_REJECT, Reason.POST_ONLY_WOULD_TAKE),
    ended("tickRejected", Kind.ORDER_REJECT, Reason.TICK),
    ended("minTradeNtlRejected", Kind.ORDER_REJECT, Reason.MIN_NOTIONAL),
    ended("perpMarginRejected", Kind.ORDER_REJECT, Reason.MARGIN),
    ended("iocCancelRejected", Kind.ORDER_REJECT, Reason.NO_MATCH),
    Golden(
        "fill as maker, closing",
        fills(),
        FILL_TEXT.format(
            start="0.0012", dir="Close Long", crossed="false", fee="0.015076", cloid=C, snapshot=""
        ),
        [("FILL", 0, 837_570, 120, "LAST|SELL", T, (OURS, 191, 118906512037719, 1_507_600))],
    ),
    Golden(
        "fill as taker with a rebate, flipping, not ours",
        fills(is_taker=True, fee_e8=-100, position_lots=20, cloid=None),
        FILL_TEXT.format(
            start="0.0002", dir="Long > Short", crossed="true", fee="-0.000001", cloid="", snapshot=""
        ),
        [("FILL", 0, 837_570, 120, "LAST|SELL|TAKER", T, (0, 191, 118906512037719, -100))],
    ),
    Golden(
        "snapshot of fills: left out until asked for",
        fills(is_snapshot=True),
        FILL_TEXT.format(
            start="0.0012",
            dir="Close Long",
            crossed="false",
            fee="0.015076",
            cloid=C,
            snapshot=',"isSnapshot":true',
        ),
        [],
    ),
    Golden(
        "mark and oracle price",
        lambda u: frames.AssetContextFrame(AssetContextOf(coin="BTC", context=CONTEXT)),
        '{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"funding":"0.0000125","openInterest":"39338.76246",'
        '"prevDayPx":"84120.0","dayNtlVlm":"2310984512.55","oraclePx":"83777.0","markPx":"83757.5","premium":null}}}',
        [("PRICES", 0, 0, 12_500_000, "LAST|RATE", 0, (-1, 0, 8_375_750_000_000, 8_377_700_000_000))],
    ),
    Golden(
        "funding paid",
        lambda u: frames.UserFrame(
            frames.UserEvents(
                funding=Funding(
                    time=T, coin="ETH", usdc="-1.25", position="3.5", funding_rate="0.0001", n_samples=None
                )
            )
        ),
        '{"channel":"user","data":{"funding":{"time":1758800000123,"coin":"ETH","usdc":"-1.25","szi":"3.5",'
        '"fundingRate":"0.0001","nSamples":null}}}',
        [("FUNDING", 1, 0, 0, "LAST", T, (0, -125_000_000, 0, 0))],
    ),
    Golden(
        "cancelled by the venue: told by the order stream too",
        lambda u: frames.UserFrame(
            frames.UserEvents(non_user_cancel=(frames.CanceledByVenue(coin="BTC", oid=7),))
        ),
        '{"channel":"user","data":{"nonUserCancel":[{"coin":"BTC","oid":7}]}}',
        [],
    ),
    Golden("pong", lambda u: frames.PongFrame(), '{"channel":"pong"}', []),
    Golden(
        "mids",
        lambda u: frames.AllMidsFrame(frames.AllMids(mids={"BTC": "83757.5", "@107": "38.1"})),
        '{"channel":"allMids","data":{"mids":{"BTC":"83757.5","@107":"38.1"}}}',
        [],
    ),
]


@pytest.mark.parametrize("golden", TABLE, ids=[golden.name for golden in TABLE])
def test_message_to_bytes(golden, universe):
    message = golden.message(universe)
    assert to_json(message).decode() == golden.text
    assert frames.decode_frame(golden.text.encode()) == message


@pytest.mark.parametrize("golden", TABLE, ids=[golden.name for golden in TABLE])
def test_bytes_to_rows(golden, feed, session):
    assert feed(golden.text.encode()) == golden.rows
    assert session.statistics().n_malformed == 0


@pytest.mark.parametrize("golden", TABLE, ids=[golden.name for golden in TABLE])
def test_key_order_unknown_fields_and_buffers_do_not_matter(golden, feed):
    """Real frames have their keys sorted in some channels; new fields appear without notice."""
    message = json.loads(golden.text)
    if isinstance(message.get("data"), dict):
        message["data"]["brandNew"] = {"x": [1, None]}
    data = json.dumps(dict(sorted(message.items(), reverse=True)), indent=1).encode()
    assert feed(data) == golden.rows
    assert feed(memoryview(bytearray(data))) == golden.rows


# Frames from the client: text, struct.
COMMANDS = [
    (
        '{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC","fast":true}}',
        frames.Subscribe(frames.Subscription(kind="l2Book", coin="BTC", is_fast=True)),
    ),
    (
        '{"method":"unsubscribe","subscription":{"type":"l2Book","coin":"BTC","nSigFigs":5,"mantissa":2}}',
        frames.Unsubscribe(frames.Subscription(kind="l2Book", coin="BTC", significant_figures=5, mantissa=2)),
    ),
    (
        '{"method":"subscribe","subscription":{"type":"userFills","user":"0xAB","aggregateByTime":true}}',
        frames.Subscribe(frames.Subscription(kind="userFills", user="0xAB", aggregate_by_time=True)),
    ),
    ('{"method":"ping"}', frames.Ping()),
    (
        '{"method":"post","id":256,"request":{"type":"info","payload":{"type":"meta"}}}',
        frames.Post(256, frames.PostBody("info", msgspec.Raw(b'{"type":"meta"}'))),
    ),
]


@pytest.mark.parametrize(("text", "command"), COMMANDS)
def test_commands(text, command):
    assert to_json(command).decode() == text
    found = frames.decode_command(text.encode())
    assert type(found) is type(command)
    assert to_json(found).decode() == text


def test_post_frame_is_the_rest_body():
    body = b'{"type":"meta"}'
    assert frames.encode_post(256, "info", body).decode() == COMMANDS[-1][0]


ANSWERS = [
    '{"channel":"post","data":{"id":257,"response":{"type":"action","payload":{"status":"ok","response":'
    '{"type":"order","data":{"statuses":[{"resting":{"oid":77738308,"cloid":"' + CLOID + '"}},'
    '{"filled":{"totalSz":"0.02","avgPx":"1891.4","oid":77747314}},'
    '{"error":"Order must have minimum value of $10. asset=0"},"waitingForFill"]}}}}}}',
    '{"channel":"post","data":{"id":1,"response":{"type":"action","payload":{"status":"err","response":"no"}}}}',
    '{"channel":"post","data":{"id":1,"response":{"type":"action","payload":{"status":"ok","response":'
    '{"type":"default"}}}}}',
    '{"channel":"post","data":{"id":1,"response":{"type":"info","payload":{"type":"l2Book","data":null}}}}',
    '{"channel":"post","data":{"id":1,"response":{"type":"error","payload":"422 Unprocessable Entity: x"}}}',
    '{"channel":"error","data":"Cannot track more than 10 total users."}',
]


@pytest.mark.parametrize("text", ANSWERS)
def test_answers_both_ways(text):
    assert to_json(frames.decode_frame(text.encode())).decode() == text


def test_subscription_echo_is_recognised():
    sent = frames.Subscribe(frames.Subscription(kind="l2Book", coin="BTC", is_fast=True))
    echo = frames.decode_frame(frames.echo(sent))
    assert frames.echo(sent).decode() == (
        '{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":'
        '{"nSigFigs":null,"mantissa":null,"type":"l2Book","coin":"BTC","fast":true}}}'
    )
    assert echo.data.subscription.key() == sent.subscription.key()
    other = frames.Subscription(kind="l2Book", coin="BTC")
    assert other.key() != sent.subscription.key()
