"""The `/exchange` half of the codec: actions, their envelope, and the answers, in both directions.

The fields of each struct stand in canonical key order: that order is what msgpack hashes and what the
signature covers (venue file, section 2.2). Optional keys are left out, never null or false. Pure.
Next: `wire_info.py`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from makerside.model.event import Flag
from makerside.model.instrument import Instrument
from makerside.model.units import BUY
from makerside.venues.hyperliquid.cloid import cloid_text
from makerside.venues.hyperliquid.codec import (
    Address,
    Buffer,
    Cloid,
    DecimalText,
    Malformed,
    Uint,
    read,
    to_json,
)
from makerside.venues.hyperliquid.numbers import client_text
from makerside.venues.hyperliquid.rules import is_price_allowed
from makerside.venues.hyperliquid.signer import Signature, pack
from makerside.venues.hyperliquid.typed_data import USER_SIGNED

# "Signed action over weight limit of 200.": measured for cancels, assumed for orders.
ORDERS_PER_ACTION_MAX = 200

# Plain integers: an operation on an enum member costs several times as much.
_POST_ONLY, _IOC, _REDUCE_ONLY = int(Flag.POST_ONLY), int(Flag.IOC), int(Flag.REDUCE_ONLY)

TimeInForce = Literal["Alo", "Ioc", "Gtc", "FrontendMarket"]
Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


class _Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of an action."""


class Limit(_Part, frozen=True):
    tif: TimeInForce


class Trigger(_Part, frozen=True):
    is_market: bool = msgspec.field(name="isMarket")
    trigger_price: DecimalText = msgspec.field(name="triggerPx")
    tpsl: Literal["tp", "sl"]


class OrderType(_Part, frozen=True):
    """Either a limit order or a trigger order."""

    limit: Limit | None = None
    trigger: Trigger | None = None

    def __post_init__(self) -> None:
        if (self.limit is None) == (self.trigger is None):
            raise ValueError("an order type is either limit or trigger")


POST_ONLY = OrderType(limit=Limit("Alo"))  # cancelled by the venue rather than crossing
IOC = OrderType(limit=Limit("Ioc"))
GTC = OrderType(limit=Limit("Gtc"))


class Order(_Part, frozen=True):
    """One order to place. price and size are decimal text without trailing zeros."""

    asset: Uint = msgspec.field(name="a")
    is_buy: bool = msgspec.field(name="b")
    price: DecimalText = msgspec.field(name="p")
    size: DecimalText = msgspec.field(name="s")
    is_reduce_only: bool = msgspec.field(name="r")
    kind: OrderType = msgspec.field(name="t")
    cloid: Cloid | None = msgspec.field(name="c", default=None)


class PriorityFee(_Part, frozen=True):
    """A grouping that buys priority inside a block: p of 10^-8 of the notional."""

    p: Uint


class Builder(_Part, frozen=True):
    """The front end that earns a fee. address : lower case;  fee_tenth_bps : tenths of a basis point."""

    address: Address = msgspec.field(name="b")
    fee_tenth_bps: Uint = msgspec.field(name="f")


