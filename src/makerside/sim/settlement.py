"""Between a pit and the venue's books of its account: fills are cleared, new orders need margin. Pure."""

from makerside.core.kernel import Record, kernel
from makerside.core.rows import nth
from makerside.model.event import Flag, Kind, Reason
from makerside.model.units import BUY
from makerside.sim.clearing import clear_fill, clear_liquidation, has_margin_for
from makerside.sim.perp_prices import prices_from_touch
from makerside.sim.pit import remove_order
from makerside.sim.pit_reports import report, report_too_late

FILL, NOTHING, REJECT = int(Kind.FILL), int(Kind.NONE), int(Kind.ORDER_REJECT)
CANCELED = int(Kind.ORDER_CANCELED)
MARGIN, LIQUIDATION = int(Reason.MARGIN), int(Reason.LIQUIDATION)
REDUCE_ONLY = int(Flag.REDUCE_ONLY)


@kernel
def settle_reports(perp: Record, pit: Record, clearing: Record) -> None:
    """Book a pit's fills into the venue's books, with the venue's fees.

    That an order of the venue itself was refused or ended becomes no report: it is nobody's business.
    """
    i = pit["instrument"]
    leg = clearing["legs"][i]
    for k in range(pit["n_reports"]):
        row = pit["reports"][k]
        is_venues = row["order_id"] == leg["liquidation_id"]
        if row["kind"] == FILL:
            side, tick, lots = row["side"], row["price_ticks"], row["size_lots"]
            if is_venues:
                row["fee_e8"] = clear_liquidation(clearing, perp, i, side, tick, lots, leg["liquidation_ticks"])
            else:
                row["fee_e8"] = clear_fill(clearing, perp, i, side, tick, lots, row["is_taker"] == 1)
        elif is_venues:
            row["kind"] = NOTHING


@kernel
def has_room(
    houses: Record,
    pits: Record,
    clearing: Record,
    walk: Record,
    first: int,
    i: int,
    side: int,
    tick: int,
    lots: int,
) -> bool:
    """Return whether an account has the margin for a new order.

    houses, pits : the first of all;  first : number of the account's first pit;  i : the order's instrument
    """
    look_at_touches(houses, walk)
    for m in range(walk["n_markets"]):
        _count_open(nth(pits, first + m), clearing["legs"][m]["position"])
    return has_margin_for(clearing, walk["perps"], i, side, tick, lots)


@kernel
def look_at_touches(houses: Record, walk: Record) -> None:
    """Bring prices that nobody tells up to date. houses : the first of all"""
    for m in range(walk["n_markets"]):
        book = nth(houses, m)["book"]
        prices_from_touch(walk["perps"][m], book["bid_ticks"], book["ask_ticks"])


@kernel
def _count_open(pit: Record, position: Record) -> None:
    """Sum up what rests in a pit."""
    position["open_buy_lots"] = 0
    position["open_sell_lots"] = 0
    for k in range(pit["n_active"]):
        order = pit["orders"][pit["active"][k]]
        if order["flags"] & REDUCE_ONLY:
            continue
        if order["side"] == BUY:
            position["open_buy_lots"] += order["open_lots"]
        else:
            position["open_sell_lots"] += order["open_lots"]


@kernel
def refuse_for_margin(pit: Record, order_id: int, client: int, side: int, price_ticks: int) -> None:
    """Report that an order was refused for want of margin."""
    report_too_late(pit, order_id, client, side, price_ticks)
    row = pit["reports"][pit["n_reports"] - 1]
    row["kind"] = REJECT
    row["reason"] = MARGIN


@kernel
def cancel_for_liquidation(house: Record, pit: Record, ts_ns: int) -> None:
    """End all orders of a pit, because its account is liquidated."""
    pit["ts_ns"] = max(pit["ts_ns"], ts_ns)
    while pit["n_active"] > 0:
        slot = pit["active"][0]
        order = pit["orders"][slot]
        left = order["open_lots"]
        order["open_lots"] = 0
        report(pit, order, CANCELED, left, LIQUIDATION)
        remove_order(house, pit, slot)
