"""Event rows, instruments and engines, written the way a test wants to say them.

Rows are arrays of `event_t`; `tape` joins them. Times are local nanoseconds; a row's venue time is the
local one unless a test tells it.
"""

import itertools
from decimal import Decimal

import numba
import numpy as np

import scripted
from makerside.config.load import validate
from makerside.core.signature import address_of
from makerside.engine import Engine, opening_rows
from makerside.model.action import ActionKind
from makerside.model.event import Command, Flag, Kind, account_detail_t, event_t, order_detail_t
from makerside.model.instrument import Instrument
from makerside.model.units import ASK, BID, BUY, NS_PER_MS, NS_PER_S, SELL

IS_INTERPRETED = bool(numba.config.DISABLE_JIT)
MS, S = NS_PER_MS, NS_PER_S
START_NS = 1_700_000_000 * S
LAST, SELL_FLAG, TAKER = int(Flag.LAST), int(Flag.SELL), int(Flag.TAKER)


def events_of(compiled):
    """Return how many events a test of this mode affords: interpreted kernels are many times slower."""
    return compiled // 8 if IS_INTERPRETED else compiled


# Instruments.


def plain(symbol="PLAIN", **changes):
    """Return a market whose numbers are easy: at 10,000 ticks (100.00) a lot is 1 USD, a bps is a tick."""
    values = {
        "venue": "test",
        "symbol": symbol,
        "tick_size": Decimal("0.01"),
        "lot_size": Decimal("0.01"),
        "maker_fee": Decimal("0.00015"),
        "taker_fee": Decimal("0.00045"),
    }
    return Instrument(**{**values, **changes})


def hyperliquid(symbol, size_decimals, **changes):
    """Return a perpetual with Hyperliquid's price rule: 6 - szDecimals decimals, 5 significant figures."""
    values = {
        "venue": "hyperliquid",
        "symbol": symbol,
        "tick_size": Decimal(1).scaleb(size_decimals - 6),
        "lot_size": Decimal(1).scaleb(-size_decimals),
        "significant_figures": 5,
        "min_notional": Decimal(10),
        "maker_fee": Decimal("0.00015"),
        "taker_fee": Decimal("0.00045"),
    }
    return Instrument(**{**values, **changes})


PLAIN_TICKS = 10_000


# Engines.


def config_of(settings):
    """Return the configuration of {dotted path: value}."""
    tree = {}
    for path, value in settings.items():
        node = tree
        *parents, leaf = path.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return validate(tree)


# What a test of the core wants unless it says otherwise: wide limits, no waiting.
WIDE = {
    "risk.position_max_usd": 100_000,
    "risk.order_max_usd": 100_000,
    "risk.total_max_usd": 1_000_000,
    "risk.price_band_bps": 5_000,
    "risk.stale_s": 3_600,
    "pacing.flush_ms": 0,
    "pacing.hysteresis_bps": 0,
    "pacing.timeout_ms": 5_000,
}


def make_engine(
    settings=None,
    instruments=None,
    prices=None,
    own_in_book=False,
    is_scripted=True,
    start_ns=START_NS,
    wide=True,
):
    """Return an engine with test-written quotes, opened and connected at `start_ns` (None: neither)."""
    instruments = instruments or [plain()]
    prices = prices or [PLAIN_TICKS] * len(instruments)
    config = config_of({**(WIDE if wide else {}), **(settings or {})})
    made = Engine(config, instruments, prices, own_in_book)
    if is_scripted:
        made.desks["targets"][0, 0] = address_of(scripted.targets)
        for i in range(len(instruments)):
            scripted.script(made, trader=i)
    if start_ns is not None:
        made.step(opening_rows(1, 10_000.0, start_ns))
    return made


def feed(engine, *parts):
    """Feed rows in one call and return the actions as a copy."""
    return engine.step(tape(*parts)).copy()


