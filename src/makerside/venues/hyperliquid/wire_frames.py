"""The WebSocket half of the codec: frames from the client and frames from the venue.

`decode_frame` is the client's way in, `decode_command` the server's; `codec.to_json` writes any of
them. A frame of a channel that we do not know is an `OtherFrame`, not an error. Pure.
Next: `session.py`.
"""

from typing import Any, Literal

import msgspec

from makerside.venues.hyperliquid.codec import Buffer, Malformed, Uint, excerpt, read, to_json
from makerside.venues.hyperliquid.wire_account import Fill, Funding, OrderUpdate
from makerside.venues.hyperliquid.wire_actions import ExchangeResponse
from makerside.venues.hyperliquid.wire_market import AllMids, AssetContextOf, Bbo, Book, Shape, Trade

GREETING = b"Websocket connection established."  # sent by older builds on connect; not JSON


class Subscription(Shape, frozen=True):
    """What is subscribed to; only the fields that its type has are set.

    The venue echoes a normalised form (more fields, another order), hence two are compared by `key`.
    """

    kind: str = msgspec.field(name="type")
    coin: str | None = None
    user: str | None = None
    dex: str | None = None
    interval: str | None = None
    significant_figures: int | None = msgspec.field(name="nSigFigs", default=None)
    mantissa: int | None = None
    is_fast: bool | None = msgspec.field(name="fast", default=None)
    aggregate_by_time: bool | None = None

    def key(self) -> tuple[str | int, ...]:
        """Return what makes it different from another: absent and default values count alike."""
        return (
            self.kind,
            self.coin or "",
            (self.user or "").lower(),
            self.dex or "",
            self.interval or "",
            self.significant_figures or 0,
            self.mantissa or 0,
            bool(self.is_fast),
            bool(self.aggregate_by_time),
        )


class _Command(msgspec.Struct, frozen=True, tag_field="method"):
    """A frame from the client."""


class Subscribe(_Command, frozen=True, tag="subscribe"):
    subscription: Subscription


class Unsubscribe(_Command, frozen=True, tag="unsubscribe"):
    subscription: Subscription


class Ping(_Command, frozen=True, tag="ping"):
    pass


class PostBody(msgspec.Struct, frozen=True):
    """payload : the very body that would be sent to `/info` or `/exchange`."""

    kind: Literal["info", "action"] = msgspec.field(name="type")
    payload: msgspec.Raw


class Post(_Command, frozen=True, tag="post"):
    """A request over the socket; the answer carries the same id and may come out of order."""

    id: Uint
    request: PostBody


Command = Subscribe | Unsubscribe | Ping | Post


def encode_post(post_id: int, kind: Literal["info", "action"], body: bytes) -> bytes:
    """Return the frame that posts a body of `/info` ("info") or `/exchange` ("action")."""
    return to_json(Post(post_id, PostBody(kind, msgspec.Raw(body))))


class _Frame(msgspec.Struct, frozen=True, tag_field="channel"):
    """A frame from the venue."""


class BookFrame(_Frame, frozen=True, tag="l2Book"):
    data: Book


class BboFrame(_Frame, frozen=True, tag="bbo"):
    data: Bbo


class TradesFrame(_Frame, frozen=True, tag="trades"):
    data: tuple[Trade, ...]


class AllMidsFrame(_Frame, frozen=True, tag="allMids"):
    data: AllMids


class AssetContextFrame(_Frame, frozen=True, tag="activeAssetCtx"):
    data: AssetContextOf


class OrderUpdatesFrame(_Frame, frozen=True, tag="orderUpdates"):
    """No user and no snapshot: after a reconnect the open orders must be asked for."""

    data: tuple[OrderUpdate, ...]


class UserFills(Shape, frozen=True):
    """is_snapshot : the recent fills that are sent on subscribing; they were told before."""

    user: str
    fills: tuple[Fill, ...]
    is_snapshot: bool = False


class UserFillsFrame(_Frame, frozen=True, tag="userFills"):
    data: UserFills


class UserFundings(Shape, frozen=True):
    user: str
    fundings: tuple[Funding, ...]
    is_snapshot: bool = False


class UserFundingsFrame(_Frame, frozen=True, tag="userFundings"):
    data: UserFundings


class CanceledByVenue(Shape, frozen=True):
    coin: str
    oid: Uint


class UserEvents(Shape, frozen=True):
    """One of these is set. Liquidations and TWAPs are not interpreted."""

    fills: tuple[Fill, ...] | None = None
    funding: Funding | None = None
    liquidation: dict[str, Any] | None = None
    non_user_cancel: tuple[CanceledByVenue, ...] | None = None


