"""Action rows: what `step` decided to send, as two rows of the same 32-byte stream as the events.

The first 32 bytes have the offsets of `event_t`; the kind starts at `FIRST_ACTION`, so a reader can
tell an action from an event without knowing where it starts. Pure; numpy only.
"""

from enum import IntEnum

from makerside.model.event import FIRST_ACTION, event_t
from makerside.model.layout import row_type

HEADER = ("event_seq", "ts_decided_ns", "size_lots", "price_ticks", "instrument", "kind", "flags")

action_t = row_type(
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

action_detail_t = row_type([(name, action_t[name]) for name in action_t.names or () if name not in HEADER])

assert action_t.itemsize == 2 * event_t.itemsize == event_t.itemsize + action_detail_t.itemsize
for _name in ("size_lots", "price_ticks", "instrument", "kind", "flags"):
    assert action_t.fields
    assert event_t.fields
    assert action_t.fields[_name][1] == event_t.fields[_name][1]


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
