"""The venue's own books of one account: positions, cash, isolated margin, funding, equity.

The bot's ledger (`core/positions.py`) hears of fills and funding late; the venue decides about margin on its
own books, which are these. Both book with the same kernels, so that they agree to the last unit once every
row has arrived. Instruments are legs by index, the same as the `perps`.

Isolated margin: opening moves the initial margin at the fill price (rounded up) into it, closing gives back
floor(isolated x closed / position); the result of what is closed and the fees belong to the account's free
money, funding to the isolated margin. Venues differ in details that they do not document. A spot leg has no
margin and no funding, and binds what it cost. Pure.
"""

from makerside.core.kernel import Record, kernel
from makerside.core.numbers import mul_div_floor
from makerside.core.positions import book_fill, book_funding, notional_e8
from makerside.model.units import BUY, SELL
from makerside.sim.fees import fill_fee_e8, liquidation_fee_e8
from makerside.sim.funding import (
    accrual_whole,
    funding_accrual,
    funding_amount_e8,
    paid_price_e8,
    settle_e8,
)
from makerside.sim.margin import initial_e8, maintenance_e8, state_of
from makerside.sim.perp_prices import value_e8


@kernel
def clear_fill(
    clearing: Record, perp: Record, i: int, side: int, price_ticks: int, size_lots: int, is_taker: bool
) -> int:
    """Book a fill of the account and return its fee. Call it for each FILL report, before it is sent."""
    leg = clearing["legs"][i]
    notional = notional_e8(price_ticks, size_lots, perp["unit_value_e8"])
    fee = fill_fee_e8(leg["fees"], notional, value_e8(perp, size_lots, perp["index_e8"]), is_taker)
    book_clearing_fill(clearing, perp, i, side, price_ticks, size_lots, fee)
    return fee


@kernel
def clear_liquidation(
    clearing: Record, perp: Record, i: int, side: int, price_ticks: int, size_lots: int, limit_ticks: int
) -> int:
    """Book a fill of a liquidation and return its fee, taker fee included. limit_ticks : of its order"""
    leg = clearing["legs"][i]
    unit = perp["unit_value_e8"]
    notional = notional_e8(price_ticks, size_lots, unit)
    on_index = value_e8(perp, size_lots, perp["index_e8"])
    better = 0
    if leg["fees"]["is_of_improvement"] == 1:
        better = side * (notional_e8(limit_ticks, size_lots, unit) - notional)
    extra = liquidation_fee_e8(leg["fees"], notional, on_index, better)
    fee = fill_fee_e8(leg["fees"], notional, on_index, True) + extra
    clearing["liquidation_fees_e8"] += extra
    book_clearing_fill(clearing, perp, i, side, price_ticks, size_lots, fee)
    return fee


@kernel
def book_clearing_fill(
    clearing: Record, perp: Record, i: int, side: int, price_ticks: int, size_lots: int, fee: int
) -> None:
    """Book an execution with a given fee, and move isolated margin with it."""
    leg = clearing["legs"][i]
    position = leg["position"]
    held = position["position_lots"]
    assert leg["is_spot"] == 0 or held + side * size_lots >= 0
    opened = size_lots
    if held != 0 and (held > 0) != (side > 0):
        closed = min(size_lots, abs(held))
        opened = size_lots - closed
        leg["isolated_e8"] -= mul_div_floor(max(0, leg["isolated_e8"]), closed, abs(held))
        if closed == abs(held):
            leg["isolated_e8"] = 0
            leg["is_part_sent"] = 0
    book_fill(position, clearing, side, price_ticks, size_lots, fee)
    if leg["is_isolated"] == 1 and opened > 0:
        leg["isolated_e8"] += initial_e8(leg["margin"], notional_e8(price_ticks, opened, perp["unit_value_e8"]))


