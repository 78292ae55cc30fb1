"""A market without a book of others: the mid is a coin-flip walk, orders fill by their distance from it.

The exchange of Avellaneda and Stoikov's simulation. Time goes in periods of dt. At the beginning of each
`step` is told the touch and what became of its orders, decides, and its actions are executed at once. Then
every resting order fills whole, for itself, with a probability that its distance d from the mid alone decides,
and the mid moves by a constant, up or down:

    lambda(d) = A exp(-k d)         LINEAR  p = min(1, lambda dt)         EXACT  p = 1 - exp(-lambda dt)

d is negative for an order beyond the mid. The published touch is `half_width_ticks` away from the mid: wide
enough, and post-only bounds and the check against crossing never bind; `n_bound` counts where they did.
What it assumes: nobody else rests, no queue, no latency, no fees.

Source: Quantitative Finance 8(3), 2008, section 3.3; formulas d-2. Pure; the loop calls `step` itself.
"""

from enum import IntEnum

from numba import types

from makerside.core.kernel import Record, kernel, records
from makerside.core.numbers import exp
from makerside.core.positions import unrealized_e8
from makerside.core.step import step
from makerside.model.account import account_t
from makerside.model.action import ActionKind
from makerside.model.desk import desk_t
from makerside.model.event import Flag, Kind, account_detail_t, event_t, order_detail_t
from makerside.model.layout import row_type
from makerside.model.market import market_t
from makerside.model.trader import REFUSALS_CAPACITY, trader_t
from makerside.model.units import BUY, NS_PER_S, SELL
from makerside.sim.random import random_t, uniform

RESTING_CAPACITY = 8  # a strategy of one quote a side has two orders and two that are being replaced
INBOX_ROWS = 64  # acks, ends and fills of one period, two rows each, and the touch
WARMUP_PERIODS = 16  # in which the mid swings and nobody trades: the variance forgets the path before
PAUSE_NS = 1_000 * NS_PER_S  # between two paths
LAST, SELL_FLAG = int(Flag.LAST), int(Flag.SELL)
PLACE = int(ActionKind.PLACE)


class FillModel(IntEnum):
    """What lambda dt means."""

    LINEAR = 0  # a probability, taken literally
    EXACT = 1  # the mean of a Poisson number


resting_t = row_type(
    [("client_order_id", "i8"), ("side", "i8"), ("price_ticks", "i8"), ("size_lots", "i8"), ("level", "i8")]
)

intensity_market_t = row_type(
    [
        # Settings.
        ("a_per_s", "f8"),
        ("k_per_tick", "f8"),
        ("fill_model", "i8"),
        ("dt_ns", "i8"),
        ("n_periods", "i8"),
        ("move_ticks", "i8"),  # of the mid in one period, sigma sqrt(dt)
        ("start_ticks", "i8"),
        ("half_width_ticks", "i8"),
        ("cash_e8", "i8"),
        # State.
        ("ts_ns", "i8"),
        ("mid_ticks", "i8"),
        ("n_fills", "i8"),  # also the last trade id
        ("n_bound", "i8"),  # orders at the most aggressive price that the touch allows
        ("n_beyond", "i8"),  # orders beyond the mid
        ("n_refused", "i8"),  # quotes that risk or pacing held back
        ("n_strange", "i8"),  # cancels of orders that did not rest
        ("n_resting", "i8"),
        ("resting", resting_t, (RESTING_CAPACITY,)),
        ("random", random_t),
    ]
)

# What one path came to. spread_ticks : mean distance of ask and bid over the n_quoted periods that had both
path_t = row_type(
    [
        ("profit_e8", "i8"),
        ("position_lots", "i8"),
        ("n_fills", "i8"),
        ("n_quoted", "i8"),
        ("spread_ticks", "f8"),
    ]
)

# One period. bid_ticks, ask_ticks : ours, 0 for none;  filled : +1 bought, -1 sold, 2 both
period_t = row_type(
    [("mid_ticks", "i8"), ("bid_ticks", "i8"), ("ask_ticks", "i8"), ("position_lots", "i8"), ("filled", "i8")]
)


@kernel
def fill_probability(house: Record, distance_ticks: float) -> float:
    """Return the probability that an order at a distance from the mid fills within one period."""
    expected = house["a_per_s"] * exp(-house["k_per_tick"] * distance_ticks) * (house["dt_ns"] / NS_PER_S)
    if house["fill_model"] == FillModel.EXACT:
        return 1.0 - exp(-expected)
    return min(1.0, expected)


