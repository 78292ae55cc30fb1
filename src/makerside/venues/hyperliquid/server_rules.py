"""What the local exchange refuses before an order reaches the book, in the venue's words.

Next: `server_venue.py`.
"""

from typing import TYPE_CHECKING

from makerside.model.event import Flag, Reason
from makerside.sim.records import CLIENT_ORDERS_CAPACITY
from makerside.venues.hyperliquid import reasons
from makerside.venues.hyperliquid.rules import is_price_allowed
from makerside.venues.hyperliquid.server_accounts import Account
from makerside.venues.hyperliquid.wire_actions import Order

if TYPE_CHECKING:
    from makerside.venues.hyperliquid.server_venue import LocalVenue


def why_refused(
    venue: "LocalVenue", account: Account, order: Order, index: int, price: int, lots: int
) -> str | None:
    """Return the venue's words for an order that does not reach the book, None when it does."""
    instrument, asset = venue.instruments[index], order.asset
    if order.kind.limit is None:
        return "Trigger orders are not available on this exchange yet"
    if lots <= 0:
        return "Order has zero size."
    if not is_price_allowed(instrument, price):
        return reasons.order_error_text(Reason.TICK, asset)
    held = account.position_lots(index)
    is_closing = held != 0 and (held > 0) != order.is_buy
    notional = price * lots * instrument.unit_value_e8
    if notional < venue.rules.min_notional_usd * 10**8 and not (is_closing and lots >= abs(held)):
        minimum = format(venue.rules.min_notional_usd, "f")
        return reasons.order_error_text(Reason.MIN_NOTIONAL, asset, minimum=minimum)
    if order.is_reduce_only and not is_closing:
        return reasons.order_error_text(Reason.REDUCE_ONLY, asset)
    mark, band = venue.feeds[index].mark_ticks, venue.rules.reference_band
    if mark and abs(price - mark) > band * mark:
        return f"Order price cannot be more than {band * 100:.0f}% away from the reference price"
    if order.cloid is not None and order.cloid.lower() in account.open_cloids:
        return f"Order has a cloid that is in use. asset={asset}"
    is_full = int(venue.exchanges[index]["n_active"]) >= CLIENT_ORDERS_CAPACITY
    if is_full or len(account.open) >= venue.rules.open_orders_cap(account.volume_e8 // 10**8):
        return "Too many open orders"
    if not is_closing and not has_margin(venue, account, index, price, lots):
        return reasons.order_error_text(Reason.MARGIN, asset)
    return None


def has_margin(venue: "LocalVenue", account: Account, index: int, price: int, lots: int) -> bool:
    """Return whether free margin covers a new order at the account's leverage. Section 7.5."""
    marks = venue.marks
    needed = price * lots * venue.instruments[index].unit_value_e8 // account.leverage[index]
    return account.value_e8(marks) - account.margin_used_e8(marks) >= needed


def flags_of(order: Order) -> int:
    """Return the flags of the simulated exchange for an order on the wire."""
    assert order.kind.limit is not None
    flags = {"Alo": int(Flag.POST_ONLY), "Ioc": int(Flag.IOC), "FrontendMarket": int(Flag.IOC)}.get(
        order.kind.limit.tif, 0
    )
    return flags | (int(Flag.REDUCE_ONLY) if order.is_reduce_only else 0)
