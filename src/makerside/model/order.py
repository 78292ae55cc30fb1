"""Orders: the state table, one line per transition with its reason, and the record of one order.

`TRANSITIONS` is the only place where an order changes state; the kernel in `core/orders.py` looks it
up, the diagram in the documentation is drawn from it. Pure; numpy only.
"""

from enum import IntEnum

import numpy as np

from makerside.model.layout import row_type

order_t = row_type(
    [
        ("client_order_id", "i8"),
        ("venue_order_id", "i8"),
        ("price_ticks", "i8"),
        ("size_lots", "i8"),
        ("filled_lots", "i8"),  # booked by FILL rows
        ("open_lots", "i8"),  # what may still fill: counted in worst-case exposure
        ("ts_sent_ns", "i8"),  # of the last action about it
        ("ts_state_ns", "i8"),  # of the last change of state
        ("state", "i2"),
        ("side", "i2"),
        ("leg", "i2"),
        ("level", "i2"),
    ]
)


class OrderState(IntEnum):
    """Where an order is in its life."""

    FREE = 0  # the slot holds no order
    PENDING_NEW = 1
    RESTING = 2
    PENDING_CANCEL = 3
    UNKNOWN = 4
    SETTLING = 5
    FILLED = 6
    CANCELED = 7
    REJECTED = 8
    EXPIRED = 9
    SELF_TRADE = 10


class OrderInput(IntEnum):
    """What may happen to an order."""

    ACK = 0
    REJECT = 1
    FILL_PART = 2  # a fill that leaves something open
    FILL_LAST = 3  # a fill that leaves nothing open
    CANCEL_SENT = 4
    CANCELED = 5
    EXPIRED = 6
    SELF_TRADE = 7
    VENUE_FILLED = 8  # the venue says "filled" and fills are still to come
    CANCEL_REFUSED = 9
    CANCEL_TOO_LATE = 10
    TIMEOUT = 11
    NEVER_EXISTED = 12
    SEND_FAILED = 13
    ENDED_PART_DUE = 14  # the venue says that it ended, and fills that it had are still to come


_TABLE = """
PENDING_NEW    ACK             RESTING        accepted, it rests
PENDING_NEW    REJECT          REJECTED       refused by the venue
PENDING_NEW    FILL_PART       PENDING_NEW    a fill overtook the ack
PENDING_NEW    FILL_LAST       FILLED         filled before any ack
PENDING_NEW    CANCEL_SENT     PENDING_CANCEL we changed our mind before the ack
PENDING_NEW    CANCELED        CANCELED       the venue ended it at once (IOC rest, or its own rule)
PENDING_NEW    EXPIRED         EXPIRED        it expired before the ack
PENDING_NEW    SELF_TRADE      SELF_TRADE     it met our own order
PENDING_NEW    VENUE_FILLED    SETTLING       "filled" overtook the fills
PENDING_NEW    ENDED_PART_DUE  SETTLING       it ended after fills that are still to come
PENDING_NEW    TIMEOUT         UNKNOWN        no answer before the deadline
PENDING_NEW    NEVER_EXISTED   REJECTED       it can no longer execute and has no fill
PENDING_NEW    SEND_FAILED     REJECTED       it never left this machine
RESTING        ACK             RESTING        said twice (answer and stream)
RESTING        FILL_PART       RESTING        partly filled
RESTING        FILL_LAST       FILLED         filled
RESTING        CANCEL_SENT     PENDING_CANCEL we cancel it
RESTING        CANCELED        CANCELED       the venue ended it, or an operator did
RESTING        EXPIRED         EXPIRED        its time was over
RESTING        SELF_TRADE      SELF_TRADE     it met our own order
RESTING        VENUE_FILLED    SETTLING       "filled" overtook the fills
RESTING        ENDED_PART_DUE  SETTLING       it ended after fills that are still to come
RESTING        CANCEL_REFUSED  RESTING        a late answer to a cancel that we gave up
RESTING        CANCEL_TOO_LATE UNKNOWN        the venue lost it and we were not told
RESTING        NEVER_EXISTED   CANCELED       a query says that the venue does not have it
PENDING_CANCEL ACK             PENDING_CANCEL the ack of the order overtaken by our cancel
PENDING_CANCEL REJECT          REJECTED       it never rested; the cancel has nothing to do
PENDING_CANCEL FILL_PART       PENDING_CANCEL partly filled while the cancel travels
PENDING_CANCEL FILL_LAST       FILLED         filled while the cancel travels
PENDING_CANCEL CANCEL_SENT     PENDING_CANCEL the cancel is repeated
PENDING_CANCEL CANCELED        CANCELED       cancelled as asked
PENDING_CANCEL EXPIRED         EXPIRED        it expired while the cancel travelled
PENDING_CANCEL SELF_TRADE      SELF_TRADE     it met our own order while the cancel travelled
PENDING_CANCEL VENUE_FILLED    SETTLING       filled while the cancel travelled; fills to come
PENDING_CANCEL ENDED_PART_DUE  SETTLING       cancelled after fills that are still to come
PENDING_CANCEL CANCEL_REFUSED  RESTING        the cancel was refused; it still rests
PENDING_CANCEL CANCEL_TOO_LATE UNKNOWN        it had ended before the cancel; its end is on the way
PENDING_CANCEL TIMEOUT         UNKNOWN        no answer to the cancel before the deadline
PENDING_CANCEL NEVER_EXISTED   REJECTED       it can no longer execute and has no fill
PENDING_CANCEL SEND_FAILED     UNKNOWN        the cancel never left, and the order may never have been acked
UNKNOWN        ACK             RESTING        found: it rests
UNKNOWN        REJECT          REJECTED       found: it was refused
UNKNOWN        FILL_PART       UNKNOWN        it fills, so it lived; whether it rests is still open
UNKNOWN        FILL_LAST       FILLED         found: filled
UNKNOWN        CANCEL_SENT     UNKNOWN        a cancel makes the doubt final
UNKNOWN        CANCELED        CANCELED       found: cancelled
UNKNOWN        EXPIRED         EXPIRED        found: expired
UNKNOWN        SELF_TRADE      SELF_TRADE     found: it met our own order
UNKNOWN        VENUE_FILLED    SETTLING       found: filled; fills to come
UNKNOWN        ENDED_PART_DUE  SETTLING       found: ended; fills to come
UNKNOWN        CANCEL_REFUSED  RESTING        found: it rests
UNKNOWN        CANCEL_TOO_LATE UNKNOWN        it has ended; how is still open
UNKNOWN        NEVER_EXISTED   REJECTED       it can no longer execute and has no fill
UNKNOWN        SEND_FAILED     UNKNOWN        the resolving cancel never left; ask again
SETTLING       ACK             SETTLING       an old ack
SETTLING       FILL_PART       SETTLING       one of the fills to come
SETTLING       FILL_LAST       FILLED         the last of the fills to come
SETTLING       CANCELED        SETTLING       said twice
SETTLING       EXPIRED         SETTLING       said twice
SETTLING       SELF_TRADE      SETTLING       said twice
SETTLING       VENUE_FILLED    SETTLING       said twice
SETTLING       ENDED_PART_DUE  SETTLING       said twice
SETTLING       CANCEL_REFUSED  SETTLING       a late answer
SETTLING       CANCEL_TOO_LATE SETTLING       a late answer
SETTLING       TIMEOUT         UNKNOWN        announced fills did not come: ask
"""


