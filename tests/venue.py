"""A venue that does everything a venue may do, at random and in any order, but never lies.

It accepts, rejects and loses orders, fills them before the ack and after the cancel, tells fills twice,
ends before their fills, answers late or not at all; whoever asks is told the truth.
"""

import heapq
import itertools

import numpy as np

from builders import MS, S, fill, report, side_of, tape, timer
from makerside.model.action import ActionKind
from makerside.model.event import Kind
from makerside.model.order import OrderState


class RandomVenue:
    """Takes actions, gives report rows when their time has come. Its positions are the truth."""

    def __init__(self, rng, fill_rate=0.05, trouble=0.05, latency_ns=20 * MS):
        self.rng = rng
        self.fill_rate = fill_rate
        self.trouble = trouble
        self.latency = latency_ns
        self.orders = {}
        self.alive = {}
        self.heap = []
        self.number = itertools.count(1)
        self.positions = {}
        self.told = {}
        self.fills = []

    def _later(self, now, rows, slow=1.0):
        """Let rows arrive after a random time, in random order among others."""
        at = now + int(self.rng.exponential(self.latency * slow)) + 1
        heapq.heappush(self.heap, (at, next(self.number), rows))

    def _say(self, now, kind, order, size, slow=1.0):
        entry = self.orders[order]
        rows = report(kind, order, 0, now, entry["side"], entry["price"], size, instrument=entry["instrument"])
        self._later(now, rows, slow)

    def receive(self, actions, now):
        """Take actions of the engine."""
        for action in actions:
            order = int(action["client_order_id"])
            if action["kind"] == ActionKind.PLACE:
                self._place(order, action, now)
            elif self.rng.random() >= self.trouble / 2:  # else the cancel is lost
                self._cancel(order, now)

    def _place(self, order, action, now):
        assert order not in self.orders
        lots = int(action["size_lots"])
        self.orders[order] = {
            "side": side_of(action),
            "price": int(action["price_ticks"]),
            "size": lots,
            "open": lots,
            "instrument": int(action["instrument"]),
        }
        self.alive[order] = self.orders[order]
        draw = self.rng.random()
        if draw < self.trouble:
            self._end(order)
            self._say(now, Kind.ORDER_REJECT, order, 0)
        elif draw < 1.5 * self.trouble:
            self._end(order)  # it never arrived, nobody says so
            self.orders[order]["is_lost"] = True
        elif draw > self.trouble * 2:
            self._say(now, Kind.ORDER_ACK, order, lots)  # else the ack is lost

    def _cancel(self, order, now):
        if order not in self.alive:
            self._say(now, Kind.CANCEL_TOO_LATE, order, 0)
            return
        if self.rng.random() < self.trouble:
            self._say(now, Kind.CANCEL_REFUSED, order, 0)
            return
        left = self.orders[order]["open"]
        self._end(order)
        self._say(now, Kind.ORDER_CANCELED, order, left)

    def _end(self, order):
        del self.alive[order]

    def fill_some(self, now):
        """Fill, end or expire working orders at random."""
        for order in list(self.alive):
            draw = self.rng.random()
            entry = self.orders[order]
            if draw < self.fill_rate:
                self.execute(order, int(self.rng.integers(1, entry["open"] + 1)), now)
            elif draw < self.fill_rate + self.trouble / 50:
                left = entry["open"]
                self._end(order)
                self._say(now, Kind.ORDER_EXPIRED, order, left)

    def execute(self, order, lots, now):
        """Execute a part of an order."""
        entry = self.orders[order]
        entry["open"] -= lots
        instrument = entry["instrument"]
        self.positions[instrument] = self.positions.get(instrument, 0) + entry["side"] * lots
        trade_id = next(self.number)
        self.fills.append((instrument, entry["side"], entry["price"], lots))
        rows = fill(order, 0, lots, entry["price"], entry["side"], trade_id, 3, now, instrument)
        self._later(now, rows)
        if self.rng.random() < 0.2:
            self._later(now, rows.copy(), 5.0)
        if entry["open"] == 0:
            self._end(order)
            if self.rng.random() < 0.5:
                self._say(now, Kind.ORDER_FILLED, order, 0, 0.5)

    def fill_all(self, side, now):
        """Let the worst happen: everything of a side fills."""
        for order in list(self.alive):
            if self.orders[order]["side"] == side:
                self.execute(order, self.orders[order]["open"], now)

    def answer(self, order, now):
        """Answer a query about an order, truly."""
        entry = self.orders[order]
        if order in self.alive:
            self._say(now, Kind.ORDER_ACK, order, entry["open"], 0.1)
        elif entry.get("is_lost"):
            self._say(now, Kind.ORDER_NEVER_EXISTED, order, 0, 0.1)
        elif entry["open"] == 0:
            self._say(now, Kind.ORDER_FILLED, order, 0, 0.1)
        else:
            self._say(now, Kind.ORDER_CANCELED, order, entry["open"], 0.1)

    def due(self, now):
        """Return the next report that has arrived by now, stamped with its arrival, or None."""
        if not self.heap or self.heap[0][0] > now:
            return None
        at, _, rows = heapq.heappop(self.heap)
        rows["ts_local_ns"][0] = at
        return rows


