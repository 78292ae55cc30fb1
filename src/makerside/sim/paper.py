"""The simulated exchange of a paper run: real market rows, our orders in the simulated queue.

The market's rows are the house. Decisions reach it after the entry latency, reports come back after
the response latency, both in event time. Pure: time is that of the rows and of `advance`.
"""

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.action import ActionKind, action_t
from makerside.model.event import Flag, Kind, event_t, order_detail_t
from makerside.model.units import BUY, SELL
from makerside.sim.door import cancel, feed_house, place

Rows = NDArray[Any]
CLIENT = 0
_SENT_FLAGS = int(Flag.POST_ONLY | Flag.IOC | Flag.REDUCE_ONLY)


class PaperExchange:
    """Fills our orders from a market that does not know of them.

    exchanges : (m,) exchange_t by instrument index;  entry_ns, response_ns : latencies
    """

    def __init__(self, exchanges: Rows, entry_ns: int, response_ns: int) -> None:
        self.exchanges = exchanges
        self.entry_ns = entry_ns
        self.response_ns = response_ns
        self._actions: deque[tuple[int, Any]] = deque()
        self._reports: deque[tuple[int, Rows]] = deque()

    def send(self, actions: Rows) -> None:
        """Put a decision's actions on their way. actions : (n,) action_t"""
        assert actions.dtype == action_t
        for row in actions.copy():
            self._actions.append((int(row["ts_decided_ns"]) + self.entry_ns, row))

    def advance(self, now_ns: int) -> None:
        """Carry out the actions that have arrived by now."""
        while self._actions and self._actions[0][0] <= now_ns:
            ts_ns, action = self._actions.popleft()
            self._execute(ts_ns, action)

    def house(self, rows: Rows) -> None:
        """Let the market move. rows : (n,) event_t, public rows of one arrival"""
        now_ns = int(rows[0]["ts_local_ns"])
        self.advance(now_ns)
        if feed_house(self.exchanges, rows):
            for index in range(len(self.exchanges)):
                self._collect(index, now_ns)

    def due(self, now_ns: int) -> list[Rows]:
        """Return the reports that have reached us by now, each as rows: (2,) event_t."""
        found = []
        while self._reports and self._reports[0][0] <= now_ns:
            found.append(self._reports.popleft()[1])
        return found

    def _execute(self, ts_ns: int, action: Any) -> None:
        index = int(action["instrument"])
        flags = int(action["flags"])
        identity = int(action["client_order_id"])
        side = SELL if flags & Flag.SELL else BUY
        if action["kind"] == ActionKind.PLACE:
            price, lots = int(action["price_ticks"]), int(action["size_lots"])
            place(self.exchanges, index, ts_ns, identity, CLIENT, side, price, lots, flags & _SENT_FLAGS)
        elif not cancel(self.exchanges, index, ts_ns, CLIENT, identity):
            rows = _report_rows(Kind.CANCEL_TOO_LATE, index, ts_ns, ts_ns + self.response_ns, side)
            rows[1:].view(order_detail_t)["client_order_id"] = identity
            self._reports.append((ts_ns + self.response_ns, rows))
        self._collect(index, ts_ns)

    def _collect(self, index: int, ts_ns: int) -> None:
        pit = self.exchanges[index]["pit"]
        arrival_ns = ts_ns + self.response_ns
        for report in pit["reports"][: int(pit["n_reports"])]:
            side = int(report["side"])
            rows = _report_rows(Kind(int(report["kind"])), index, ts_ns, arrival_ns, side)
            rows[0]["size_lots"], rows[0]["price_ticks"] = report["size_lots"], report["price_ticks"]
            rows[0]["flags"] |= Flag.TAKER if report["is_taker"] else 0
            detail = rows[1:].view(order_detail_t)
            detail["client_order_id"] = detail["venue_order_id"] = report["order_id"]
            is_fill = report["kind"] == Kind.FILL
            detail["reference"] = report["trade_id"] if is_fill else report["reason"]
            detail["fee_e8"] = report["fee_e8"]
            self._reports.append((arrival_ns, rows))
        pit["n_reports"] = 0


def _report_rows(kind: Kind, index: int, ts_ns: int, arrival_ns: int, side: int) -> Rows:
    rows = np.zeros(2, event_t)
    rows[0]["ts_venue_ns"], rows[0]["ts_local_ns"] = ts_ns, arrival_ns
    rows[0]["instrument"], rows[0]["kind"] = index, kind
    rows[0]["flags"] = Flag.LAST | (Flag.SELL if side == SELL else 0)
    return rows