def run(engine, rows, block=0):
    """Feed many rows and return all actions."""
    return np.concatenate([*engine.run(rows, block), np.zeros(0, engine.desks["actions"].dtype)])


# Rows.


def tape(*parts):
    """Return rows and lists of rows as one array."""
    flat = [part for part in _flatten(parts) if len(part)]
    return np.ascontiguousarray(np.concatenate(flat)) if flat else np.zeros(0, event_t)


def _flatten(parts):
    for part in parts:
        if isinstance(part, list | tuple):
            yield from _flatten(part)
        else:
            yield part


def row(kind, local=START_NS, venue=None, price=0, size=0, flags=LAST, instrument=0):
    """Return one row."""
    rows = np.zeros(1, event_t)
    rows[0] = (local if venue is None else venue, local, size, price, instrument, kind, flags)
    return rows


def book_row(kind, side, price, size, local=START_NS, venue=None, last=True, instrument=0):
    """Return one DELTA, SNAPSHOT or BBO row. side : BID or ASK"""
    flags = (LAST if last else 0) | (SELL_FLAG if side == ASK else 0)
    return row(kind, local, venue, price, size, flags, instrument)


def touch(
    bid, ask, local=START_NS, venue=None, bid_lots=1_000, ask_lots=1_000, kind=Kind.SNAPSHOT, instrument=0
):
    """Return one message that tells a book of one level a side; None leaves a side out."""
    sides = [(BID, bid, bid_lots), (ASK, ask, ask_lots)]
    told = [(side, price, lots) for side, price, lots in sides if price is not None]
    return tape(
        [
            book_row(kind, side, price, lots, local, venue, i == len(told) - 1, instrument)
            for i, (side, price, lots) in enumerate(told)
        ]
    )


def trade(side, price, size, local=START_NS, venue=None, last=True, instrument=0, flags=0):
    """Return a print. side : BUY or SELL, of the aggressor"""
    return row(
        Kind.TRADE,
        local,
        venue,
        price,
        size,
        (LAST if last else 0) | (SELL_FLAG if side == SELL else 0) | flags,
        instrument,
    )


def report(
    kind,
    order,
    local=START_NS,
    venue=None,
    side=BUY,
    price=0,
    size=0,
    reference=0,
    fee=0,
    instrument=0,
    flags=0,
):
    """Return a fact about an order: its row and the continuation. order : client order id"""
    rows = np.zeros(2, event_t)
    rows[:1] = row(
        kind, local, venue, price, size, LAST | flags | (SELL_FLAG if side == SELL else 0), instrument
    )
    rows[1:].view(order_detail_t)[0] = (order, 7 if kind == Kind.ORDER_ACK else 0, reference, fee)
    return rows


def statement(kind, local=START_NS, amount=0, size=0, mark=0, index=0, account=0, instrument=0):
    """Return a fact about the account or the prices: POSITION, BALANCE, FUNDING, PRICES."""
    rows = np.zeros(2, event_t)
    rows[:1] = row(kind, local, None, 0, size, LAST, instrument)
    rows[1:].view(account_detail_t)[0] = (account, amount, mark, index)
    return rows


def timer(local):
    """Return a timer row."""
    return row(Kind.TIMER, local, 0)


def command(what, local):
    """Return an operator's command."""
    return row(Kind.COMMAND, local, 0, price=int(Command[what]))


def connect(local):
    """Return the row that says the account's channel is up."""
    return row(Kind.CONNECT, local, 0)


def disconnect(local):
    """Return the row that says the account's channel is down."""
    return row(Kind.DISCONNECT, local, 0)


# Actions and orders.


def side_of(action):
    """Return BUY or SELL of an action row."""
    return SELL if action["flags"] & SELL_FLAG else BUY


def told(actions):
    """Return actions as readable tuples: (PLACE or CANCEL, side, price, size)."""
    return [
        (
            ActionKind(a["kind"]).name,
            "sell" if side_of(a) == SELL else "buy",
            int(a["price_ticks"]),
            int(a["size_lots"]),
        )
        for a in actions
    ]


