"""A strategy for tests: it lays the very quotes that its parameter block lists.

A real strategy of the fixed signature, so that diff, risk and pacing can be shown on chosen targets.
Block: count, then side, price, size of each quote.
"""

from makerside.core.kernel import kernel
from makerside.model.event import Flag
from makerside.model.trader import PARAMS_CAPACITY

POST_ONLY = int(Flag.POST_ONLY)
QUOTES_MAX = (PARAMS_CAPACITY - 1) // 3


@kernel
def targets(market, trader, desk):
    """Lay the listed quotes, nearest first as listed."""
    params = trader["params"]
    n = int(params[0])
    for q in range(n):
        quote = desk["quotes"][q]
        quote["side"] = int(params[1 + 3 * q])
        quote["price_ticks"] = int(params[2 + 3 * q])
        quote["size_lots"] = int(params[3 + 3 * q])
        quote["leg"] = 0
        quote["level"] = q
        quote["flags"] = POST_ONLY
    desk["n_quotes"] = n
    return n


def script(engine, *quotes, trader=0):
    """Make (side, price, size) triples the targets of a trader from now on."""
    assert len(quotes) <= QUOTES_MAX
    params = engine.traders[trader]["params"]
    params[:] = 0.0
    params[0] = len(quotes)
    for q, triple in enumerate(quotes):
        params[1 + 3 * q : 4 + 3 * q] = triple
