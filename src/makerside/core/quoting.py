"""Quotes on the desk: how a strategy states one, with the parts that its price is made of.

The price a strategy wants is a sum of parts in ticks (`model/quote.py`). Here it becomes an allowed
price: not crossing, one step away from the level before it, rounded away from the market. What each
of these moved is a part as well, so that the parts sum to the price exactly. Pure.
"""

from makerside.core.kernel import Record, kernel
from makerside.core.numbers import ceil_ticks, floor_ticks
from makerside.core.prices import round_price
from makerside.model.event import Flag
from makerside.model.market import NO_ASK, NO_BID
from makerside.model.quote import QUOTE_CAPACITY, Part
from makerside.model.units import BUY

POST_ONLY = int(Flag.POST_ONLY)
PRICE_LIMIT = float(1 << 31)  # an event row's price has 32 bits


@kernel
def add_quote(
    market: Record,
    desk: Record,
    leg: Record,
    side: int,
    level: int,
    size_lots: int,
    reference: float,
    inventory: float,
    half_spread: float,
    deeper: float,
) -> int:
    """Put one post-only quote on the desk, or nothing when it has no valid price; returns 1 or 0.

    reference   : fair value in ticks;  inventory : shift of it, signed
    half_spread : distance of the first level, >= 0;  deeper : further distance of this level, >= 0
    """
    n = desk["n_quotes"]
    model = reference + inventory - side * half_spread - side * deeper
    if n >= QUOTE_CAPACITY or size_lots <= 0 or not (0.0 < model < PRICE_LIMIT):
        return 0
    rounded = floor_ticks(model) if side == BUY else ceil_ticks(model)
    price = round_price(market["rules"], rounded, side)
    bound = _bound(market, desk, leg, side)
    is_bound = price > bound if side == BUY else price < bound
    if is_bound:
        price = bound
    if price <= 0:
        return 0
    quote = desk["quotes"][n]
    quote["price_ticks"] = price
    quote["size_lots"] = size_lots
    quote["side"] = side
    quote["leg"] = leg
    quote["level"] = level
    quote["flags"] = POST_ONLY
    desk["n_quotes"] = n + 1
    if desk["is_explaining"] == 1:
        _explain(desk["parts"][n], reference, inventory, -side * half_spread, -side * deeper, price, is_bound)
    return 1


@kernel
def _bound(market: Record, desk: Record, leg: Record, side: int) -> int:
    """Return the most aggressive price: one step before the opposite touch and behind all our quotes so far.

    Also behind those of the other side: without a half-spread both would round to the same price.
    """
    lowest = market["ask_ticks"]
    highest = market["bid_ticks"]
    for q in range(desk["n_quotes"]):
        quote = desk["quotes"][q]
        if quote["leg"] == leg:
            lowest = min(lowest, quote["price_ticks"])
            highest = max(highest, quote["price_ticks"])
    if side == BUY:
        return NO_ASK if lowest == NO_ASK else round_price(market["rules"], lowest - 1, side)
    return NO_BID if highest == NO_BID else round_price(market["rules"], highest + 1, side)


@kernel
def _explain(
    parts: Record,
    reference: float,
    inventory: float,
    half_spread: float,
    deeper: float,
    price: int,
    is_bound: bool,
) -> None:
    """Write the parts so that their sum, left to right, is the price to the last bit.

    The last difference is exact (Sterbenz): price and partial sum are within a factor of two.
    """
    so_far = reference + inventory + half_spread + deeper
    bound = price - so_far if is_bound else 0.0
    so_far = so_far + bound
    parts["ticks"][Part.REFERENCE] = reference
    parts["ticks"][Part.INVENTORY] = inventory
    parts["ticks"][Part.HALF_SPREAD] = half_spread
    parts["ticks"][Part.LEVEL] = deeper
    parts["ticks"][Part.BOUND] = bound
    parts["ticks"][Part.ROUNDING] = price - so_far
