"""The desk record: what one decision needs on the table, and nothing that outlives it.

`seq` and `now_ns` excepted, everything here is scratch: it may be cleared between two calls of
`step` without changing any action. Pure; numpy only.
"""

from makerside.model.action import action_t
from makerside.model.layout import row_type
from makerside.model.order import ORDER_CAPACITY
from makerside.model.quote import QUOTE_CAPACITY, quote_parts_t, quote_t
from makerside.model.trader import LEGS_CAPACITY

# Actions that one call of `step` can return; it stops early, at a row, when the next decisions might
# not fit: one decision writes at most one cancel per order and one place per quote.
ACTIONS_PER_DECISION = ORDER_CAPACITY + QUOTE_CAPACITY
TRADERS_MAX = 32
ACTIONS_CAPACITY = ACTIONS_PER_DECISION * TRADERS_MAX

STRATEGIES_CAPACITY = 8

leg_view_t = row_type(
    [
        ("bid_ticks", "i8"),  # the touch without our own orders
        ("ask_ticks", "i8"),
        ("mid_ticks", "f8"),
        ("position_lots", "i8"),
        ("position_max_lots", "i8"),
    ]
)

desk_t = row_type(
    [
        ("seq", "i8"),  # event rows seen since the run began, continuation rows included
        ("own_seq", "i8"),  # of one parameter set among many: rows beside those that all see
        ("now_ns", "i8"),
        ("wake_ns", "i8"),  # a strategy that depends on time says when to ask it again
        ("targets", "i8", (STRATEGIES_CAPACITY,)),  # addresses of the strategies of this process
        ("is_explaining", "i8"),  # 1: fill `parts`
        ("legs", leg_view_t, (LEGS_CAPACITY,)),
        ("n_quotes", "i8"),
        ("quotes", quote_t, (QUOTE_CAPACITY,)),
        ("parts", quote_parts_t, (QUOTE_CAPACITY,)),
        ("is_taken", "i8", (QUOTE_CAPACITY,)),  # by the diff: the quote has its order
        ("stamp", "i8"),  # of the last diff, and for each slot the last one in which its order served a quote
        ("stamps", "i8", (ORDER_CAPACITY,)),
        ("n_consumed", "i8"),  # rows that the last call of `step` took
        ("n_actions", "i8"),
        ("actions", action_t, (ACTIONS_CAPACITY,)),
    ]
)
