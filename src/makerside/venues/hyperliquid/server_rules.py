"""What the local exchange refuses before an order reaches the book, in the venue's words.

Next: `server_venue.py`.
"""

from typing import TYPE_CHECKING, NamedTuple

from makerside.model.event import Flag, Kind, Reason
from makerside.sim.records import CLIENT_ORDERS_CAPACITY
from makerside.venues.hyperliquid import reasons
from makerside.venues.hyperliquid.codec import Malformed
from makerside.venues.hyperliquid.numbers import PRICE_TICKS_MAX, steps_of
from makerside.venues.hyperliquid.rules import is_price_allowed
from makerside.venues.hyperliquid.server_accounts import Account
from makerside.venues.hyperliquid.server_margin import has_margin
from makerside.venues.hyperliquid.wire_actions import Order

if TYPE_CHECKING:
    from makerside.venues.hyperliquid.server_venue import LocalVenue


class Refusal(NamedTuple):
    """Why an order does not reach the book. status : under which it is remembered, "" when it is not"""

    text: str
    status: str = ""


class Limits(NamedTuple):
    """Price and size of an order in steps. is_on_tick : False when the price was rounded down to be one"""

    price_ticks: int
    size_lots: int
    is_on_tick: bool


def read_limits(order: Order, tick_decimals: int, lot_decimals: int) -> Limits | Refusal:
    """Return price and size of an order, or what is wrong with their form. Section 10, point 5."""
    whole, _, fraction = order.price.partition(".")
    try:
        price = steps_of(f"{whole}.{fraction[:tick_decimals] or 0}", tick_decimals, PRICE_TICKS_MAX)
    except Malformed:
        return Refusal("Order has invalid price.")
    try:
        lots = steps_of(order.size, lot_decimals)
    except Malformed:
        return Refusal("Order has invalid size.")
    return Limits(price, lots, not fraction[tick_decimals:].strip("0"))


def why_refused(
    venue: "LocalVenue", account: Account, order: Order, index: int, limits: Limits
) -> Refusal | None:
    """Return why an order does not reach the book, None when it does."""
    instrument, price, lots = venue.instruments[index], limits.price_ticks, limits.size_lots
    if order.kind.limit is None:
        return Refusal("Trigger orders are not available on this exchange yet")
    # First of all: a refusal that is remembered must not take the id of an order that is open.
    if order.cloid is not None and order.cloid.lower() in account.open_cloids:
        return Refusal(f"Order has a cloid that is in use. asset={order.asset}")
    if lots <= 0:
        return Refusal("Order has zero size.")
    if not limits.is_on_tick or not is_price_allowed(instrument, price):
        return _rejected(Reason.TICK, order)
    held = account.position_lots(index)
    is_closing = held != 0 and (held > 0) != order.is_buy
    notional = price * lots * instrument.unit_value_e8
    if notional < venue.rules.min_notional_usd * 10**8 and not (is_closing and lots >= abs(held)):
        return _rejected(Reason.MIN_NOTIONAL, order, format(venue.rules.min_notional_usd, "f"))
    if order.is_reduce_only and not is_closing:
        return _rejected(Reason.REDUCE_ONLY, order)
    mark, band = venue.feeds[index].mark_ticks, venue.rules.reference_band
    if mark and abs(price - mark) > band * mark:
        return Refusal(f"Order price cannot be more than {band * 100:.0f}% away from the reference price")
    is_full = int(venue.exchanges[index]["pit"]["n_active"]) >= CLIENT_ORDERS_CAPACITY
    if is_full or len(account.open) >= venue.rules.open_orders_cap(account.volume_e8 // 10**8):
        return Refusal("Too many open orders", "tooManyOpenOrdersRejected")
    if not order.is_reduce_only and not has_margin(account, venue.marks, index, order.is_buy, price, lots):
        return _rejected(Reason.MARGIN, order)
    return None


def _rejected(reason: Reason, order: Order, minimum: str = "") -> Refusal:
    text = reasons.order_error_text(reason, order.asset, minimum=minimum)
    return Refusal(text, reasons.order_status(Kind.ORDER_REJECT, reason))


def flags_of(order: Order) -> int:
    """Return the flags of the simulated exchange for an order on the wire."""
    assert order.kind.limit is not None
    flags = {"Alo": int(Flag.POST_ONLY), "Ioc": int(Flag.IOC), "FrontendMarket": int(Flag.IOC)}.get(
        order.kind.limit.tif, 0
    )
    return flags | (int(Flag.REDUCE_ONLY) if order.is_reduce_only else 0)