def places(actions):
    """Return the PLACE rows."""
    return actions[actions["kind"] == ActionKind.PLACE]


def cancels(actions):
    """Return the CANCEL rows."""
    return actions[actions["kind"] == ActionKind.CANCEL]


def acks(actions, local, venue=None):
    """Return the reports that accept every PLACE whole and confirm every CANCEL."""
    rows = []
    for a in actions:
        is_place = a["kind"] == ActionKind.PLACE
        rows.append(
            report(
                Kind.ORDER_ACK if is_place else Kind.ORDER_CANCELED,
                int(a["client_order_id"]),
                local,
                venue,
                side_of(a),
                int(a["price_ticks"]),
                int(a["size_lots"]),
                instrument=int(a["instrument"]),
            )
        )
    return tape(rows)


def active_orders(engine, trader=0):
    """Return the orders that hold a slot, oldest first."""
    record = engine.traders[trader]
    return [record["orders"][slot] for slot in record["active"][: record["n_active"]]]


def check_tables(engine):
    """Assert what holds at any time: slots, exposure and limits agree with the order tables."""
    for trader in engine.traders:
        n_active, n_free = int(trader["n_active"]), int(trader["n_free"])
        slots = trader["active"][:n_active].tolist() + trader["free"][:n_free].tolist()
        assert sorted(slots) == list(range(len(trader["orders"]))), "every slot is active or free, once"
    exposure = {}
    for trader in engine.traders:
        for slot in trader["active"][: trader["n_active"]]:
            order = trader["orders"][slot]
            leg = trader["legs"][order["leg"]]
            key = int(leg["position"]), int(order["side"])
            exposure[key] = exposure.get(key, 0) + int(order["open_lots"])
    account = engine.accounts[0]
    for i in range(int(account["n_positions"])):
        position = account["positions"][i]
        assert position["open_buy_lots"] == exposure.get((i, BUY), 0)
        assert position["open_sell_lots"] == exposure.get((i, SELL), 0)


# Random markets.


