"""The local exchange on a virtual clock, with a house whose every row the test writes.

Prices, sizes and money are the decimal texts of the wire; what the exchange says is read back from its
JSON, so that a test sees what a client would see.
"""

import itertools
import json
from datetime import date
from decimal import Decimal

import numpy as np

from makerside.model.event import Flag, Kind, event_t
from makerside.model.units import NS_PER_MS
from makerside.runtime.simserver import listed_instrument
from makerside.sim.build import make_exchanges
from makerside.venues.hyperliquid.codec import to_json
from makerside.venues.hyperliquid.numbers import steps_of
from makerside.venues.hyperliquid.rules import rules_at
from makerside.venues.hyperliquid.server_info import InfoDesk
from makerside.venues.hyperliquid.server_venue import LocalVenue
from makerside.venues.hyperliquid.wire_actions import (
    CancelById,
    CancelByText,
    CancelOrders,
    CancelOrdersByCloid,
    Limit,
    Order,
    OrderType,
    PlaceOrders,
    UpdateLeverage,
)
from makerside.venues.hyperliquid.wire_info import decode_info

START_MS = 1_790_000_000_000
DAY = date(2026, 10, 1)
BLOCK_MS = 70
ANN, BEN, CAT = ("0x" + pair * 20 for pair in ("a1", "b2", "c3"))
EVERYTHING = {"trades", "bbo", "fast", "slow"}


class House:
    """A source of rows that a test pushes."""

    is_done = False

    def __init__(self):
        self.rows = np.zeros(0, event_t)

    def push(self, rows):
        self.rows = np.concatenate([self.rows, rows])

    def take(self, until_ns):
        due = self.rows["ts_venue_ns"] <= until_ns
        taken, self.rows = self.rows[due], self.rows[~due]
        return taken


class Desk:
    """A `LocalVenue`, its clock and its clients.

    symbols : of the synthetic market's list;  funds : address -> USD;  rules : values that differ
    """

    def __init__(self, symbols=("BTC",), funds=None, **rules):
        self.rules = rules_at(DAY, **rules)
        self.instruments = [listed_instrument(symbol, i, self.rules) for i, symbol in enumerate(symbols)]
        self.house = House()
        exchanges = make_exchanges(self.instruments, "risk_averse")
        self.venue = LocalVenue(self.instruments, exchanges, self.house, self.rules)
        self.info_desk = InfoDesk(self.venue)
        self.now_ms = START_MS
        self.heard = []  # (channel key, frame) of the last block
        self._cloids = itertools.count(1)
        for address, usd in (funds or {ANN: 100_000, BEN: 100_000}).items():
            self.venue.fund(address, int(Decimal(usd) * 10**8))

    # The house.

    def _index(self, symbol):
        return self.venue.index_of_symbol[symbol]

    def _rows(self, symbol, items):
        """items : (kind, flags, price text, size text)"""
        index = self._index(symbol)
        instrument = self.instruments[index]
        rows = np.zeros(len(items), event_t)
        rows["ts_venue_ns"] = rows["ts_local_ns"] = self.now_ms * NS_PER_MS
        rows["instrument"] = index
        for row, (kind, flags, price, size) in zip(rows, items, strict=True):
            row["kind"], row["flags"] = kind, flags
            row["price_ticks"] = steps_of(price, instrument.tick_decimals)
            row["size_lots"] = steps_of(size, instrument.lot_decimals)
        rows[-1]["flags"] |= Flag.LAST
        return rows

    def book(self, bids, asks, symbol="BTC"):
        """Replace the house's book. bids, asks : [(price, size)], best first"""
        items = [(Kind.SNAPSHOT, 0, *level) for level in bids]
        items += [(Kind.SNAPSHOT, int(Flag.SELL), *level) for level in asks]
        self.house.push(self._rows(symbol, items))
        return self

    def trade(self, side, price, size, symbol="BTC"):
        """Let strangers trade. side : the aggressor's, "B" or "A" """
        flags = int(Flag.SELL) if side == "A" else 0
        self.house.push(self._rows(symbol, [(Kind.TRADE, flags, price, size)]))
        return self

    # Time.

    def block(self, ms=BLOCK_MS, wanted=EVERYTHING):
        """Run the next block; returns and keeps its frames as (key, message)."""
        self.now_ms += ms
        everywhere = {i: set(wanted) for i in range(len(self.instruments))}
        frames = self.venue.run_block(self.now_ms * NS_PER_MS, everywhere)
        self.heard = [(key, json.loads(frame)) for key, frame in frames]
        return self.heard

    def told(self, *key):
        """Return the data of the last block's frames on one channel."""
        return [message["data"] for heard, message in self.heard if heard == key]

    def updates(self, user):
        """Return (status, order) of each order update that the last block told a user."""
        return [(one["status"], one["order"]) for frame in self.told("orderUpdates", user) for one in frame]

    def fills(self, user):
        """Return the fills that the last block told a user."""
        return [one for frame in self.told("userFills", user) for one in frame["fills"]]

    # Clients.

    def cloid(self):
        """Return a client order id that was not used yet."""
        return f"0x{next(self._cloids):032x}"

    def order(self, side, price, size, tif="Gtc", symbol="BTC", cloid=None, reduce_only=False):
        """Return an order on the wire. side : "B" or "A" """
        asset = self.instruments[self._index(symbol)].venue_id
        return Order(asset, side == "B", price, size, reduce_only, OrderType(limit=Limit(tif)), cloid)

    def submit(self, user, action):
        """Queue an action for the next block; returns the list that its answer will be put into."""
        answers = []
        self.venue.submit(
            self.venue.accounts[user], action, lambda one: answers.append(json.loads(to_json(one)))
        )
        return answers

    def act(self, user, action):
        """Carry out one action in the next block; returns the answer."""
        answers = self.submit(user, action)
        self.block()
        (answer,) = answers
        return answer

    def place(self, user, *orders):
        """Place a batch in the next block; returns its statuses."""
        return statuses_of(self.act(user, placing(*orders)))

    def cancel(self, user, *oids, asset=0):
        """Cancel by venue order ids; returns the statuses."""
        return statuses_of(self.act(user, cancelling(*oids, asset=asset)))

    def cancel_cloid(self, user, *cloids, asset=0):
        """Cancel by client order ids; returns the statuses."""
        action = CancelOrdersByCloid(tuple(CancelByText(asset, cloid) for cloid in cloids))
        return statuses_of(self.act(user, action))

    def set_leverage(self, user, leverage, is_cross=True, asset=0):
        return self.act(user, UpdateLeverage(asset, is_cross, leverage))

    # Questions.

    def ask(self, **request):
        """Ask `/info` and return the answer as a client would read it."""
        return json.loads(to_json(self.info_desk.answer(decode_info(json.dumps(request).encode()))))

    def state(self, user):
        return self.ask(type="clearinghouseState", user=user)

    def open_orders(self, user):
        return self.ask(type="openOrders", user=user)

    def status(self, user, oid):
        """Return the status word that orderStatus gives, "unknownOid" when it has no record."""
        answer = self.ask(type="orderStatus", user=user, oid=oid)
        return answer["order"]["status"] if answer["status"] == "order" else answer["status"]


def statuses_of(answer):
    """Return the statuses of an answer that was accepted."""
    assert answer["status"] == "ok", answer
    return answer["response"]["data"]["statuses"]


def placing(*orders):
    """Return the action that places a batch."""
    return PlaceOrders(tuple(orders), "na")


def cancelling(*oids, asset=0):
    """Return the action that cancels by venue order ids."""
    return CancelOrders(tuple(CancelById(asset, oid) for oid in oids))
