"""The venue's clock in a walk: prices as the venue tells them, funding, margin, at their own times.

The exchange of the walk stops at `clock_ns`, and the walk calls `venue_tick`. What worlds share (prices,
premium samples, rates) is worked out once, payments and margin for each world on its own books. Margin is
looked at once a second of venue time, and not at every row: a liquidation comes up to a second later than
it could. Without a clearing the clock never stops. Pure.
"""

from makerside.core.kernel import Record, kernel
from makerside.core.rows import nth
from makerside.model.event import Flag, account_detail_t
from makerside.model.units import NEVER_NS, NS_PER_S
from makerside.sim.clearing import accrue_funding, pay_funding
from makerside.sim.funding import (
    funding_close,
    funding_is_due,
    funding_next_ns,
    funding_sample,
    is_sample_due,
    load_rate,
    premium_e12,
)
from makerside.sim.liquidation import next_liquidation, take_over
from makerside.sim.matching import place_order
from makerside.sim.perp_prices import prices_from_touch, prices_told, rate_told
from makerside.sim.perp_rows import write_funding, write_liquidation_fill
from makerside.sim.reports import arrival_of, next_report, send_reports
from makerside.sim.settlement import cancel_for_liquidation, look_at_touches

MARGIN_NS = NS_PER_S
LIQUIDATION_FLAGS = int(Flag.IOC) | int(Flag.REDUCE_ONLY)
CLIENT = 0  # of a pit that belongs to one world


@kernel
def clock_set(walk: Record, prices: Record) -> None:
    """Set the time at which the clock has something to do next. prices : (k,) price_t by time"""
    if walk["has_clearing"] == 0:
        walk["clock_ns"] = NEVER_NS
        return
    next_ns = walk["margin_ns"]
    for m in range(walk["n_markets"]):
        next_ns = min(next_ns, funding_next_ns(walk["perps"][m]["funding"]))
    if walk["i_price"] < len(prices):
        next_ns = min(next_ns, prices[walk["i_price"]]["ts_ns"])
    walk["clock_ns"] = next_ns


@kernel
def venue_tick(
    prices: Record, rates: Record, houses: Record, pits: Record, worlds: Record, walk: Record
) -> None:
    """Do what is due at `clock_ns`: prices, then funding, then margin.

    prices : (k,) price_t by time;  rates : (r,) funding_rate_t;  houses, pits, worlds : the first of all
    """
    ts_ns = walk["clock_ns"]
    while walk["i_price"] < len(prices) and prices[walk["i_price"]]["ts_ns"] <= ts_ns:
        price = prices[walk["i_price"]]
        perp = walk["perps"][price["instrument"]]
        prices_told(perp, price["mark_e8"], price["index_e8"])
        if price["has_rate"] == 1:
            rate_told(perp["funding"], price["rate_e12"])
        walk["i_price"] += 1
    for m in range(walk["n_markets"]):
        _funding(nth(houses, m), worlds, walk, rates, m, ts_ns)
    if ts_ns >= walk["margin_ns"]:
        walk["margin_ns"] += MARGIN_NS
        for w in range(walk["n_worlds"]):
            _liquidate(houses, pits, nth(worlds, w), walk, w, ts_ns)
    clock_set(walk, prices)


@kernel
def _funding(house: Record, worlds: Record, walk: Record, rates: Record, m: int, ts_ns: int) -> None:
    """Sample the premium of an instrument, let all worlds pay, if it is time."""
    perp = walk["perps"][m]
    funding = perp["funding"]
    book = house["book"]
    if is_sample_due(funding, ts_ns):
        prices_from_touch(perp, book["bid_ticks"], book["ask_ticks"])
        funding_sample(funding, premium_e12(perp, book))
        if funding["is_accruing"] == 1:
            for w in range(walk["n_worlds"]):
                accrue_funding(nth(worlds, w)["clearing"], perp, m)
    if funding_is_due(funding, ts_ns):
        prices_from_touch(perp, book["bid_ticks"], book["ask_ticks"])
        load_rate(funding, rates)
        for w in range(walk["n_worlds"]):
            _pay(nth(worlds, w), walk, w, perp, rates, m, ts_ns)
        funding_close(funding, rates)


@kernel
def _pay(world: Record, walk: Record, w: int, perp: Record, rates: Record, m: int, ts_ns: int) -> None:
    """Let a world pay or receive funding, and tell it."""
    clearing = world["clearing"]
    amount = pay_funding(clearing, perp, rates, m)
    if amount == 0:
        return
    arrival_ns = arrival_of(world, ts_ns)
    at = next_report(world, walk, w, arrival_ns)
    event = world["reports"][at]
    detail = world["details"].view(account_detail_t)[at]
    write_funding(event, detail, clearing, perp, m, amount, ts_ns)
    event["ts_local_ns"] = arrival_ns


@kernel
def _liquidate(houses: Record, pits: Record, world: Record, walk: Record, w: int, ts_ns: int) -> None:
    """Carry out the liquidations of a world that are due."""
    clearing = world["clearing"]
    if not _has_position(clearing):
        return
    look_at_touches(houses, walk)
    order = world["liquidation"]
    first = w * walk["n_markets"]
    while next_liquidation(clearing, walk["perps"], order, ts_ns):
        i = order["leg"]
        for m in range(walk["n_markets"]):
            if order["is_isolated"] == 0 or m == i:
                pit = nth(pits, first + m)
                cancel_for_liquidation(nth(houses, m), pit, ts_ns)
                send_reports(nth(houses, m), pit, world, walk, w, ts_ns)
        if order["is_takeover"] == 1:
            _take_over(nth(pits, first + i), world, walk, w, ts_ns)
        else:
            clearing["n_liquidations"] += 1
            _send_to_book(nth(houses, i), nth(pits, first + i), world, walk, w, ts_ns)


@kernel
def _has_position(clearing: Record) -> bool:
    for i in range(clearing["n_legs"]):
        if clearing["legs"][i]["position"]["position_lots"] != 0:
            return True
    return False


@kernel
def _send_to_book(house: Record, pit: Record, world: Record, walk: Record, w: int, ts_ns: int) -> None:
    order = world["liquidation"]
    identity = world["clearing"]["legs"][order["leg"]]["liquidation_id"]
    tick, lots = order["price_ticks"], order["size_lots"]
    place_order(house, pit, ts_ns, identity, CLIENT, order["side"], tick, lots, LIQUIDATION_FLAGS)
    send_reports(house, pit, world, walk, w, ts_ns)


@kernel
def _take_over(pit: Record, world: Record, walk: Record, w: int, ts_ns: int) -> None:
    order = world["liquidation"]
    clearing = world["clearing"]
    trade_id = take_over(clearing, walk["perps"], order)
    pit["positions"][CLIENT] += order["side"] * order["size_lots"]
    arrival_ns = arrival_of(world, ts_ns)
    at = next_report(world, walk, w, arrival_ns)
    event = world["reports"][at]
    leg = clearing["legs"][order["leg"]]
    price, lots, fee = order["price_ticks"], order["size_lots"], order["fee_e8"]
    write_liquidation_fill(event, world["details"][at], leg, order, price, lots, fee, trade_id, ts_ns)
    event["ts_local_ns"] = arrival_ns
