"""The `/info` half of the codec: requests and the form of their answers, in both directions.

`ANSWERS` maps every request to the type of its answer, so that a client decodes by what it asked and
the local exchange can be tested to answer each. Pure. Next: `wire_frames.py`.
"""

from typing import Any

import msgspec

from makerside.venues.hyperliquid.codec import Address, Buffer, Cloid, Malformed, TimeMs, Uint, read, to_json
from makerside.venues.hyperliquid.wire_account import (
    AccountMode,
    ActiveAssetData,
    ClearinghouseState,
    Fill,
    FrontendOrder,
    OpenOrder,
    OrderStatus,
    RateLimit,
    SpotState,
    UserFees,
    UserRole,
)
from makerside.venues.hyperliquid.wire_market import (
    AssetContext,
    Book,
    Meta,
    PerpDex,
    SpotMeta,
    Trade,
    VenueStatus,
)


class InfoRequest(msgspec.Struct, frozen=True, tag_field="type", rename="camel", omit_defaults=True):
    """A body of `/info`. dex : None or "" is the first DEX;  user : never an agent's address."""


class MetaRequest(InfoRequest, frozen=True, tag="meta"):
    dex: str | None = None


class MetaAndContextsRequest(InfoRequest, frozen=True, tag="metaAndAssetCtxs"):
    dex: str | None = None


class SpotMetaRequest(InfoRequest, frozen=True, tag="spotMeta"):
    pass


class PerpDexsRequest(InfoRequest, frozen=True, tag="perpDexs"):
    pass


class AllMidsRequest(InfoRequest, frozen=True, tag="allMids"):
    dex: str | None = None


class VenueStatusRequest(InfoRequest, frozen=True, tag="exchangeStatus"):
    pass


class BookRequest(InfoRequest, frozen=True, tag="l2Book"):
    """significant_figures : 2 to 5 to aggregate;  mantissa : 2 or 5, only with 5 figures."""

    coin: str
    significant_figures: int | None = msgspec.field(name="nSigFigs", default=None)
    mantissa: int | None = None


class RecentTradesRequest(InfoRequest, frozen=True, tag="recentTrades"):
    coin: str


class _UserRequest(InfoRequest, frozen=True):
    user: Address


class OpenOrdersRequest(_UserRequest, frozen=True, tag="openOrders"):
    dex: str | None = None


class FrontendOpenOrdersRequest(_UserRequest, frozen=True, tag="frontendOpenOrders"):
    dex: str | None = None


class ClearinghouseRequest(_UserRequest, frozen=True, tag="clearinghouseState"):
    dex: str | None = None


class SpotStateRequest(_UserRequest, frozen=True, tag="spotClearinghouseState"):
    pass


class UserRoleRequest(_UserRequest, frozen=True, tag="userRole"):
    pass


class OrderStatusRequest(_UserRequest, frozen=True, tag="orderStatus"):
    oid: Uint | Cloid


class UserFillsRequest(_UserRequest, frozen=True, tag="userFills"):
    aggregate_by_time: bool | None = None


class UserFillsByTimeRequest(_UserRequest, frozen=True, tag="userFillsByTime"):
    start_time: TimeMs
    end_time: TimeMs | None = None
    aggregate_by_time: bool | None = None
    reversed: bool | None = None


class RateLimitRequest(_UserRequest, frozen=True, tag="userRateLimit"):
    pass


class UserFeesRequest(_UserRequest, frozen=True, tag="userFees"):
    pass


class AccountModeRequest(_UserRequest, frozen=True, tag="userAbstraction"):
    pass


class ActiveAssetRequest(_UserRequest, frozen=True, tag="activeAssetData"):
    coin: str


ANSWERS: dict[type[InfoRequest], Any] = {
    MetaRequest: Meta,
    MetaAndContextsRequest: tuple[Meta, tuple[AssetContext, ...]],
    SpotMetaRequest: SpotMeta,
    PerpDexsRequest: tuple[PerpDex | None, ...],
    AllMidsRequest: dict[str, str],
    VenueStatusRequest: VenueStatus,
    BookRequest: Book | None,  # null: no such coin
    RecentTradesRequest: tuple[Trade, ...],
    OpenOrdersRequest: tuple[OpenOrder, ...],
    FrontendOpenOrdersRequest: tuple[FrontendOrder, ...],
    ClearinghouseRequest: ClearinghouseState,
    SpotStateRequest: SpotState,
    UserRoleRequest: UserRole,
    OrderStatusRequest: OrderStatus,
    UserFillsRequest: tuple[Fill, ...],
    UserFillsByTimeRequest: tuple[Fill, ...],
    RateLimitRequest: RateLimit,
    UserFeesRequest: UserFees,
    AccountModeRequest: AccountMode,
    ActiveAssetRequest: ActiveAssetData,
}

_REQUEST: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    MetaRequest
    | MetaAndContextsRequest
    | SpotMetaRequest
    | PerpDexsRequest
    | AllMidsRequest
    | VenueStatusRequest
    | BookRequest
    | RecentTradesRequest
    | OpenOrdersRequest
    | FrontendOpenOrdersRequest
    | ClearinghouseRequest
    | SpotStateRequest
    | UserRoleRequest
    | OrderStatusRequest
    | UserFillsRequest
    | UserFillsByTimeRequest
    | RateLimitRequest
    | UserFeesRequest
    | AccountModeRequest
    | ActiveAssetRequest
)
_DECODERS = {request: msgspec.json.Decoder(answer) for request, answer in ANSWERS.items()}


def info_kind(request: InfoRequest) -> str:
    """Return the request's name on the wire, by which its weight is looked up in the rules."""
    tag = request.__struct_config__.tag
    assert isinstance(tag, str)
    return tag


def encode_info(request: InfoRequest) -> bytes:
    """Return the body of a POST to `/info`, which is also the payload of a WebSocket post."""
    return to_json(request)


def decode_info(body: Buffer) -> InfoRequest:
    """Return the request in a body of `/info`.

    errors : Malformed (422) when the body is none or its type is not one we know
    """
    request = read(_REQUEST, body)
    assert isinstance(request, InfoRequest)
    return request


def decode_answer(request: InfoRequest, body: Buffer) -> Any:
    """Return the answer to `request`, of the type that `ANSWERS` names.

    errors : Malformed when the body has another form
    """
    decoder = _DECODERS.get(type(request))
    if decoder is None:
        raise Malformed(f"{type(request).__name__} is no info request")
    return read(decoder, body)