class Market:
    """A random book of others that never crosses itself, told message by message.

    Levels within `depth` ticks of the touch; the touch moves when a level is removed, improved or eaten.
    """

    def __init__(self, rng, price=PLAIN_TICKS, depth=12, size=60, instrument=0, tick=1):
        self.rng = rng
        self.depth = depth
        self.size = size
        self.instrument = instrument
        self.tick = tick
        middle = price // tick
        self.sides = {
            BID: {middle - 1 - i: self._lots() for i in range(depth)},
            ASK: {middle + 1 + i: self._lots() for i in range(depth)},
        }

    def _lots(self):
        return int(self.rng.integers(1, self.size))

    def best(self, side):
        """Return the best price of a side."""
        return (max(self.sides[BID]) if side == BID else min(self.sides[ASK])) * self.tick

    def snapshot(self, local, venue=None):
        """Return the whole book as one message, best prices first."""
        levels = [(BID, p, self.sides[BID][p]) for p in sorted(self.sides[BID], reverse=True)]
        levels += [(ASK, p, self.sides[ASK][p]) for p in sorted(self.sides[ASK])]
        return self.message(Kind.SNAPSHOT, levels, local, venue)

    def bbo(self, local, venue=None):
        """Return the best prices as one message."""
        bid, ask = max(self.sides[BID]), min(self.sides[ASK])
        return self.message(
            Kind.BBO, [(BID, bid, self.sides[BID][bid]), (ASK, ask, self.sides[ASK][ask])], local, venue
        )

    def message(self, kind, levels, local, venue=None):
        rows = np.zeros(len(levels), event_t)
        for i, (side, price, lots) in enumerate(levels):
            flags = (SELL_FLAG if side == ASK else 0) | (LAST if i == len(levels) - 1 else 0)
            rows[i] = (
                local if venue is None else venue,
                local,
                lots,
                price * self.tick,
                self.instrument,
                kind,
                flags,
            )
        return rows

    def change(self, local, venue=None, n=None):
        """Change one to three levels at random and return the message of deltas."""
        levels = []
        for _ in range(n or int(self.rng.integers(1, 4))):
            side = int(self.rng.integers(0, 2))
            levels += self._change_one(side)
        return self.message(Kind.DELTA, levels, local, venue)

    def _change_one(self, side):
        mine, sign = self.sides[side], 1 if side == BID else -1
        best, other = self.best(side) // self.tick, self.best(1 - side) // self.tick
        draw = self.rng.random()
        if draw < 0.15 and (other - best) * sign > 1:
            best += sign
            mine[best] = self._lots()
            return [(side, best, mine[best])]
        if draw < 0.35:
            return self._remove_best(side)
        price = best - sign * int(self.rng.integers(0, self.depth))
        mine[price] = self._lots()
        return [(side, price, mine[price])]

    def _remove_best(self, side):
        mine, sign = self.sides[side], 1 if side == BID else -1
        best = self.best(side) // self.tick
        del mine[best]
        rows = [(side, best, 0)]
        for price in list(mine):
            if (best - price) * sign > 2 * self.depth:
                del mine[price]
                rows.append((side, price, 0))
        deep = best - sign * self.depth
        if deep not in mine:
            mine[deep] = self._lots()
            rows.append((side, deep, mine[deep]))
        if best - sign not in mine and not mine:
            mine[best - sign] = self._lots()
            rows.append((side, best - sign, mine[best - sign]))
        return rows

    def trade(self, local, venue=None):
        """Let an aggressor take up to two levels: the prints and the deltas, as one message each."""
        aggressor = BUY if self.rng.random() < 0.5 else SELL
        side = ASK if aggressor == BUY else BID
        left = int(self.rng.integers(1, 2 * self.size))
        prints, deltas = [], []
        for _ in range(2):
            if left == 0:
                break
            best = self.best(side) // self.tick
            part = min(left, self.sides[side][best])
            left -= part
            prints.append((aggressor, best * self.tick, part))
            if part == self.sides[side][best]:
                deltas += self._remove_best(side)
            else:
                self.sides[side][best] -= part
                deltas.append((side, best, self.sides[side][best]))
        rows = [
            trade(s, p, lots, local, venue, i == len(prints) - 1, self.instrument)
            for i, (s, p, lots) in enumerate(prints)
        ]
        return tape(rows, self.message(Kind.DELTA, deltas, local, venue))

    def next(self, local, venue=None):
        """Return the next message or two."""
        draw = self.rng.random()
        if draw < 0.02:
            return self.snapshot(local, venue)
        if draw < 0.12:
            return self.bbo(local, venue)
        if draw < 0.30:
            return self.trade(local, venue)
        return self.change(local, venue)


def random_tape(rng, n_rows, latency_ns=5 * MS, mean_gap_ns=40 * MS, start_ns=START_NS, markets=None, **market):
    """Return at least `n_rows` rows of random markets, the first message of each a snapshot."""
    markets = markets or [Market(rng, **market)]
    parts, n, venue = [], 0, start_ns
    for each in markets:
        parts.append(each.snapshot(venue + latency_ns, venue))
        n += len(parts[-1])
    while n < n_rows:
        venue += 1 + int(rng.exponential(mean_gap_ns))
        which = markets[int(rng.integers(0, len(markets)))]
        parts.append(which.next(venue + latency_ns, venue))
        n += len(parts[-1])
    return tape(parts)


_trade_ids = itertools.count(1)


def fill(order, local, size, price, side=BUY, trade_id=None, fee=0, venue=None, instrument=0):
    """Return one execution, with a trade id of its own unless told."""
    number = 1_000_000 + next(_trade_ids) if trade_id is None else trade_id
    return report(
        Kind.FILL, order, local, venue, side, price, size, reference=number, fee=fee, instrument=instrument
    )
