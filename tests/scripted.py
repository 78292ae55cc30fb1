"""A strategy for tests: it lays the very quotes that its parameter block lists.

A real strategy of the fixed signature, so that diff, risk and pacing can be shown on chosen targets.
Block: count, then side, price, size and leg of each quote.
"""

from makerside.core.kernel import kernel
from makerside.model.event import Flag
from makerside.model.trader import PARAMS_CAPACITY

POST_ONLY = int(Flag.POST_ONLY)
QUOTES_MAX = (PARAMS_CAPACITY - 1) // 4


@kernel
def targets(market, trader, desk):
    """Lay the listed quotes, nearest first as listed."""
    params = trader["params"]
    n = int(params[0])
    for q in range(n):
        quote = desk["quotes"][q]
        quote["side"] = int(params[1 + 4 * q])
        quote["price_ticks"] = int(params[2 + 4 * q])
        quote["size_lots"] = int(params[3 + 4 * q])
        quote["leg"] = int(params[4 + 4 * q])
        quote["level"] = q
        quote["flags"] = POST_ONLY
    desk["n_quotes"] = n
    desk["wake_ns"] = 0  # the quotes change from outside: ask again at the next timer
    return n


def script(engine, *quotes, trader=0):
    """Make (side, price, size[, leg]) tuples the targets of a trader from now on."""
    assert len(quotes) <= QUOTES_MAX
    params = engine.traders[trader]["params"]
    params[:] = 0.0
    params[0] = len(quotes)
    for q, quote in enumerate(quotes):
        params[1 + 4 * q : 1 + 4 * q + len(quote)] = quote
