"""Liquidation: what the venue sends to the book when margin is short, and what it takes over.

When the loop calls what. After prices, a fill or a funding payment have changed, and there is a position:
`next_liquidation` until it says no. The first yes for a position is preceded by the end of the account's
orders, all of them for cross margin, those of the instrument for isolated: ORDER_CANCELED rows with
Reason.LIQUIDATION. A market liquidation is then placed as an IOC, reduce-only order of the account with the
leg's `liquidation_id`, at worst at `price_ticks`; its fills are FILL rows with the fee of
`clearing.clear_liquidation`; that the rest of it ends is no business of the bot's. A takeover never reaches
the book: `take_over` books it, one FILL row at the mark price whose fee is what was left of the margin.
The bot books these fills like any other, by the bot id inside the order id, and finds no order of its own.

Where it is wrong: insurance funds and auto-deleveraging are not modelled, a bankrupt account ends at zero
and the venue bears the rest; of several cross positions the one with the largest maintenance margin goes
first; orders that add risk below the initial margin are refused when new and not cancelled when they rest.
Pure.
"""

from makerside.core.kernel import Record, kernel
from makerside.core.numbers import mul_div_floor
from makerside.model.terms import Execution
from makerside.model.units import BUY, SELL
from makerside.sim.clearing import (
    book_clearing_fill,
    cross_equity_e8,
    cross_margins_e8,
    cross_state,
    isolated_equity_e8,
    isolated_state,
    margin_notional_e8,
)
from makerside.sim.margin import LIQUIDATE, TAKE_OVER, maintenance_e8, part_lots
from makerside.sim.perp_prices import value_e8

ZERO_PRICE = int(Execution.ZERO_PRICE)
PRICE_TICKS_MAX = (1 << 31) - 1  # what a row can hold
PRICE_TICKS_MIN = 1


@kernel
def next_liquidation(clearing: Record, perps: Record, order: Record, ts_ns: int) -> bool:
    """Write what the venue does next about an account that is short of margin; returns whether it does.

    order : liquidation_t, is overwritten. The state of the leg moves on: what was returned must be carried out
    """
    for i in range(clearing["n_legs"]):
        leg = clearing["legs"][i]
        if leg["is_isolated"] == 0 or leg["is_spot"] == 1 or leg["position"]["position_lots"] == 0:
            continue
        state = isolated_state(perps[i], leg)
        if state == TAKE_OVER:
            _takeover_order(perps[i], leg, order, i)
            return True
        if state == LIQUIDATE and ts_ns >= leg["ts_liquidation_ns"]:
            equity = isolated_equity_e8(perps[i], leg)
            maintenance = maintenance_e8(leg["margin"], margin_notional_e8(perps[i], leg))
            _market_order(perps[i], leg, order, i, ts_ns, equity, maintenance)
            return True
        if state < LIQUIDATE:
            _recover(leg, ts_ns)
    return _next_cross(clearing, perps, order, ts_ns)


@kernel
def _next_cross(clearing: Record, perps: Record, order: Record, ts_ns: int) -> bool:
    state = TAKE_OVER if clearing["is_taken_over"] == 1 else cross_state(clearing, perps)
    if state < LIQUIDATE:
        for i in range(clearing["n_legs"]):
            if clearing["legs"][i]["is_isolated"] == 0:
                _recover(clearing["legs"][i], ts_ns)
        return False
    found = -1
    largest = -1
    for i in range(clearing["n_legs"]):
        leg = clearing["legs"][i]
        if leg["is_isolated"] == 1 or leg["is_spot"] == 1 or leg["position"]["position_lots"] == 0:
            continue
        maintenance = maintenance_e8(leg["margin"], margin_notional_e8(perps[i], leg))
        is_free = state == TAKE_OVER or ts_ns >= leg["ts_liquidation_ns"]
        if is_free and maintenance > largest:
            found = i
            largest = maintenance
    if found < 0:
        return False
    leg = clearing["legs"][found]
    if state == TAKE_OVER:
        clearing["is_taken_over"] = 1  # all of them, even if the first ones would be enough
        _takeover_order(perps[found], leg, order, found)
    else:
        _, whole = cross_margins_e8(clearing, perps)
        _market_order(perps[found], leg, order, found, ts_ns, cross_equity_e8(clearing, perps), whole)
    return True


