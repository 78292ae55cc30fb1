"""The order table as a state machine in dictionaries, written from formulas d-17 and not from the kernel.

What it says: an order counts as exposure with all that may still fill, from the decision until the
venue's word and the fills agree that nothing can come any more.
"""

FREE, NEW, RESTING, CANCELING, UNKNOWN, SETTLING = (
    "FREE",
    "PENDING_NEW",
    "RESTING",
    "PENDING_CANCEL",
    "UNKNOWN",
    "SETTLING",
)
LIVE = (NEW, RESTING, CANCELING, UNKNOWN)
ENDS = {"CANCELED": "CANCELED", "EXPIRED": "EXPIRED", "SELF_TRADE": "SELF_TRADE"}


def _table():
    """Return {(state, input): next state} rule by rule."""
    table = {}
    for state in LIVE:
        for what, end in ENDS.items():  # the venue may end whatever may rest
            table[state, what] = end
        table[state, "FILL_LAST"] = "FILLED"
        table[state, "FILL_PART"] = state  # a fill alone says nothing about acks and cancels
        table[state, "VENUE_FILLED"] = table[state, "ENDED_PART_DUE"] = SETTLING
        table[state, "NEVER_EXISTED"] = "REJECTED"
        if state != RESTING:  # what rests was accepted; the others may still be refused
            table[state, "REJECT"] = "REJECTED"
    table[RESTING, "NEVER_EXISTED"] = "CANCELED"  # it did exist: its end was missed
    # Acks: an order that is being cancelled goes on being cancelled.
    table.update({(NEW, "ACK"): RESTING, (RESTING, "ACK"): RESTING, (UNKNOWN, "ACK"): RESTING})
    table[CANCELING, "ACK"] = CANCELING
    # Our cancels.
    table[NEW, "CANCEL_SENT"] = table[RESTING, "CANCEL_SENT"] = table[CANCELING, "CANCEL_SENT"] = CANCELING
    table[UNKNOWN, "CANCEL_SENT"] = UNKNOWN
    for state in (RESTING, CANCELING, UNKNOWN):
        table[state, "CANCEL_REFUSED"] = RESTING
        table[state, "CANCEL_TOO_LATE"] = UNKNOWN  # it has ended, we were not told how
    # Silence, where an answer is due.
    for state in (NEW, CANCELING, SETTLING):
        table[state, "TIMEOUT"] = UNKNOWN
    # What never left.
    table[NEW, "SEND_FAILED"] = "REJECTED"
    table[CANCELING, "SEND_FAILED"] = UNKNOWN  # the order may not have been acked yet
    table[UNKNOWN, "SEND_FAILED"] = UNKNOWN
    # Settling: it has ended, fills are still to come, every further word is old.
    old = ("ACK", "FILL_PART", "VENUE_FILLED", "ENDED_PART_DUE", "CANCEL_REFUSED", "CANCEL_TOO_LATE", *ENDS)
    for what in old:
        table[SETTLING, what] = SETTLING
    table[SETTLING, "FILL_LAST"] = "FILLED"
    return table


TABLE = _table()
TERMINAL = ("FILLED", "CANCELED", "REJECTED", "EXPIRED", "SELF_TRADE")


class TableTwin:
    """All orders of one trader, by client order id."""

    def __init__(self, timeout_ns):
        self.timeout = timeout_ns
        self.orders = {}
        self.trades = set()
        self.position = 0
        self.impossible = 0
        self.duplicates = 0

    def place(self, order, side, lots, now):
        """An order was sent."""
        self.orders[order] = {
            "side": side,
            "size": lots,
            "open": lots,
            "filled": 0,
            "state": NEW,
            "since": now,
            "sent": now,
        }

    def cancel(self, order, now):
        """A cancel was sent."""
        self.orders[order]["sent"] = now
        self._advance(order, "CANCEL_SENT", now)

    def _advance(self, order, what, now):
        entry = self.orders[order]
        after = TABLE.get((entry["state"], what))
        if after is None:
            self.impossible += 1
            return
        entry["state"] = after
        entry["since"] = now
        if after in TERMINAL:
            del self.orders[order]

    def fill(self, order, side, lots, trade, now):
        """An execution was reported."""
        if trade in self.trades:
            self.duplicates += 1
            return
        self.trades.add(trade)
        self.position += side * lots
        if order in self.orders:
            entry = self.orders[order]
            entry["filled"] += lots
            entry["open"] = max(0, entry["open"] - lots)
            self._advance(order, "FILL_PART" if entry["open"] else "FILL_LAST", now)

    def ended(self, order, how, left, now):
        """The venue says that an order ended with `left` unfilled: what we have not seen of it is due."""
        if order not in self.orders:
            return
        entry = self.orders[order]
        due = max(0, entry["size"] - left - entry["filled"])
        if due:
            entry["open"] = due
        self._advance(order, "ENDED_PART_DUE" if due else how, now)

    def venue_filled(self, order, now):
        """The venue says that nothing is open; fills may still be on their way."""
        if order not in self.orders:
            return
        entry = self.orders[order]
        due = entry["size"] - entry["filled"]
        if due > 0:
            entry["open"] = due
            self._advance(order, "VENUE_FILLED", now)

    def word(self, order, what, now):
        """Any other report."""
        if order in self.orders:
            self._advance(order, what, now)

    def time(self, now):
        """Silence: what was not answered in time is unknown."""
        for order, entry in list(self.orders.items()):
            if entry["state"] in (NEW, CANCELING, SETTLING):
                since = entry["since"] if entry["state"] == SETTLING else entry["sent"]
                if now >= since + self.timeout:
                    self._advance(order, "TIMEOUT", now)

    def exposure(self, side):
        """Return what may still fill on a side."""
        return sum(entry["open"] for entry in self.orders.values() if entry["side"] == side)