@kernel
def accrue_funding(clearing: Record, perp: Record, i: int) -> None:
    """Owe the funding of one sample of an accruing rule. Call it after `funding_sample`."""
    leg = clearing["legs"][i]
    held = leg["position"]["position_lots"]
    if held == 0 or leg["is_spot"] == 1:
        return
    funding = perp["funding"]
    price = perp["index_e8"] if funding["is_on_index"] == 1 else perp["mark_e8"]
    whole, rest = funding_accrual(funding, value_e8(perp, abs(held), price))
    parts = accrual_whole(funding)
    total = leg["accrued_rest"] - (rest if held > 0 else -rest)
    leg["accrued_e8"] += total // parts - (whole if held > 0 else -whole)
    leg["accrued_rest"] = total % parts


@kernel
def pay_funding(clearing: Record, perp: Record, rates: Record, i: int) -> int:
    """Pay or receive the funding that is due on a leg; returns the amount. `load_rate` first.

    An amount that is not 0 is told by a FUNDING row (`perp_rows.write_funding`).

    rates : (k,) funding_rate_t, the recorded payments, which may be empty
    """
    leg = clearing["legs"][i]
    funding = perp["funding"]
    position = leg["position"]
    held = position["position_lots"]
    if leg["is_spot"] == 1:
        return 0
    if funding["is_accruing"] == 1:
        amount = settle_e8(funding, leg["accrued_e8"])
        leg["accrued_e8"] = 0
        leg["accrued_rest"] = 0
    elif held == 0:
        return 0
    else:
        amount = funding_amount_e8(funding, held, value_e8(perp, abs(held), paid_price_e8(perp, rates)))
    if amount == 0:
        return 0
    book_funding(position, clearing, amount)
    clearing["n_funding"] += 1
    if leg["is_isolated"] == 1 and held != 0:
        leg["isolated_e8"] += amount
    return amount


@kernel
def unrealized_at_mark_e8(perp: Record, leg: Record) -> int:
    """Return the open result of a leg at the mark price, with the funding that is owed."""
    position = leg["position"]
    held = position["position_lots"]
    value = value_e8(perp, abs(held), perp["mark_e8"])
    result = value - position["cost_e8"] if held >= 0 else position["cost_e8"] - value
    return result + leg["accrued_e8"]


@kernel
def margin_notional_e8(perp: Record, leg: Record) -> int:
    """Return the notional that margin is asked on: at index or mark price, by the venue's rule."""
    price = perp["index_e8"] if leg["margin"]["is_on_index"] == 1 else perp["mark_e8"]
    return value_e8(perp, abs(leg["position"]["position_lots"]), price)


@kernel
def isolated_equity_e8(perp: Record, leg: Record) -> int:
    """Return what an isolated position is worth with its own margin."""
    return leg["isolated_e8"] + unrealized_at_mark_e8(perp, leg)


@kernel
def cross_equity_e8(clearing: Record, perps: Record) -> int:
    """Return what stands for all positions that are not isolated: free money and their open results.

    Spot holdings count with what they are worth only when they are sold: here their cost is taken out.
    """
    equity = clearing["cash_e8"]
    for i in range(clearing["n_legs"]):
        leg = clearing["legs"][i]
        if leg["is_spot"] == 1:
            equity -= leg["position"]["cost_e8"]
        elif leg["is_isolated"] == 1:
            equity -= leg["isolated_e8"]
        else:
            equity += unrealized_at_mark_e8(perps[i], leg)
    return equity


@kernel
def equity_e8(clearing: Record, perps: Record) -> int:
    """Return what the account is worth at mark prices, spot and owed funding included."""
    total = clearing["cash_e8"]
    for i in range(clearing["n_legs"]):
        total += unrealized_at_mark_e8(perps[i], clearing["legs"][i])
    return total


@kernel
def cross_margins_e8(clearing: Record, perps: Record) -> tuple[int, int]:
    """Return (initial, maintenance) margin of all cross positions."""
    initial = 0
    maintenance = 0
    for i in range(clearing["n_legs"]):
        leg = clearing["legs"][i]
        if leg["is_spot"] == 0 and leg["is_isolated"] == 0 and leg["position"]["position_lots"] != 0:
            notional = margin_notional_e8(perps[i], leg)
            initial += initial_e8(leg["margin"], notional)
            maintenance += maintenance_e8(leg["margin"], notional)
    return initial, maintenance


