"""How near our orders came to a fill by a queue model: margins of the prints at their price.

The margin of a print is what it has over what the model says stands before us, per lot of which cancels leave
the place unknown; the model fills an order where it is above 0. Next: `queue_fit.py`.
"""

import math

from numba import types

from makerside.core.kernel import Record, kernel, records
from makerside.model.units import NEVER_NS
from makerside.research.own_orders import own_order_t
from makerside.research.queue_paths import FORCED, LEVEL, PRINT, START, path_t
from makerside.sim.queue import queue_on_level, queue_on_trade
from makerside.sim.records import UNKNOWN_AHEAD, client_order_t

EXACT_SHARE = 0.02  # of the queue at the start: how well a level that saw no cancel is known


@kernel
def _score(
    path: Record,
    order: Record,
    slack_ns: int,
    model: int,
    exponent: float,
    lot_size: float,
    passed: Record,
    reached: Record,
    i: int,
    g: int,
    queue: Record,
) -> None:
    fill_ns = order["fill_ns"] - slack_ns if order["fill_ns"] > 0 else NEVER_NS
    gone = 0.0
    first = UNKNOWN_AHEAD
    queue["ahead_lots"] = UNKNOWN_AHEAD
    queue["traded_lots"] = 0.0
    for k in range(len(path)):
        row = path[k]
        kind = row["kind"]
        if kind == FORCED:
            reached[i, g] = -math.inf  # it filled whatever stood before it, or nobody knows
            return
        if kind == START:
            queue["ahead_lots"] = row["before_lots"]
        elif kind == LEVEL:
            if queue["ahead_lots"] < UNKNOWN_AHEAD:
                gone += max(0.0, row["before_lots"] - row["after_lots"] - queue["traded_lots"])
            queue_on_level(queue, row["before_lots"], row["after_lots"], model, exponent, lot_size)
        if kind != PRINT and first >= UNKNOWN_AHEAD:
            first = queue["ahead_lots"]
        if kind == PRINT and queue["ahead_lots"] < UNKNOWN_AHEAD:
            margin = (row["before_lots"] - 0.5 - queue["ahead_lots"]) / (gone + EXACT_SHARE * first + 1.0)
            if row["ts_ns"] >= fill_ns:
                reached[i, g] = max(reached[i, g], margin)
            else:
                passed[i, g] = max(passed[i, g], margin)
            queue_on_trade(queue, row["before_lots"])


@kernel(
    types.void(
        records(path_t),
        records(own_order_t),
        types.int64,
        types.int64,
        types.Array(types.float64, 1, "C"),
        types.float64,
        types.Array(types.float64, 2, "C"),
        types.Array(types.float64, 2, "C"),
        records(client_order_t),
    )
)
def score_paths(
    path: Record,
    orders: Record,
    slack_ns: int,
    model: int,
    exponents: Record,
    lot_size: float,
    passed: Record,
    reached: Record,
    scratch: Record,
) -> None:
    """Write how near each order came to a fill by a model: the margin of the prints, per cancelled lot.

    path            : (k,) path_t sorted by order
    slack_ns        : prints so long before the fill's time are the fill's own
    model           : of `QueueModel`;  exponents : (g,) above 0;  lot_size : one lot in coins
    passed, reached : (n, g): largest margin of prints that left the order alone, and of those that filled it;
                      -inf where there was none. The margin is (print - ahead) / what cancels leave unknown:
                      the model fills an order when it is above 0
    scratch         : (1,) client_order_t
    """
    start = 0
    while start < len(path):
        order = path[start]["order"]
        end = start
        while end < len(path) and path[end]["order"] == order:
            end += 1
        for g in range(len(exponents)):
            _score(
                path[start:end],
                orders[order],
                slack_ns,
                model,
                exponents[g],
                lot_size,
                passed,
                reached,
                order,
                g,
                scratch[0],
            )
        start = end