@kernel
def _write_touch(house: Record, rows: Record, used: int) -> int:
    """Append the touch as one message; returns the rows used."""
    for is_ask in (0, 1):
        row = rows[used + is_ask]
        distance = house["half_width_ticks"] if is_ask == 1 else -house["half_width_ticks"]
        row["ts_venue_ns"] = house["ts_ns"]
        row["ts_local_ns"] = house["ts_ns"]
        row["size_lots"] = 1
        row["price_ticks"] = house["mid_ticks"] + distance
        row["instrument"] = 0
        row["kind"] = Kind.BBO
        row["flags"] = SELL_FLAG | LAST if is_ask == 1 else 0
    return used + 2


@kernel
def _report(house: Record, rows: Record, details: Record, used: int, kind: int, order: Record) -> int:
    """Append a report without LAST: it is decided on once, when the touch is told; returns the rows used."""
    assert used + 2 <= len(rows)
    row = rows[used]
    detail = details[used + 1]
    row["ts_venue_ns"] = house["ts_ns"]
    row["ts_local_ns"] = house["ts_ns"]
    row["size_lots"] = order["size_lots"]
    row["price_ticks"] = order["price_ticks"]
    row["instrument"] = 0
    row["kind"] = kind
    row["flags"] = SELL_FLAG if order["side"] == SELL else 0
    detail["client_order_id"] = order["client_order_id"]
    detail["venue_order_id"] = order["client_order_id"]
    detail["reference"] = house["n_fills"] if kind == Kind.FILL else 0
    detail["fee_e8"] = 0
    return used + 2


@kernel
def _remove(house: Record, i: int) -> None:
    house["n_resting"] -= 1
    if i < house["n_resting"]:
        house["resting"][i] = house["resting"][house["n_resting"]]


@kernel
def execute(house: Record, action: Record, rows: Record, details: Record, used: int) -> int:
    """Carry out one action and report it; returns the rows used. An order never meets another."""
    if int(action["kind"]) != PLACE:
        for i in range(house["n_resting"]):
            if house["resting"][i]["client_order_id"] == action["client_order_id"]:
                used = _report(house, rows, details, used, Kind.ORDER_CANCELED, house["resting"][i])
                _remove(house, i)
                return used
        house["n_strange"] += 1
        return used
    assert house["n_resting"] < RESTING_CAPACITY
    order = house["resting"][house["n_resting"]]
    house["n_resting"] += 1
    order["client_order_id"] = action["client_order_id"]
    order["side"] = SELL if int(action["flags"]) & SELL_FLAG else BUY
    order["price_ticks"] = int(action["price_ticks"])
    order["size_lots"] = action["size_lots"]
    distance = (house["mid_ticks"] - order["price_ticks"]) * order["side"]
    house["n_beyond"] += 1 if distance < 0 else 0
    house["n_bound"] += 1 if distance <= 1 - house["half_width_ticks"] else 0
    return _report(house, rows, details, used, Kind.ORDER_ACK, order)


@kernel
def draw_fills(house: Record, rows: Record, details: Record, used: int) -> int:
    """Let every resting order fill or not; returns the rows used."""
    i = 0
    while i < house["n_resting"]:
        order = house["resting"][i]
        distance = float((house["mid_ticks"] - order["price_ticks"]) * order["side"])
        if uniform(house["random"]) < fill_probability(house, distance):
            house["n_fills"] += 1
            used = _report(house, rows, details, used, Kind.FILL, order)
            _remove(house, i)
        else:
            i += 1
    return used


@kernel
def _note_period(house: Record, account: Record, row: Record) -> None:
    """Write what our quotes and our position were, before the fills of the period."""
    row["mid_ticks"] = house["mid_ticks"]
    row["bid_ticks"] = 0
    row["ask_ticks"] = 0
    row["position_lots"] = account["positions"][0]["position_lots"]
    row["filled"] = 0
    for i in range(house["n_resting"]):
        order = house["resting"][i]
        if order["side"] == BUY:
            row["bid_ticks"] = order["price_ticks"]
        else:
            row["ask_ticks"] = order["price_ticks"]


@kernel
def _open_path(
    house: Record, rows: Record, markets: Record, accounts: Record, traders: Record, desks: Record
) -> None:
    """Put the mid back to its start, let the variance forget, and open the account."""
    account_details = rows.view(account_detail_t)
    house["n_resting"] = 0
    house["ts_ns"] += PAUSE_NS
    for n in range(WARMUP_PERIODS):
        house["mid_ticks"] = house["start_ticks"] + (n % 2) * house["move_ticks"]
        house["ts_ns"] += house["dt_ns"]
        used = _write_touch(house, rows, 0)
        step(rows[:used], markets, accounts, traders, desks)
    house["mid_ticks"] = house["start_ticks"]
    house["ts_ns"] += house["dt_ns"]
    for i in range(4):
        rows[i]["ts_venue_ns"] = 0
        rows[i]["ts_local_ns"] = house["ts_ns"]
        rows[i]["instrument"] = 0
        rows[i]["price_ticks"] = 0
        rows[i]["flags"] = 0
        rows[i]["size_lots"] = 1
    rows[0]["kind"] = Kind.EPOCH
    rows[1]["kind"] = Kind.BALANCE
    account_details[2]["account"] = 0
    account_details[2]["amount_e8"] = house["cash_e8"]
    rows[3]["kind"] = Kind.CONNECT
    step(rows[:4], markets, accounts, traders, desks)


