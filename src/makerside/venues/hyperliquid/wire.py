"""The codec of Hyperliquid, entry point: one set of structs for the client and the local exchange.

    wire_actions   /exchange: actions, envelope, answers
    wire_info      /info: requests and the types of their answers
    wire_market    books, trades, prices, metadata
    wire_account   orders, fills, positions, balances, fees
    wire_frames    WebSocket frames in both directions
    numbers        decimal text <-> ticks, lots, money
    cloid          client order ids
    reasons        error texts and order states <-> kinds and reasons
    render         rows of ticks and lots -> frames, for the local exchange

Bytes that fit no struct raise `Malformed`. Nothing here reads a clock, a socket or a file.
"""

from makerside.venues.hyperliquid.cloid import cloid_text, identity_of
from makerside.venues.hyperliquid.codec import Malformed, to_json
from makerside.venues.hyperliquid.numbers import client_text, money_e8, server_text, steps_of
from makerside.venues.hyperliquid.reasons import (
    action_error_reason,
    order_error_reason,
    order_error_text,
    order_state,
    order_status,
)
from makerside.venues.hyperliquid.wire_actions import (
    Accepted,
    Action,
    CancelOrders,
    CancelOrdersByCloid,
    ExchangeRequest,
    ExchangeResponse,
    ModifyOrder,
    ModifyOrders,
    Noop,
    Order,
    PlaceOrders,
    Refused,
    ScheduleCancel,
    Status,
    UpdateIsolatedMargin,
    UpdateLeverage,
    accepted,
    cancel_orders,
    decode_exchange,
    decode_exchange_response,
    encode_exchange,
    limit_order,
    place_orders,
)
from makerside.venues.hyperliquid.wire_frames import (
    Command,
    Frame,
    Subscription,
    decode_command,
    decode_frame,
    encode_post,
)
from makerside.venues.hyperliquid.wire_info import (
    ANSWERS,
    InfoRequest,
    decode_answer,
    decode_info,
    encode_info,
    info_kind,
)

__all__ = [
    "ANSWERS",
    "Accepted",
    "Action",
    "CancelOrders",
    "CancelOrdersByCloid",
    "Command",
    "ExchangeRequest",
    "ExchangeResponse",
    "Frame",
    "InfoRequest",
    "Malformed",
    "ModifyOrder",
    "ModifyOrders",
    "Noop",
    "Order",
    "PlaceOrders",
    "Refused",
    "ScheduleCancel",
    "Status",
    "Subscription",
    "UpdateIsolatedMargin",
    "UpdateLeverage",
    "accepted",
    "action_error_reason",
    "cancel_orders",
    "client_text",
    "cloid_text",
    "decode_answer",
    "decode_command",
    "decode_exchange",
    "decode_exchange_response",
    "decode_frame",
    "decode_info",
    "encode_exchange",
    "encode_info",
    "encode_post",
    "identity_of",
    "info_kind",
    "limit_order",
    "money_e8",
    "order_error_reason",
    "order_error_text",
    "order_state",
    "order_status",
    "place_orders",
    "server_text",
    "steps_of",
    "to_json",
]
