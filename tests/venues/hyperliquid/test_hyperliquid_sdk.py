"""The official SDK as client of our codec: what it posts is read and its signer found, what we render it reads.

No network: the SDK's `post` is replaced by a function that answers from our own metadata.
"""

import json
from typing import Any

import pytest

from makerside.venues.hyperliquid import render
from makerside.venues.hyperliquid import wire_actions as wire
from makerside.venues.hyperliquid import wire_frames as frames
from makerside.venues.hyperliquid import wire_info as info
from makerside.venues.hyperliquid.cloid import cloid_text
from makerside.venues.hyperliquid.codec import to_json
from makerside.venues.hyperliquid.meta_render import render_meta
from makerside.venues.hyperliquid.signer import recover_action, recover_candidates, recover_user_action
from makerside.venues.hyperliquid.typed_data import nonce_field

api = pytest.importorskip("hyperliquid.api")
exchange_module = pytest.importorskip("hyperliquid.exchange")
sockets = pytest.importorskip("hyperliquid.websocket_manager")
sdk_types = pytest.importorskip("hyperliquid.utils.types")
eth_account = pytest.importorskip("eth_account")

URL = "http://127.0.0.1:1"
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
LIMIT = {"limit": {"tif": "Alo"}}
CLOID = sdk_types.Cloid.from_str(cloid_text(77))


@pytest.fixture
def told(universe, rules):
    return render_meta([a.instrument for a in universe if not a.is_delisted], rules)


@pytest.fixture
def posted() -> list[tuple[str, bytes]]:
    return []


@pytest.fixture
def sdk(told, posted, monkeypatch) -> Any:
    """The SDK's Exchange, connected to our metadata; `posted` receives (path, body)."""

    def post(self: Any, path: str, payload: Any = None) -> Any:
        body = json.dumps(payload).encode()
        posted.append((path, body))
        if path == "/exchange":
            return json.loads(to_json(wire.DEFAULT))
        request = info.decode_info(body)
        if isinstance(request, info.MetaRequest):
            return json.loads(to_json(told.metas[request.dex or ""]))
        if isinstance(request, info.PerpDexsRequest):
            return json.loads(to_json(told.perp_dexs))
        return json.loads(to_json(told.spot_meta)) if isinstance(request, info.SpotMetaRequest) else None

    monkeypatch.setattr(api.API, "post", post)
    wallet = eth_account.Account.from_key(b"\x07" * 32)
    client = exchange_module.Exchange(wallet, URL, perp_dexs=["", "xyz", "km"])
    posted.clear()
    return client


def test_our_metadata_gives_the_sdk_our_asset_ids(sdk, universe):
    for asset in universe:
        if not asset.is_delisted:
            symbol = asset.instrument.symbol
            assert sdk.info.name_to_asset(symbol) == asset.instrument.venue_id
            assert sdk.info.asset_to_sz_decimals[asset.instrument.venue_id] == asset.instrument.lot_decimals


def order(coin: str = "BTC", **change: Any) -> dict[str, Any]:
    base = {"coin": coin, "is_buy": True, "sz": 0.0012, "limit_px": 83757.0, "order_type": LIMIT}
    return {**base, "reduce_only": False, **change}


