"""Mark price, index price and impact prices of a perpetual at the simulated venue.

What a recording tells of them is the truth. Where it tells nothing, the middle of the touch stands for
both prices, so that the premium is 0 by construction and funding by rule is the interest alone: a backtest
that wants true funding brings recorded rates. Prices are integers of 10^-8. Pure.
"""

from makerside.core.book import book_lots, next_ask, next_bid
from makerside.core.kernel import Record, kernel
from makerside.core.numbers import mul_div_floor
from makerside.model.market import NO_ASK, NO_BID
from makerside.model.units import ASK, BID, BUY

LEVELS_MAX = 1_000  # that an impact price looks at


@kernel
def value_e8(perp: Record, size_lots: int, price_e8: int) -> int:
    """Return size x price in money, rounded down to 10^-8. perp : perp_t;  size_lots >= 0"""
    assert size_lots >= 0
    return mul_div_floor(size_lots * perp["unit_value_e8"], price_e8, perp["tick_e8"])


@kernel
def prices_told(perp: Record, mark_e8: int, index_e8: int) -> None:
    """Take mark and index price as the venue tells them; 0 is not told."""
    if mark_e8 > 0:
        perp["mark_e8"] = mark_e8
        perp["is_told"] = 1
    if index_e8 > 0:
        perp["index_e8"] = index_e8


@kernel
def rate_told(funding: Record, rate_e12: int) -> None:
    """Take the funding rate that the venue tells."""
    funding["told_e12"] = rate_e12
    funding["has_told"] = 1


@kernel
def prices_from_touch(perp: Record, bid_ticks: int, ask_ticks: int) -> None:
    """Take the middle of the touch for prices that no row tells. Call it before they are used."""
    if bid_ticks == NO_BID or ask_ticks == NO_ASK:
        return
    mid_e8 = (bid_ticks + ask_ticks) * perp["tick_e8"] // 2
    if perp["is_told"] == 0:
        perp["mark_e8"] = mid_e8
        perp["index_e8"] = mid_e8
    elif perp["index_e8"] == 0:
        perp["index_e8"] = perp["mark_e8"]


@kernel
def impact_price_e8(perp: Record, book: Record, side: int, notional_e8: int) -> int:
    """Return the mean price at which a notional could be bought (BUY) or sold (SELL) now; 0: not deep enough.

    Levels are taken whole but the last, of which the fewest lots that reach the notional are; the mean is
    rounded down.
    """
    value = 0
    lots = 0
    is_buy = side == BUY
    tick = book["ask_ticks"] if is_buy else book["bid_ticks"]
    for _ in range(LEVELS_MAX):
        if tick in (NO_BID, NO_ASK):
            return 0
        per_lot = tick * perp["unit_value_e8"]
        there = book_lots(book, ASK if is_buy else BID, tick)
        needed = -((value - notional_e8) // per_lot)
        taken = min(there, needed)
        lots += taken
        value += taken * per_lot
        if value >= notional_e8:
            return mul_div_floor(value, perp["tick_e8"], lots * perp["unit_value_e8"])
        tick = next_ask(book, tick + 1) if is_buy else next_bid(book, tick - 1)
    return 0