@kernel
def _recover(leg: Record, ts_ns: int) -> None:
    """Note that a leg is well again once its cooldown is over: its next liquidation begins with a part."""
    if ts_ns >= leg["ts_liquidation_ns"]:
        leg["is_part_sent"] = 0


@kernel
def _takeover_order(perp: Record, leg: Record, order: Record, i: int) -> None:
    held = leg["position"]["position_lots"]
    order["leg"] = i
    order["side"] = SELL if held > 0 else BUY
    order["size_lots"] = abs(held)
    order["price_ticks"] = max(PRICE_TICKS_MIN, perp["mark_e8"] // perp["tick_e8"])
    order["is_takeover"] = 1
    order["is_isolated"] = leg["is_isolated"]
    order["fee_e8"] = 0


@kernel
def _market_order(
    perp: Record, leg: Record, order: Record, i: int, ts_ns: int, equity_e8: int, maintenance: int
) -> None:
    held = leg["position"]["position_lots"]
    margin = leg["margin"]
    side = SELL if held > 0 else BUY
    order["leg"] = i
    order["side"] = side
    order["size_lots"] = part_lots(margin, held, margin_notional_e8(perp, leg), leg["is_part_sent"])
    order["price_ticks"] = PRICE_TICKS_MIN if side == SELL else PRICE_TICKS_MAX
    if margin["execution"] == ZERO_PRICE:
        order["price_ticks"] = zero_price_ticks(perp, leg, equity_e8, maintenance)
    order["is_takeover"] = 0
    order["is_isolated"] = leg["is_isolated"]
    order["fee_e8"] = 0
    leg["liquidation_ticks"] = order["price_ticks"]
    leg["ts_liquidation_ns"] = ts_ns + margin["cooldown_ns"]
    leg["is_part_sent"] = 1


@kernel
def zero_price_ticks(perp: Record, leg: Record, equity_e8: int, maintenance: int) -> int:
    """Return the price at which closing keeps equity over maintenance margin as it is, rounded in our favour.

    mark x (1 - side x f x equity / maintenance), f the leg's own maintenance fraction; equity and maintenance
    are the account's, or of an isolated position. source : Lighter, section 7.3
    """
    held = leg["position"]["position_lots"]
    at_mark = value_e8(perp, abs(held), perp["mark_e8"])
    own = maintenance_e8(leg["margin"], margin_notional_e8(perp, leg))
    offset = mul_div_floor(own, max(0, equity_e8), maintenance)
    per_tick = abs(held) * perp["unit_value_e8"]
    if held > 0:
        return max(PRICE_TICKS_MIN, -((offset - at_mark) // per_tick))
    return max(PRICE_TICKS_MIN, min(PRICE_TICKS_MAX, (at_mark + offset) // per_tick))


@kernel
def take_over(clearing: Record, perps: Record, order: Record) -> int:
    """Book a takeover that `next_liquidation` has told; writes its fee into `order` and returns a trade id.

    The fee is what is left of the margin at that price: of an isolated position its own, of cross positions
    with the last of them all free money. It is negative where the loss was larger: the venue bears that.
    """
    i = order["leg"]
    leg = clearing["legs"][i]
    position = leg["position"]
    isolated = leg["isolated_e8"]
    before = position["realized_e8"]
    book_clearing_fill(clearing, perps[i], i, order["side"], order["price_ticks"], order["size_lots"], 0)
    if order["is_isolated"] == 1:
        fee = isolated + position["realized_e8"] - before + leg["accrued_e8"]
    elif _has_cross_position(clearing):
        fee = 0
    else:
        clearing["is_taken_over"] = 0
        fee = cross_equity_e8(clearing, perps)
    position["fees_e8"] += fee
    clearing["cash_e8"] -= fee
    clearing["n_takeovers"] += 1
    order["fee_e8"] = fee
    trade_id = clearing["next_trade_id"]
    clearing["next_trade_id"] += 1
    return trade_id


@kernel
def _has_cross_position(clearing: Record) -> bool:
    for i in range(clearing["n_legs"]):
        leg = clearing["legs"][i]
        if leg["is_isolated"] == 0 and leg["is_spot"] == 0 and leg["position"]["position_lots"] != 0:
            return True
    return False
