"""The diff: which working orders stay, which must go, which quotes need an order.

A working order stays for a wanted quote of its side and leg when its price is within the hysteresis
and its open size is the wanted one or the filled rest of it: keeping an order keeps its place in the
queue. Quotes are matched in their order (nearest to the market first), each with the nearest order.
After the actions of a diff have been carried out, the same targets give an empty diff. Pure.
"""

from makerside.core.kernel import Record, inlined
from makerside.core.numbers import mul_div_e9
from makerside.model.order import OrderState

PENDING_NEW = int(OrderState.PENDING_NEW)
RESTING = int(OrderState.RESTING)


@inlined
def is_quoting(order: Record) -> bool:
    """Return whether an order stands for a quote: it rests or is on its way, and no cancel was sent."""
    return order["state"] == PENDING_NEW or order["state"] == RESTING


@inlined
def _tolerance_ticks(trader: Record, price_ticks: int) -> int:
    return mul_div_e9(price_ticks, trader["hysteresis_e9"])[0]


@inlined
def _is_size_kept(order: Record, size_lots: int) -> bool:
    """A partly filled order keeps its place: its rest is topped up only when it has ended."""
    return order["open_lots"] == size_lots or (order["filled_lots"] > 0 and order["open_lots"] < size_lots)


@inlined
def match_quotes(trader: Record, desk: Record) -> None:
    """Set `is_taken[q]` to 1 + slot of the order that serves quote q, or 0 when it needs a new one."""
    stamp = desk["stamp"] + 1  # marks the slots that serve a quote of this decision
    desk["stamp"] = stamp
    for q in range(desk["n_quotes"]):
        quote = desk["quotes"][q]
        best = -1
        best_distance = _tolerance_ticks(trader, quote["price_ticks"]) + 1
        for i in range(trader["n_active"]):
            slot = trader["active"][i]
            order = trader["orders"][slot]
            if not is_quoting(order) or order["side"] != quote["side"] or order["leg"] != quote["leg"]:
                continue
            distance = abs(order["price_ticks"] - quote["price_ticks"])
            if distance >= best_distance or not _is_size_kept(order, quote["size_lots"]):
                continue
            if desk["stamps"][slot] == stamp:
                continue
            best = slot
            best_distance = distance
            if distance == 0:
                break
        desk["is_taken"][q] = best + 1
        if best >= 0:
            desk["stamps"][best] = stamp


@inlined
def is_wanted(desk: Record, slot: int) -> bool:
    """Return whether some quote is served by the order in `slot`."""
    return desk["stamps"][slot] == desk["stamp"]