class UserFrame(_Frame, frozen=True, tag="user"):
    """The subscription `userEvents` answers on the channel "user"."""

    data: UserEvents


class SubscriptionEcho(msgspec.Struct, frozen=True):
    method: Literal["subscribe", "unsubscribe"]
    subscription: Subscription


class SubscriptionFrame(_Frame, frozen=True, tag="subscriptionResponse"):
    data: SubscriptionEcho


class ErrorFrame(_Frame, frozen=True, tag="error"):
    data: str


class PongFrame(_Frame, frozen=True, tag="pong"):
    pass


class InfoPayload(msgspec.Struct, frozen=True):
    kind: str = msgspec.field(name="type")
    data: msgspec.Raw


class InfoResult(msgspec.Struct, frozen=True, tag_field="type", tag="info"):
    payload: InfoPayload


class ActionResult(msgspec.Struct, frozen=True, tag_field="type", tag="action"):
    payload: ExchangeResponse


class ErrorResult(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """payload : status line and text, e.g. "422 Unprocessable Entity: ..."."""

    payload: str

    @property
    def http_status(self) -> int:
        """The status number that the text begins with, 0 when it begins with none."""
        head = self.payload[:3]
        return int(head) if len(head) == 3 and head.isascii() and head.isdigit() else 0


PostResult = InfoResult | ActionResult | ErrorResult


class PostAnswer(msgspec.Struct, frozen=True):
    id: Uint
    response: PostResult


class PostFrame(_Frame, frozen=True, tag="post"):
    data: PostAnswer


class OtherFrame(msgspec.Struct, frozen=True):
    """A frame of a channel that is not decoded here."""

    channel: str


Frame = (
    BookFrame
    | BboFrame
    | TradesFrame
    | AllMidsFrame
    | AssetContextFrame
    | OrderUpdatesFrame
    | UserFillsFrame
    | UserFundingsFrame
    | UserFrame
    | SubscriptionFrame
    | ErrorFrame
    | PongFrame
    | PostFrame
)
CHANNELS = frozenset(
    str(frame.__struct_config__.tag) for frame in Frame.__args__ if frame.__struct_config__.tag is not None
)

_FRAME: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)
_COMMAND: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_OTHER = msgspec.json.Decoder(OtherFrame)
_SUBSCRIPTION = msgspec.json.Decoder(Subscription)
_decode_frame = _FRAME.decode


def decode_frame(data: Buffer) -> Frame | OtherFrame:
    """Return a frame from the venue.

    errors : Malformed when it is no JSON, has no channel, or does not fit the form of its channel
    """
    try:
        return _decode_frame(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if bytes(data[: len(GREETING)]) == GREETING:
            return OtherFrame("greeting")
        other = read(_OTHER, data)
        if other.channel in CHANNELS:
            raise Malformed(f"{error} in {excerpt(data)}") from None
        return other


def decode_command(data: Buffer) -> Command:
    """Return a frame from the client.

    errors : Malformed, upon which the server answers `parse_error_text` in an `ErrorFrame`
    """
    return read(_COMMAND, data)


def parse_error_text(data: Buffer) -> str:
    """Return the venue's words for a frame that it cannot read. source : venue file, section 4.1."""
    return f"Error parsing JSON into valid websocket request: {bytes(data).decode(errors='replace')}"


def subscription_error_text(what: str, subscription: Subscription) -> str:
    """Return the venue's words for a subscription that it does not take. source : venue file, section 4.1.

    what : "Already subscribed", "Already unsubscribed" or "Invalid subscription"
    """
    return f"{what}: {to_json(subscription).decode()}"


def subscribed_already(text: str) -> Subscription | None:
    """Return the subscription that the venue says it serves already, None for any other error text."""
    start = "Already subscribed: "
    return read(_SUBSCRIPTION, text[len(start) :].encode()) if text.startswith(start) else None


def echo(command: Subscribe | Unsubscribe) -> bytes:
    """Return the venue's acknowledgement of a subscription, with the fields that it adds itself."""
    subscription = msgspec.to_builtins(command.subscription)
    if command.subscription.kind == "l2Book":
        subscription = {"nSigFigs": None, "mantissa": None, **subscription}
    method = "subscribe" if isinstance(command, Subscribe) else "unsubscribe"
    data = {"method": method, "subscription": subscription}
    return to_json({"channel": "subscriptionResponse", "data": data})