class _Action(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """An action that is signed as an "L1 action"."""


class PlaceOrders(_Action, frozen=True, tag="order"):
    orders: tuple[Order, ...]
    grouping: Literal["na", "normalTpsl", "positionTpsl"] | PriorityFee
    builder: Builder | None = None


class CancelById(_Part, frozen=True):
    asset: Uint = msgspec.field(name="a")
    venue_order_id: Uint = msgspec.field(name="o")


class CancelOrders(_Action, frozen=True, tag="cancel"):
    """is_fast : mempool priority; the venue refuses it when a target is a trigger order."""

    cancels: tuple[CancelById, ...]
    is_fast: bool = msgspec.field(name="f", default=False)


class CancelByText(_Part, frozen=True):
    asset: Uint
    cloid: Cloid


class CancelOrdersByCloid(_Action, frozen=True, tag="cancelByCloid"):
    cancels: tuple[CancelByText, ...]
    is_fast: bool = msgspec.field(name="f", default=False)


class Modify(_Part, frozen=True):
    """Cancel and place: the new order gets a new venue order id and goes to the end of the queue."""

    oid: Uint | Cloid
    order: Order


class ModifyOrder(_Action, frozen=True, tag="modify"):
    oid: Uint | Cloid
    order: Order
    always_place: bool = msgspec.field(name="a", default=False)


class ModifyOrders(_Action, frozen=True, tag="batchModify"):
    modifies: tuple[Modify, ...]
    always_place: bool = msgspec.field(name="a", default=False)


class ScheduleCancel(_Action, frozen=True, tag="scheduleCancel"):
    """The dead-man switch: cancel everything at `time` (ms); without a time it is cleared."""

    time: Uint | None = None


class UpdateLeverage(_Action, frozen=True, tag="updateLeverage"):
    asset: Uint
    is_cross: bool = msgspec.field(name="isCross")
    leverage: Uint


class UpdateIsolatedMargin(_Action, frozen=True, tag="updateIsolatedMargin"):
    """amount_e6 : millionths of USD, negative to take out;  is_buy : no effect on this venue yet."""

    asset: Uint
    is_buy: bool = msgspec.field(name="isBuy")
    amount_e6: Int64 = msgspec.field(name="ntli")


class Noop(_Action, frozen=True, tag="noop"):
    """Consumes its nonce: the action in flight with the same nonce can no longer execute."""


Action = (
    PlaceOrders
    | CancelOrders
    | CancelOrdersByCloid
    | ModifyOrder
    | ModifyOrders
    | ScheduleCancel
    | UpdateLeverage
    | UpdateIsolatedMargin
    | Noop
)


def order_kind(flags: int) -> OrderType:
    """Return the time in force that the flags of an action row ask for."""
    if flags & _POST_ONLY:
        return POST_ONLY
    return IOC if flags & _IOC else GTC


def limit_order(
    instrument: Instrument, side: int, price_ticks: int, size_lots: int, flags: int, client_order_id: int
) -> Order:
    """Return one order on the wire.

    side  : BUY or SELL;  flags : POST_ONLY, IOC, REDUCE_ONLY of `event.Flag`
    errors: asserts that the price and the size are ones that the venue accepts
    """
    assert size_lots > 0
    assert is_price_allowed(instrument, price_ticks)
    return Order(
        instrument.venue_id,
        side == BUY,
        client_text(price_ticks, instrument.tick_decimals),
        client_text(size_lots, instrument.lot_decimals),
        (flags & _REDUCE_ONLY) != 0,
        order_kind(flags),
        cloid_text(client_order_id) if client_order_id else None,
    )


def place_orders(orders: Sequence[Order], builder: Builder | None = None) -> PlaceOrders:
    """Return the action that places a batch. Keep post-only orders in batches of their own: they go first."""
    assert 0 < len(orders) <= ORDERS_PER_ACTION_MAX
    return PlaceOrders(tuple(orders), "na", builder)


def cancel_orders(items: Sequence[tuple[Instrument, int]], is_fast: bool = False) -> CancelOrdersByCloid:
    """Return the action that cancels our own orders. items : (instrument, client order id)."""
    assert 0 < len(items) <= ORDERS_PER_ACTION_MAX
    cancels = tuple(CancelByText(instrument.venue_id, cloid_text(identity)) for instrument, identity in items)
    return CancelOrdersByCloid(cancels, is_fast)


class _Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    action: msgspec.Raw
    nonce: Uint
    signature: Signature
    vault: Address | None = msgspec.field(name="vaultAddress", default=None)
    expires_after_ms: Uint | None = msgspec.field(name="expiresAfter", default=None)


class ExchangeRequest(msgspec.Struct, frozen=True):
    """A body of `/exchange` as the server has received it.

    action   : typed; a user-signed action (transfer, approval) stays the mapping that it was
    received : the action as a mapping in the order in which its keys came
    """

    action: Action | dict[str, Any]
    received: dict[str, Any]
    nonce: int
    signature: Signature
    vault: str | None
    expires_after_ms: int | None

    @property
    def is_user_signed(self) -> bool:
        """Whether the signature covers the action's own fields and not its packed bytes."""
        return isinstance(self.action, dict)

    def packings(self) -> tuple[bytes, ...]:
        """Return the bytes that the client may have hashed: as received, then canonical when they differ.

        errors : Malformed when the action holds a number that msgpack cannot carry
        """
        try:
            received = pack(self.received)
        except (OverflowError, ValueError) as error:
            raise Malformed(f"action: {error}") from None
        canonical = pack(self.action)
        return (received,) if received == canonical else (received, canonical)


def encode_exchange(
    action: Action | dict[str, Any],
    nonce: int,
    signature: Signature,
    vault: str | None = None,
    expires_after_ms: int | None = None,
) -> bytes:
    """Return the body of a POST to `/exchange`, which is also the payload of a WebSocket post."""
    return to_json(_Envelope(msgspec.Raw(to_json(action)), nonce, signature, vault, expires_after_ms))


def decode_exchange(body: Buffer) -> ExchangeRequest:
    """Return the request in a body of `/exchange`.

    errors : Malformed (422) when the body is no such request or its action is not one we know
    """
    envelope = read(_ENVELOPE, body)
    received = read(_MAPPING, bytes(envelope.action))
    typed: Action | dict[str, Any] = received
    kind = received.get("type")
    if not isinstance(kind, str) or kind not in USER_SIGNED:
        typed = read(_ACTION, bytes(envelope.action))
    return ExchangeRequest(
        typed, received, envelope.nonce, envelope.signature, envelope.vault, envelope.expires_after_ms
    )


class Resting(msgspec.Struct, frozen=True, omit_defaults=True):
    oid: Uint
    cloid: str | None = None


class Filled(msgspec.Struct, frozen=True, omit_defaults=True):
    size: str = msgspec.field(name="totalSz")
    average_price: str = msgspec.field(name="avgPx")
    oid: Uint
    cloid: str | None = None


class Status(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one order or cancel of a batch; exactly one field is set."""

    resting: Resting | None = None
    filled: Filled | None = None
    error: str | None = None


class ResponseData(msgspec.Struct, frozen=True, omit_defaults=True):
    """statuses : one per order; a text is "success", "waitingForFill" or "waitingForTrigger"."""

    statuses: tuple[Status | str, ...] | None = None


class Response(msgspec.Struct, frozen=True, omit_defaults=True):
    """kind : "order" (also of a batchModify), "cancel", "default" (no data)."""

    kind: str = msgspec.field(name="type")
    data: ResponseData | None = None


class Accepted(msgspec.Struct, frozen=True, tag_field="status", tag="ok"):
    """The action was taken; single orders of it may still have failed."""

    response: Response

    @property
    def statuses(self) -> tuple[Status | str, ...]:
        """The status of each order, empty when the response has none."""
        data = self.response.data
        return () if data is None or data.statuses is None else data.statuses


class Refused(msgspec.Struct, frozen=True, tag_field="status", tag="err"):
    """The whole action was refused, with the venue's words."""

    response: str


ExchangeResponse = Accepted | Refused
SUCCESS = "success"
DEFAULT = Accepted(Response("default"))


def accepted(kind: str, statuses: Sequence[Status | str]) -> Accepted:
    """Return the answer to a batch. kind : "order" or "cancel"."""
    return Accepted(Response(kind, ResponseData(tuple(statuses))))


def decode_exchange_response(body: Buffer) -> ExchangeResponse:
    """Return the answer in the body of a `/exchange` response; Malformed when it is none."""
    return read(_RESPONSE, body)


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_MAPPING = msgspec.json.Decoder(dict[str, Any])
_ACTION: msgspec.json.Decoder[Action] = msgspec.json.Decoder(Action)
_RESPONSE: msgspec.json.Decoder[ExchangeResponse] = msgspec.json.Decoder(ExchangeResponse)