class Session:
    """An engine between random markets and a random venue; every row that was fed is kept."""

    def __init__(self, engine, markets, venue, start_ns, gap_ns=40 * MS, timer_ns=500 * MS):
        self.engine = engine
        self.markets = markets
        self.venue = venue
        self.now = start_ns
        self.gap = gap_ns
        self.timer = timer_ns
        self.next_timer = start_ns + timer_ns
        self.rows = []
        self.actions = []
        self.n_rows = 0
        self.asked = {}
        self.feed(*[market.snapshot(self.now) for market in markets])

    def feed(self, *parts):
        """Feed rows and let the venue have the actions."""
        rows = tape(parts)
        if len(rows) == 0:
            return
        self.rows.append(rows)
        self.n_rows += len(rows)
        actions = self.engine.step(rows).copy()
        if len(actions):
            self.actions.append(actions)
            self.venue.receive(actions, self.now)

    def turn(self):
        """Let one message of a market happen, and whatever was due before it."""
        rng = self.venue.rng
        then = self.now + 1 + int(rng.exponential(self.gap))
        self._deliver(then)
        if self.now >= self.next_timer:
            self.next_timer = self.now + self.timer
            self.feed(timer(self.now))
            self._ask()
        self.venue.fill_some(self.now)
        self.feed(self.markets[int(rng.integers(0, len(self.markets)))].next(self.now))

    def _deliver(self, then):
        """Let the reports until `then` arrive, one by one: each may cause new ones."""
        while (rows := self.venue.due(then)) is not None:
            self.now = max(self.now, int(rows["ts_local_ns"][0]))
            self.feed(rows)
        self.now = then

    def _ask(self):
        """Ask the venue about orders whose state is unknown, again every five seconds."""
        for trader in self.engine.traders:
            for slot in trader["active"][: trader["n_active"]]:
                order = trader["orders"][slot]
                identity = int(order["client_order_id"])
                if order["state"] == OrderState.UNKNOWN and self.now - self.asked.get(identity, 0) > 5 * S:
                    self.asked[identity] = self.now
                    self.venue.answer(identity, self.now)

    def settle(self):
        """Let time pass until everything has been told."""
        for _ in range(200):
            self._deliver(self.now + S)
            self.feed(timer(self.now))
            self._ask()
            if not self.venue.heap and not any(int(t["n_active"]) for t in self.engine.traders):
                return
        raise AssertionError("orders are left whose end nobody tells")

    def tape(self):
        """Return all rows fed so far."""
        return tape(self.rows)

    def all_actions(self):
        """Return all actions so far."""
        return np.concatenate([*self.actions, np.zeros(0, self.engine.desks["actions"].dtype)])