def _parse(table: str) -> list[tuple[OrderState, OrderInput, OrderState, str]]:
    lines = []
    for line in table.strip().splitlines():
        before, what, after, reason = line.split(maxsplit=3)
        lines.append((OrderState[before], OrderInput[what], OrderState[after], reason))
    return lines


TRANSITIONS = _parse(_TABLE)
IMPOSSIBLE = -1

NEXT_STATE = np.full((len(OrderState), len(OrderInput)), IMPOSSIBLE, np.int64)
for _before, _what, _after, _reason in TRANSITIONS:
    assert NEXT_STATE[_before, _what] == IMPOSSIBLE, f"two lines for {_before.name} {_what.name}"
    NEXT_STATE[_before, _what] = _after
NEXT_STATE.setflags(write=False)


def is_terminal(state: int) -> bool:
    """Return whether nothing can happen to an order in `state` any more."""
    return state >= OrderState.FILLED


def is_live(state: int) -> bool:
    """Return whether an order in `state` may rest at the venue or still execute."""
    return OrderState.PENDING_NEW <= state <= OrderState.UNKNOWN


# Client order ids: 48 bits, so that they fit every venue (Lighter's limit).
#   bot id 6 | run epoch 12 | counter 20 | slot 10
SLOT_BITS, COUNTER_BITS, EPOCH_BITS, BOT_BITS = 10, 20, 12, 6
ID_BITS = SLOT_BITS + COUNTER_BITS + EPOCH_BITS + BOT_BITS
assert ID_BITS == 48

ORDER_CAPACITY = 64  # slots of one trader; part of the compiled type
VENUE_SLOT = (1 << SLOT_BITS) - 1  # in the id of orders that the venue places for a bot: liquidations
assert ORDER_CAPACITY <= VENUE_SLOT


def client_order_id(bot: int, epoch: int, counter: int, slot: int) -> int:
    """Return the id of an order from its parts."""
    return ((bot << EPOCH_BITS | epoch) << COUNTER_BITS | counter) << SLOT_BITS | slot


def bot_of(identity: int) -> int:
    """Return the bot id in a client order id."""
    return identity >> (SLOT_BITS + COUNTER_BITS + EPOCH_BITS)