CALLS: dict[str, Any] = {
    "order": lambda c: c.order("BTC", True, 0.0012, 83757, LIMIT, cloid=CLOID),
    "bulk_orders": lambda c: c.bulk_orders(
        [order(), order("xyz:XYZ100", sz=1.5, limit_px=251.35), order("@107", sz=1.5, limit_px=38.1)],
        {"b": VAULT.upper().replace("X", "x"), "f": 10},
    ),
    "priority": lambda c: c.bulk_orders([order(order_type={"limit": {"tif": "Ioc"}})], grouping={"p": 5}),
    "trigger": lambda c: c.order(
        "BTC", False, 0.0012, 83757, {"trigger": {"isMarket": True, "triggerPx": 80000, "tpsl": "sl"}}, True
    ),
    "cancel": lambda c: c.cancel("BTC", 191),
    "cancel_by_cloid": lambda c: c.cancel_by_cloid("km:US500", CLOID),
    "modify": lambda c: c.modify_order(191, "BTC", True, 0.0012, 83756, LIMIT, cloid=CLOID),
    "modify_by_cloid": lambda c: c.modify_order(CLOID, "BTC", True, 0.0012, 83756, LIMIT),
    "schedule_cancel": lambda c: c.schedule_cancel(1_700_000_005_000),
    "schedule_nothing": lambda c: c.schedule_cancel(None),
    "leverage": lambda c: c.update_leverage(5, "xyz:XYZ100", is_cross=False),
    "margin": lambda c: c.update_isolated_margin(-1.5, "BTC"),
    "noop": lambda c: c.noop(1_700_000_000_000),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(("vault", "expires"), [(None, None), (VAULT, 1_900_000_000_000)])
def test_what_the_sdk_posts_is_read_and_its_signer_found(sdk, posted, name, vault, expires):
    sdk.vault_address, sdk.expires_after = vault, expires
    CALLS[name](sdk)
    (path, body) = posted[-1]
    assert path == "/exchange"
    request = wire.decode_exchange(body)
    assert (request.vault, request.expires_after_ms) == (vault, expires)
    assert not request.is_user_signed
    packings = request.packings()
    assert len(packings) == 1  # the SDK's key order is the canonical one
    address = sdk.wallet.address.lower()
    fields = (request.nonce, request.signature, vault, expires)
    assert next(recover_candidates(packings, *fields)) == address
    assert recover_action(request.action, *fields) == address
    assert json.loads(to_json(request.action)) == json.loads(body)["action"]


USER_CALLS: dict[str, Any] = {
    "usdSend": lambda c: c.usd_transfer(1.5, VAULT),
    "spotSend": lambda c: c.spot_transfer(1.5, VAULT, "PURR:0x01"),
    "withdraw3": lambda c: c.withdraw_from_bridge(1.5, VAULT),
    "usdClassTransfer": lambda c: c.usd_class_transfer(1.5, True),
    "sendAsset": lambda c: c.send_asset(VAULT, "", "xyz", "USDC", 1.5),
    "approveAgent": lambda c: c.approve_agent("bot"),
    "approveAgent without a name": lambda c: c.approve_agent(),
    "approveBuilderFee": lambda c: c.approve_builder_fee(VAULT, "0.001%"),
    "userSetAbstraction": lambda c: c.user_set_abstraction(VAULT, "disabled"),
}


@pytest.mark.parametrize("name", USER_CALLS)
def test_user_signed_actions_of_the_sdk(sdk, posted, name):
    USER_CALLS[name](sdk)
    request = wire.decode_exchange(posted[-1][1])
    kind = name.split()[0]
    assert request.is_user_signed
    assert request.action["type"] == kind
    assert request.action[nonce_field(kind)] == request.nonce
    assert recover_user_action(request.action, request.signature) == sdk.wallet.address.lower()


INFO_CALLS: list[tuple[Any, info.InfoRequest]] = [
    (lambda i: i.user_state(VAULT), info.ClearinghouseRequest(VAULT, "")),
    (lambda i: i.spot_user_state(VAULT), info.SpotStateRequest(VAULT)),
    (lambda i: i.open_orders(VAULT), info.OpenOrdersRequest(VAULT, "")),
    (lambda i: i.frontend_open_orders(VAULT, "xyz"), info.FrontendOpenOrdersRequest(VAULT, "xyz")),
    (lambda i: i.all_mids(), info.AllMidsRequest("")),
    (lambda i: i.user_fills(VAULT), info.UserFillsRequest(VAULT)),
    (lambda i: i.user_fills_by_time(VAULT, 5), info.UserFillsByTimeRequest(VAULT, 5, None, False)),
    (lambda i: i.meta("km"), info.MetaRequest("km")),
    (lambda i: i.meta_and_asset_ctxs(), info.MetaAndContextsRequest()),
    (lambda i: i.perp_dexs(), info.PerpDexsRequest()),
    (lambda i: i.spot_meta(), info.SpotMetaRequest()),
    (lambda i: i.l2_snapshot("PURR/USDC"), info.BookRequest("PURR/USDC")),
    (lambda i: i.user_fees(VAULT), info.UserFeesRequest(VAULT)),
    (lambda i: i.query_order_by_oid(VAULT, 191), info.OrderStatusRequest(VAULT, 191)),
    (lambda i: i.query_order_by_cloid(VAULT, CLOID), info.OrderStatusRequest(VAULT, CLOID.to_raw())),
    (lambda i: i.query_user_abstraction_state(VAULT), info.AccountModeRequest(VAULT)),
    (lambda i: i.user_role(VAULT), info.UserRoleRequest(VAULT)),
    (lambda i: i.user_rate_limit(VAULT), info.RateLimitRequest(VAULT)),
]


@pytest.mark.parametrize(("call", "expected"), INFO_CALLS, ids=[type(e).__name__ for _, e in INFO_CALLS])
def test_info_requests_of_the_sdk(sdk, posted, call, expected):
    call(sdk.info)
    path, body = posted[-1]
    assert path == "/info"
    assert info.decode_info(body) == expected


def test_the_sdk_routes_our_frames(universe, btc):
    """Its callbacks are found by what the frame says: subscription and frame must name the same thing."""
    users = ("0x" + "0" * 40, VAULT)
    trade = render.trade(btc, 1, True, 837_570, 1, 17, users)
    for frame, subscription in (
        (render.book_frame(btc, 1, [], [], True), {"type": "l2Book", "coin": "BTC"}),
        (render.bbo_frame(btc, 1, None, None), {"type": "bbo", "coin": "BTC"}),
        (frames.TradesFrame((trade,)), {"type": "trades", "coin": "BTC"}),
        (frames.OrderUpdatesFrame(()), {"type": "orderUpdates", "user": VAULT}),
        (frames.UserFillsFrame(frames.UserFills(VAULT, ())), {"type": "userFills", "user": VAULT}),
        (frames.UserFrame(frames.UserEvents(fills=())), {"type": "userEvents", "user": VAULT}),
        (frames.AllMidsFrame(frames.AllMids(mids={})), {"type": "allMids"}),
    ):
        found = sockets.ws_msg_to_identifier(json.loads(to_json(frame)))
        assert found == sockets.subscription_to_identifier(subscription)
        command = frames.decode_command(
            json.dumps({"method": "subscribe", "subscription": subscription}).encode()
        )
        assert command.subscription.kind == subscription["type"]
