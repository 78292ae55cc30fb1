"""Action rows: what `step` decided to send, as two rows of the same 32-byte stream as the events.

The first 32 bytes have the offsets of `event_t`; the kind starts at `FIRST_ACTION`, so a reader can
tell an action from an event without knowing where it starts. Pure; numpy only.
"""

from enum import IntEnum

import numpy as np

from makerside.model.event import FIRST_ACTION, event_t

action_t = np.dtype(
    [
        ("event_seq", "i8"),  # number of event rows that had been seen when it was decided
        ("ts_decided_ns", "i8"),  # local time of the event that caused it
        ("size_lots", "i8"),
        ("price_ticks", "i4"),
        ("instrument", "u2"),
        ("kind", "u1"),
        ("flags", "u1"),  # SELL, POST_ONLY, IOC, REDUCE_ONLY of `event.Flag`
        ("client_order_id", "i8"),
        ("venue_order_id", "i8"),  # 0 when the venue has not told it yet
        ("account", "i2"),
        ("trader", "i2"),
        ("level", "i2"),
        ("reason", "i2"),  # why a cancel: an `ActionReason`
        ("spare", "i8"),  # always 0; keeps the row at two event rows without padding
    ]
)

assert action_t.itemsize == 2 * event_t.itemsize
assert all(action_t.fields[name][1] == event_t.fields[name][1] for name in ("size_lots", "price_ticks", "kind"))


class ActionKind(IntEnum):
    """What is sent to the venue."""

    PLACE = FIRST_ACTION
    CANCEL = FIRST_ACTION + 1


class ActionReason(IntEnum):
    """Why an action was taken."""

    QUOTE = 0  # a wanted quote has no order
    MOVED = 1  # no wanted quote is near this order any more
    STALE = 2  # the market is stale, crossed or empty
    HALTED = 3  # paused or stopped