@kernel
def cross_closeout_e8(clearing: Record, perps: Record) -> int:
    """Return the equity below which the venue takes all cross positions over; each leg's share rounded down."""
    total = 0
    for i in range(clearing["n_legs"]):
        leg = clearing["legs"][i]
        if leg["is_spot"] == 0 and leg["is_isolated"] == 0 and leg["position"]["position_lots"] != 0:
            margin = leg["margin"]
            maintenance = maintenance_e8(margin, margin_notional_e8(perps[i], leg))
            total += mul_div_floor(maintenance, margin["closeout_num"], margin["closeout_den"])
    return total


@kernel
def cross_state(clearing: Record, perps: Record) -> int:
    """Return the `MarginState` of all cross positions together."""
    initial, maintenance = cross_margins_e8(clearing, perps)
    closeout = cross_closeout_e8(clearing, perps)
    return state_of(cross_equity_e8(clearing, perps), initial, maintenance, closeout)


@kernel
def isolated_state(perp: Record, leg: Record) -> int:
    """Return the `MarginState` of an isolated position. It is opened at its initial margin, never below."""
    if leg["position"]["position_lots"] == 0:
        return state_of(0, 0, 0, 0)
    margin = leg["margin"]
    maintenance = maintenance_e8(margin, margin_notional_e8(perp, leg))
    closeout = mul_div_floor(maintenance, margin["closeout_num"], margin["closeout_den"])
    return state_of(isolated_equity_e8(perp, leg), maintenance, maintenance, closeout)


@kernel
def orders_initial_e8(perp: Record, leg: Record) -> int:
    """Return the initial margin of what resting orders could add to a position, at the mark price.

    The caller keeps `open_buy_lots` and `open_sell_lots` of the leg's position: sums of resting sizes.
    """
    position = leg["position"]
    held = position["position_lots"]
    larger = max(abs(held + position["open_buy_lots"]), abs(held - position["open_sell_lots"]))
    added = max(0, larger - abs(held))
    return initial_e8(leg["margin"], value_e8(perp, added, perp["mark_e8"]))


@kernel
def available_e8(clearing: Record, perps: Record) -> int:
    """Return the money that a new order may bind; negative when there is too little for what is there."""
    initial, _ = cross_margins_e8(clearing, perps)
    free = cross_equity_e8(clearing, perps) - initial
    for i in range(clearing["n_legs"]):
        leg = clearing["legs"][i]
        if leg["is_spot"] == 0:
            free -= orders_initial_e8(perps[i], leg)
        elif leg["position"]["open_buy_lots"] > 0:
            free -= value_e8(perps[i], leg["position"]["open_buy_lots"], perps[i]["mark_e8"])
    return free


@kernel
def has_margin_for(
    clearing: Record, perps: Record, i: int, side: int, price_ticks: int, size_lots: int
) -> bool:
    """Return whether the account may open what an order adds. Call it before an order is accepted.

    Spot sells what is there and buys with free money; a perpetual needs the initial margin of what the order
    adds at its own price. What only reduces is always allowed, whatever the margin.
    errors : none; a False is an ORDER_REJECT with Reason.MARGIN
    """
    leg = clearing["legs"][i]
    position = leg["position"]
    held = position["position_lots"]
    if leg["is_spot"] == 1:
        if side == SELL:
            return size_lots <= held - position["open_sell_lots"]
        return notional_e8(price_ticks, size_lots, perps[i]["unit_value_e8"]) <= available_e8(clearing, perps)
    resting = position["open_buy_lots"] if side == BUY else position["open_sell_lots"]
    closing = max(0, -side * held - resting)
    added = max(0, size_lots - closing)
    if added == 0:
        return True
    needed = initial_e8(leg["margin"], notional_e8(price_ticks, added, perps[i]["unit_value_e8"]))
    return needed <= available_e8(clearing, perps)
