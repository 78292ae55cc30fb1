"""Actions and info requests at the door of the server: what is taken, what is answered with 422."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makerside.model.event import Flag
from makerside.model.units import BUY, SELL
from makerside.venues.hyperliquid import wire_actions as wire
from makerside.venues.hyperliquid import wire_frames as frames
from makerside.venues.hyperliquid import wire_info as info
from makerside.venues.hyperliquid.cloid import cloid_text
from makerside.venues.hyperliquid.codec import Malformed, to_json
from makerside.venues.hyperliquid.signer import Signer, pack

SIGNER = Signer(b"\x01" * 32)
SIGNATURE = SIGNER.sign_action({"type": "noop"}, 5)
USER = "0x" + "5e" * 20
ORDER = {"a": 1, "b": True, "p": "100", "s": "0.5", "r": False, "t": {"limit": {"tif": "Alo"}}}
PLACE = {"type": "order", "orders": [ORDER], "grouping": "na"}


def body(action: Any, **change: Any) -> bytes:
    signature = {"r": SIGNATURE.r, "s": SIGNATURE.s, "v": SIGNATURE.v}
    return json.dumps({"action": action, "nonce": 5, "signature": signature, **change}).encode()


def test_both_envelopes_are_read():
    """The SDK sends the last two keys as null, other clients leave them out."""
    bare = wire.decode_exchange(body(PLACE))
    full = wire.decode_exchange(body(PLACE, vaultAddress=None, expiresAfter=None))
    assert bare == full
    found = wire.decode_exchange(body(PLACE, vaultAddress=USER, expiresAfter=9))
    assert (found.vault, found.expires_after_ms, found.nonce) == (USER, 9, 5)
    assert found.action.orders[0].price == "100"
    assert found.received == PLACE


def test_what_we_send_is_what_we_read(btc):
    order = wire.limit_order(btc, SELL, 837_570, 120, Flag.POST_ONLY | Flag.REDUCE_ONLY, 77)
    action = wire.place_orders([order])
    data = wire.encode_exchange(action, 5, SIGNATURE, USER, 9)
    assert json.loads(data) == {
        "action": {
            "type": "order",
            "orders": [
                {
                    "a": 0,
                    "b": False,
                    "p": "83757",
                    "s": "0.0012",
                    "r": True,
                    "t": {"limit": {"tif": "Alo"}},
                    "c": cloid_text(77),
                }
            ],
            "grouping": "na",
        },
        "nonce": 5,
        "signature": {"r": SIGNATURE.r, "s": SIGNATURE.s, "v": SIGNATURE.v},
        "vaultAddress": USER,
        "expiresAfter": 9,
    }
    assert wire.decode_exchange(data).action == action


@pytest.mark.parametrize(
    ("flags", "tif"),
    [(Flag.POST_ONLY, "Alo"), (Flag.IOC, "Ioc"), (0, "Gtc"), (Flag.POST_ONLY | Flag.IOC, "Alo")],
)
def test_time_in_force(btc, flags, tif):
    assert wire.limit_order(btc, BUY, 837_570, 1, flags, 0).kind.limit.tif == tif
    assert wire.limit_order(btc, BUY, 837_570, 1, flags, 0).cloid is None


def test_cancels(btc):
    plain = to_json(wire.cancel_orders([(btc, 77)]))
    assert json.loads(plain) == {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": cloid_text(77)}]}
    assert json.loads(to_json(wire.cancel_orders([(btc, 77)], is_fast=True)))["f"] is True


def test_batches_are_bounded(btc):
    with pytest.raises(AssertionError):
        wire.cancel_orders([(btc, 77)] * (wire.ORDERS_PER_ACTION_MAX + 1))
    with pytest.raises(AssertionError):
        wire.place_orders([])


def changed(**change: Any) -> dict[str, Any]:
    return {**PLACE, "orders": [{**ORDER, **change}]}


BAD_BODIES = [
    b"",
    b"{}",
    b"[]",
    b"\xff",
    body(PLACE, nonce=-1),
    body(PLACE, nonce="5"),
    body(PLACE, nonce=1 << 70),
    body(PLACE, vaultAddress="0x12"),
    body(PLACE, signature={"r": "0x1", "s": "0x2", "v": 5}),
    body(PLACE, signature={"r": "0x" + "1" * 65, "s": "0x2", "v": 27}),
    body(PLACE, signature={"r": "1", "s": "0x2", "v": 27}),
    body([]),
    body({"type": "orders"}),
    body({"orders": [], "grouping": "na"}),
    body({"type": "order"}),
    body({**PLACE, "grouping": "x"}),
    body(changed(p=100)),
    body(changed(p="1e5")),
    body(changed(p="")),
    body(changed(p="1\n")),
    body(changed(p=" 1")),
    body(changed(s="NaN")),
    body(changed(s="9" * 25)),
    body(changed(a=-1)),
    body(changed(b=1)),
    body(changed(t={"limit": {"tif": "Fok"}})),
    body(changed(t={})),
    body(changed(t={"limit": {"tif": "Alo"}, "trigger": {"isMarket": True, "triggerPx": "1", "tpsl": "tp"}})),
    body(changed(c="0xabcd")),
    body(changed(c=cloid_text(1) + "\n")),
    body({"type": "cancel", "cancels": [{"a": 0, "o": "x"}]}),
    body({"type": "modify", "oid": "x", "order": ORDER}),
]


@pytest.mark.parametrize("data", BAD_BODIES)
def test_422(data):
    with pytest.raises(Malformed) as caught:
        wire.decode_exchange(data)
    assert caught.value.http_status == 422
    assert caught.value.http_text == "Failed to deserialize the JSON body into the target type"


def test_a_number_that_cannot_be_packed_is_malformed():
    request = wire.decode_exchange(body({"type": "noop", "extra": 1 << 70}))
    with pytest.raises(Malformed, match="action"):
        request.packings()


def test_unknown_fields_are_kept_for_the_hash_only():
    request = wire.decode_exchange(body({**PLACE, "brandNew": 1}))
    assert request.packings() == (pack({**PLACE, "brandNew": 1}), pack(PLACE))


def test_null_optional_keys_are_left_out_of_the_canonical_bytes():
    request = wire.decode_exchange(body(changed(c=None)))
    assert request.packings()[1] == pack(PLACE)


def test_user_signed_actions_stay_mappings():
    action = {"type": "usdSend", "destination": USER, "amount": "1", "time": 5}
    request = wire.decode_exchange(body(action))
    assert request.is_user_signed
    assert request.action == action
    assert not wire.decode_exchange(body(PLACE)).is_user_signed


def test_priority_fee_grouping_and_triggers():
    action = {**PLACE, "grouping": {"p": 80_000}}
    assert wire.decode_exchange(body(action)).action.grouping == wire.PriorityFee(80_000)
    trigger = {"trigger": {"isMarket": True, "triggerPx": "90", "tpsl": "sl"}}
    found = wire.decode_exchange(body(changed(t=trigger))).action.orders[0].kind
    assert found.trigger.trigger_price == "90"


@given(st.binary(max_size=100))
@settings(max_examples=100, derandomize=True, deadline=None)
def test_any_bytes_are_a_request_or_malformed(data):
    for decode in (
        wire.decode_exchange,
        wire.decode_exchange_response,
        info.decode_info,
        frames.decode_command,
    ):
        with pytest.raises(Malformed):
            decode(data)


def filled(text: str) -> str:
    return text.replace("<user>", USER).replace("<cloid>", cloid_text(77))


REQUESTS = [
    ('{"type":"meta"}', info.MetaRequest()),
    ('{"type":"meta","dex":""}', info.MetaRequest(dex="")),
    ('{"type":"metaAndAssetCtxs","dex":"xyz"}', info.MetaAndContextsRequest(dex="xyz")),
    ('{"type":"spotMeta"}', info.SpotMetaRequest()),
    ('{"type":"perpDexs"}', info.PerpDexsRequest()),
    ('{"type":"allMids","dex":"xyz"}', info.AllMidsRequest(dex="xyz")),
    ('{"type":"exchangeStatus"}', info.VenueStatusRequest()),
    ('{"type":"l2Book","coin":"ETH","nSigFigs":5,"mantissa":2}', info.BookRequest("ETH", 5, 2)),
    ('{"type":"l2Book","coin":"ETH"}', info.BookRequest("ETH")),
    ('{"type":"recentTrades","coin":"ETH"}', info.RecentTradesRequest("ETH")),
    (filled('{"type":"openOrders","user":"<user>"}'), info.OpenOrdersRequest(USER)),
    (
        filled('{"type":"frontendOpenOrders","user":"<user>","dex":"xyz"}'),
        info.FrontendOpenOrdersRequest(USER, "xyz"),
    ),
    (filled('{"type":"clearinghouseState","user":"<user>","dex":""}'), info.ClearinghouseRequest(USER, "")),
    (filled('{"type":"spotClearinghouseState","user":"<user>"}'), info.SpotStateRequest(USER)),
    (filled('{"type":"userRole","user":"<user>"}'), info.UserRoleRequest(USER)),
    (filled('{"type":"orderStatus","user":"<user>","oid":17}'), info.OrderStatusRequest(USER, 17)),
    (
        filled('{"type":"orderStatus","user":"<user>","oid":"<cloid>"}'),
        info.OrderStatusRequest(USER, cloid_text(77)),
    ),
    (filled('{"type":"userFills","user":"<user>"}'), info.UserFillsRequest(USER)),
    (
        filled('{"type":"userFillsByTime","user":"<user>","startTime":1,"endTime":2,"aggregateByTime":false}'),
        info.UserFillsByTimeRequest(USER, 1, 2, False),
    ),
    (filled('{"type":"userRateLimit","user":"<user>"}'), info.RateLimitRequest(USER)),
    (filled('{"type":"userFees","user":"<user>"}'), info.UserFeesRequest(USER)),
    (filled('{"type":"userAbstraction","user":"<user>"}'), info.AccountModeRequest(USER)),
    (filled('{"type":"activeAssetData","user":"<user>","coin":"ETH"}'), info.ActiveAssetRequest(USER, "ETH")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "request_"), REQUESTS)
def test_info_requests_both_ways(text, request_):
    assert info.encode_info(request_).decode() == text
    assert info.decode_info(text.encode()) == request_
    assert json.loads(text)["type"] == info.info_kind(request_)


def test_every_request_has_a_type_of_answer():
    assert {type(request) for _, request in REQUESTS} == set(info.ANSWERS)


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"weather"}',
        b'{"coin":"ETH"}',
        b'{"type":"l2Book"}',
        b'{"type":"openOrders","user":"0x12"}',
        filled('{"type":"orderStatus","user":"<user>","oid":"abc"}').encode(),
    ],
)
def test_bad_info_requests(data):
    with pytest.raises(Malformed):
        info.decode_info(data)


def test_an_answer_of_another_form_is_malformed():
    with pytest.raises(Malformed):
        info.decode_answer(info.MetaRequest(), b"[]")
    with pytest.raises(Malformed):
        info.decode_answer(info.InfoRequest(), b"[]")
    assert info.decode_answer(info.BookRequest("X"), b"null") is None


# Answers, hand-written after section 1.5: text that must come back unchanged.
FRONTEND = (
    '{"coin":"BTC","side":"B","limitPx":"83757.0","sz":"0.0012","oid":191,"timestamp":1,"origSz":"0.0012",'
    '"triggerCondition":"N/A","isTrigger":false,"triggerPx":"0.0","children":[],"isPositionTpsl":false,'
    '"reduceOnly":false,"orderType":"Limit","tif":"Alo","cloid":null}'
)
POSITION = (
    '{"coin":"BTC","szi":"4.5","leverage":{"type":"isolated","value":5,"rawUsd":"-123.4"},"entryPx":"83900.0",'
    '"positionValue":"377667.0","unrealizedPnl":"117.0","returnOnEquity":"0.0124","liquidationPx":null,'
    '"marginUsed":"9441.675","maxLeverage":40,"cumFunding":{"allTime":"12.1","sinceOpen":"1.2","sinceChange":"0.4"}}'
)
SUMMARY = '{"accountValue":"1.0","totalNtlPos":"2.0","totalRawUsd":"-1.0","totalMarginUsed":"0.5"}'
ANSWERS = [
    (info.FrontendOpenOrdersRequest(USER), f"[{FRONTEND}]"),
    (
        info.OrderStatusRequest(USER, 1),
        '{"status":"order","order":{"order":%s,"status":"filled","statusTimestamp":5}}'.replace("%s", FRONTEND),
    ),
    (info.OrderStatusRequest(USER, 1), '{"status":"unknownOid"}'),
    (
        info.ClearinghouseRequest(USER),
        f'{{"assetPositions":[{{"position":{POSITION},"type":"oneWay"}}],"crossMarginSummary":{SUMMARY},'
        f'"withdrawable":"486.0","marginSummary":{SUMMARY},"crossMaintenanceMarginUsed":"4.5","time":7}}',
    ),
    (
        info.SpotStateRequest(USER),
        '{"balances":[{"coin":"USDC","token":0,"total":"100.0","hold":"0.0","entryNtl":"0.0"}]}',
    ),
    (info.UserRoleRequest(USER), '{"role":"agent","data":{"user":"0x12"}}'),
    (info.UserRoleRequest(USER), '{"role":"missing"}'),
    (info.AccountModeRequest(USER), '"unifiedAccount"'),
    (info.VenueStatusRequest(), '{"time":1}'),
    (
        info.RateLimitRequest(USER),
        '{"cumVlm":"1.5","nRequestsUsed":3,"nRequestsCap":10001,"nRequestsSurplus":0}',
    ),
    (
        info.UserFeesRequest(USER),
        '{"dailyUserVlm":[{"date":"2026-09-01","userCross":"1.0","userAdd":"2.0","exchange":"3.0"}],'
        '"feeSchedule":{"cross":"0.00045","add":"0.00015","tiers":{"vip":[{"ntlCutoff":"5000000.0","cross":"0.0004",'
        '"add":"0.00012"}],"mm":[{"makerFractionCutoff":"0.005","add":"-0.00001"}]},"referralDiscount":"0.04"},'
        '"userCrossRate":"0.00045","userAddRate":"0.00015","trial":null}',
    ),
    (
        info.ActiveAssetRequest(USER, "ETH"),
        '{"user":"0x12","coin":"ETH","leverage":{"type":"cross","value":20},"maxTradeSzs":["1.0","2.0"],'
        '"availableToTrade":["1.0","2.0"],"markPx":"2000.0"}',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "text"), ANSWERS)
def test_answers_both_ways(request_, text):
    assert to_json(info.decode_answer(request_, text.encode())).decode() == text