@kernel
def _decide(
    house: Record, inbox: Record, used: int, markets: Record, accounts: Record, traders: Record, desks: Record
) -> int:
    """Tell `step` what happened and the touch, carry out what it decides; returns the rows of the reports."""
    details = inbox.view(order_detail_t)
    used = _write_touch(house, inbox, used)
    step(inbox[:used], markets, accounts, traders, desks)
    desk = desks[0]
    assert desk["n_consumed"] == used
    used = 0
    for i in range(desk["n_actions"]):
        used = execute(house, desk["actions"][i], inbox, details, used)
    return used


@kernel
def _move(house: Record) -> None:
    """Let the mid move and a period pass."""
    is_up = uniform(house["random"]) < 0.5
    house["mid_ticks"] += house["move_ticks"] if is_up else -house["move_ticks"]
    house["ts_ns"] += house["dt_ns"]


@kernel
def _note_quotes(house: Record, path: Record) -> None:
    """Add the distance of ask and bid to the path's mean, unless there is not one order of each."""
    if house["n_resting"] == 2:
        distance = house["resting"][0]["price_ticks"] - house["resting"][1]["price_ticks"]
        path["n_quoted"] += 1
        path["spread_ticks"] += (abs(distance) - path["spread_ticks"]) / path["n_quoted"]


@kernel
def _note_fills(rows: Record, first: int, used: int, period: Record) -> None:
    """Write on which side the orders of a period filled, by its reports."""
    if used > first:
        is_sale = int(rows[first]["flags"]) & SELL_FLAG
        period["filled"] = 2 if used - first > 2 else SELL if is_sale else BUY


@kernel
def _close_path(house: Record, account: Record, trader: Record, path: Record) -> None:
    """Write what the path came to, by the account's own ledger at the last mid."""
    position = account["positions"][0]
    path["n_fills"] = trader["n_fills"]
    path["position_lots"] = position["position_lots"]
    path["profit_e8"] = account["cash_e8"] - house["cash_e8"] + unrealized_e8(position, house["mid_ticks"])
    for reason in range(REFUSALS_CAPACITY):
        house["n_refused"] += trader["refusals"][reason]


@kernel(
    types.void(
        records(intensity_market_t),
        records(market_t),
        records(account_t),
        records(trader_t),
        records(desk_t),
        records(account_t),
        records(trader_t),
        records(event_t),
        records(path_t),
        records(period_t),
    )
)
def run_paths(
    houses: Record,
    markets: Record,
    accounts: Record,
    traders: Record,
    desks: Record,
    fresh_accounts: Record,
    fresh_traders: Record,
    inbox: Record,
    paths: Record,
    periods: Record,
) -> None:
    """Run one path after the other, each with an account and a trader that know nothing of the one before.

    houses    : (1,) intensity_market_t, goes on where it stopped
    markets, accounts, traders, desks : (1,) each, as for `step`; one instrument, one trader
    fresh_accounts, fresh_traders     : (1,) each, the state in which a path begins
    inbox     : (INBOX_ROWS,) event_t, scratch
    paths     : (n,) path_t, written
    periods   : (m,) period_t, written for the first path, m >= n_periods; or (0,)
    """
    house = houses[0]
    details = inbox.view(order_detail_t)
    for p in range(len(paths)):
        accounts[0] = fresh_accounts[0]
        traders[0] = fresh_traders[0]
        paths[p]["n_quoted"] = 0
        paths[p]["spread_ticks"] = 0.0
        _open_path(house, inbox, markets, accounts, traders, desks)
        used = 0
        for n in range(house["n_periods"]):
            first = _decide(house, inbox, used, markets, accounts, traders, desks)
            _note_quotes(house, paths[p])
            is_noted = p == 0 and n < len(periods)
            if is_noted:
                _note_period(house, accounts[0], periods[n])
            used = draw_fills(house, inbox, details, first)
            if is_noted:
                _note_fills(inbox, first, used, periods[n])
            _move(house)
        # The last fills are booked without LAST: the horizon is over, nobody decides.
        step(inbox[:used], markets, accounts, traders, desks)
        _close_path(house, accounts[0], traders[0], paths[p])
