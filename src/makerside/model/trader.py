"""The trader record: one strategy instance with its legs, limits, parameters, state and orders.

Parameters and state of a strategy live in fixed blocks of float64 and are read by named index (an
IntEnum in the strategy's file), so that the compiled loops are the same for every strategy. The
order table is a dense list of active slots and a stack of free ones. Pure; numpy only.
"""

from makerside.model.event import Reason
from makerside.model.layout import row_type
from makerside.model.order import ORDER_CAPACITY, order_t

LEGS_CAPACITY = 4
PARAMS_CAPACITY = 48
STATE_CAPACITY = 32
REFUSALS_CAPACITY = 48
assert max(Reason) < REFUSALS_CAPACITY

leg_t = row_type(
    [
        ("instrument", "i8"),
        ("position", "i8"),  # index into the account's positions
        ("position_max_lots", "i8"),
    ]
)

trader_t = row_type(
    [
        ("bot", "i8"),
        ("epoch", "i8"),
        ("counter", "i8"),
        ("strategy", "i8"),  # index into the desk's addresses
        ("account", "i8"),
        ("n_legs", "i8"),
        ("legs", leg_t, (LEGS_CAPACITY,)),
        # Limits.
        ("order_notional_max_e8", "i8"),
        ("price_band_e9", "i8"),  # largest distance from the mid, as a fraction
        ("stale_ns", "i8"),  # no quotes when the market has been silent for longer
        # Diff and pacing.
        ("hysteresis_e9", "i8"),  # an order this near to a wanted quote stays; fraction of the price
        ("flush_ns", "i8"),  # least time between two decisions that send
        ("timeout_ns", "i8"),  # an unanswered action becomes UNKNOWN after this
        ("is_timed", "i8"),  # 1: it decides on TIMER rows only
        ("ts_flush_ns", "i8"),
        ("ts_wake_ns", "i8"),  # the first TIMER row from here on is news: something depends on time
        ("ts_deadline_ns", "i8"),  # earliest time at which an order may time out
        ("is_dirty", "i8"),  # our own facts changed since the last decision
        ("is_waiting", "i8"),  # there was news, and pacing has not let us decide yet
        ("n_decisions", "i8"),
        ("n_placed", "i8"),
        ("n_cancels", "i8"),
        ("n_rejects", "i8"),
        ("n_fills", "i8"),
        ("refusals", "i8", (REFUSALS_CAPACITY,)),  # by `Reason`: quotes that risk or pacing held back
        ("params", "f8", (PARAMS_CAPACITY,)),
        ("state", "f8", (STATE_CAPACITY,)),
        ("n_active", "i8"),
        ("active", "i8", (ORDER_CAPACITY,)),
        ("n_free", "i8"),
        ("free", "i8", (ORDER_CAPACITY,)),
        ("orders", order_t, (ORDER_CAPACITY,)),
    ]
)
