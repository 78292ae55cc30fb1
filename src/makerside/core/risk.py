"""Pre-trade risk: every quote is clipped to the limits, every order approved or refused with a reason.

Limits hold under the worst case: what would happen if every working order of one side filled. An
order that is being cancelled counts until the venue has confirmed it; the quote that replaces it
waits for that when the room is short. Pure.
"""

from makerside.core.kernel import Record, inlined, kernel
from makerside.core.numbers import mul_div_e9
from makerside.core.positions import notional_e8, worst_case_lots
from makerside.core.prices import round_price
from makerside.model.event import Reason
from makerside.model.order import OrderState
from makerside.model.units import BUY

APPROVED = int(Reason.NONE)
_PRODUCT_MAX = 9.2e18  # beyond it a product may not fit into 63 bits
WOULD_CROSS = int(Reason.WOULD_CROSS)
PRICE_BAND = int(Reason.PRICE_BAND)
POSITION_LIMIT = int(Reason.POSITION_LIMIT)
ORDER_NOTIONAL = int(Reason.ORDER_NOTIONAL)
TOTAL_NOTIONAL = int(Reason.TOTAL_NOTIONAL)
MIN_NOTIONAL = int(Reason.MIN_NOTIONAL)
SIZE = int(Reason.SIZE)
TICK = int(Reason.TICK)
PENDING_NEW, UNKNOWN = int(OrderState.PENDING_NEW), int(OrderState.UNKNOWN)


@inlined
def fit_quotes(market: Record, account: Record, trader: Record, desk: Record, leg_index: int) -> None:
    """Clip the quotes of one leg to what its limits allow, nearest first; size 0 drops a quote.

    Quotes share the room of their side as if no other order worked: the diff then finds them equal
    to what rests, instead of a size that depends on what is in flight.
    """
    rules = market["rules"]
    leg = trader["legs"][leg_index]
    held = account["positions"][leg["position"]]["position_lots"]
    buy_room = leg["position_max_lots"] - held
    sell_room = leg["position_max_lots"] + held
    for q in range(desk["n_quotes"]):
        quote = desk["quotes"][q]
        if quote["leg"] != leg_index:
            continue
        room = buy_room if quote["side"] == BUY else sell_room
        per_lot = max(1, quote["price_ticks"] * rules["unit_value_e8"])
        lots = max(0, min(quote["size_lots"], room))
        if float(lots) * float(per_lot) > _PRODUCT_MAX or lots * per_lot > trader["order_notional_max_e8"]:
            lots = trader["order_notional_max_e8"] // per_lot
        if lots < rules["min_size_lots"] or lots * per_lot < rules["min_notional_e8"]:
            if quote["size_lots"] > 0:
                by_notional = trader["order_notional_max_e8"] // per_lot
                trader["refusals"][_why_small(rules, quote["size_lots"], room, by_notional)] += 1
            lots = 0
        quote["size_lots"] = lots
        if quote["side"] == BUY:
            buy_room -= lots
        else:
            sell_room -= lots


@kernel
def _why_small(rules: Record, size_lots: int, room: int, by_notional: int) -> int:
    """Return the reason code of a quote that was clipped to nothing."""
    if size_lots < rules["min_size_lots"]:
        return SIZE
    if room <= min(size_lots - 1, by_notional):
        return POSITION_LIMIT
    if by_notional < size_lots:
        return ORDER_NOTIONAL
    return MIN_NOTIONAL


@inlined
def check_order(
    market: Record, account: Record, trader: Record, leg: Record, side: int, price_ticks: int, size_lots: int
) -> int:
    """Return NONE when an order may be sent now, or the reason why not: the last gate before the wire.

    leg : leg_t of the trader; size_lots : already clipped by `fit_quotes`
    """
    rules = market["rules"]
    if price_ticks <= 0 or not _is_in_band(market, trader, price_ticks):
        return PRICE_BAND
    is_crossing = price_ticks >= market["ask_ticks"] if side == BUY else price_ticks <= market["bid_ticks"]
    if is_crossing or _would_meet_us(trader, leg, side, price_ticks):
        return WOULD_CROSS
    if round_price(rules, price_ticks, side) != price_ticks:
        return TICK
    position = account["positions"][leg["position"]]
    if size_lots > _room_lots(position, leg, side):
        return POSITION_LIMIT
    unit = rules["unit_value_e8"]
    notional = notional_e8(price_ticks, size_lots, unit)
    if size_lots < rules["min_size_lots"]:
        return SIZE
    if notional < rules["min_notional_e8"]:
        return MIN_NOTIONAL
    if notional > trader["order_notional_max_e8"]:
        return ORDER_NOTIONAL
    worst_lots = max(0, _worst_after(position, side, size_lots))
    if worst_lots <= worst_case_lots(position):
        return APPROVED  # it takes risk away, or adds none: a limit that was passed must not keep us there
    worst = notional_e8(price_ticks, worst_lots, unit)
    if worst + total_worst_case_e8(account, leg["position"]) > account["total_notional_max_e8"]:
        return TOTAL_NOTIONAL
    return APPROVED


@inlined
def _would_meet_us(trader: Record, leg: Record, side: int, price_ticks: int) -> bool:
    """Return whether an order could trade with one of ours that may still rest on the other side.

    An order whose cancel travels counts until its end is told.
    """
    for i in range(trader["n_active"]):
        order = trader["orders"][trader["active"][i]]
        if order["side"] == side or not PENDING_NEW <= order["state"] <= UNKNOWN:
            continue
        is_met = order["price_ticks"] <= price_ticks if side == BUY else order["price_ticks"] >= price_ticks
        if is_met and trader["legs"][int(order["leg"])]["instrument"] == leg["instrument"]:
            return True
    return False


@inlined
def _is_in_band(market: Record, trader: Record, price_ticks: int) -> bool:
    """Return whether a price is near enough to the mid; in doubled ticks, so that half ticks are exact."""
    mid_x2 = market["bid_ticks"] + market["ask_ticks"]
    distance_x2 = abs(2 * price_ticks - mid_x2)
    return distance_x2 <= mul_div_e9(mid_x2, trader["price_band_e9"])[0]


@inlined
def _room_lots(position: Record, leg: Record, side: int) -> int:
    """Return how much more may be ordered on a side before the position limit binds."""
    if side == BUY:
        return leg["position_max_lots"] - position["position_lots"] - position["open_buy_lots"]
    return leg["position_max_lots"] + position["position_lots"] - position["open_sell_lots"]


@inlined
def _worst_after(position: Record, side: int, lots: int) -> int:
    """Return the worst-case absolute position if `lots` more were ordered on a side."""
    long = position["position_lots"] + position["open_buy_lots"] + (lots if side == BUY else 0)
    short = position["open_sell_lots"] - position["position_lots"] + (lots if side != BUY else 0)
    return max(long, short)


@kernel
def total_worst_case_e8(account: Record, skipped: int) -> int:
    """Return the worst-case notional of all positions but one, at their last mids.

    A position whose market has not been decided on yet has no price, and no orders: it counts at its cost.
    """
    total = 0
    for i in range(account["n_positions"]):
        if i != skipped:
            position = account["positions"][i]
            if position["price_ticks"] <= 0:
                total += position["cost_e8"]
                continue
            lots = max(0, worst_case_lots(position))
            total += notional_e8(position["price_ticks"], lots, position["unit_value_e8"])
    return total
