"""Accounts at venues for tests: the compiled account clock and its twin in fractions, on one tape."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import numpy as np

from builders import statement, tape
from makerside.core.book import book_clear
from makerside.model.event import Flag, Kind, account_detail_t, event_t, order_detail_t
from makerside.model.instrument import Instrument
from makerside.model.market import book_t
from makerside.model.terms import Standing
from makerside.model.units import E8, SELL
from makerside.sim.account_clock import account_clock
from makerside.sim.funding import funding_begin
from makerside.sim.perp_build import SOURCES, AccountSettings, make_clearing, make_perps, make_rates
from makerside.sim.perp_records import liquidation_t
from makerside.venues.lookup import terms_at
from reference.perp import Market, PerpTwin

NS = 10**9
DAY = date(2026, 10, 1)
START_NS = 1_790_841_300 * NS  # 2026-10-01 07:55 UTC: five minutes before Thalex settles
OUT_ROWS = 1 << 15


def perp(venue, symbol, tick, lot, max_leverage, **changes):
    """Return a perpetual."""
    return Instrument(
        venue=venue,
        symbol=symbol,
        tick_size=Decimal(tick),
        lot_size=Decimal(lot),
        max_leverage=max_leverage,
        **changes,
    )


BITCOIN = perp("hyperliquid", "BTC", "0.1", "0.00001", 40)
PUMP = perp("hyperliquid", "PUMP", "0.000001", "1", 10)  # at 0.0025: 2 billion lots are 5 million USD
SPOT = perp("hyperliquid", "HYPE/USDC", "0.001", "0.01", 1, kind="spot")
LIGHTER_ETHER = perp("lighter", "ETH", "0.01", "0.0001", 50)
LIGHTER_PUMP = perp("lighter", "PUMP", "0.000001", "1", 10)
THALEX_BITCOIN = perp("thalex", "BTC-PERPETUAL", "1", "0.001", 5)
THALEX_ETHER = perp("thalex", "ETH-PERPETUAL", "0.1", "0.01", 5)
PRICES = {"BTC": 118_000, "PUMP": Decimal("0.0025"), "ETH": Decimal("2361.31"), "HYPE/USDC": 40}
PRICES |= {"BTC-PERPETUAL": 118_000, "ETH-PERPETUAL": 2_361}


@dataclass
class Account:
    """One account on a tape, compiled and in fractions.

    rates : per instrument, recorded payments as (time in ns, rate of 10^-12, price of 10^-8 or 0)
    """

    instruments: list
    cash_usd: int = 100_000
    is_isolated: bool = False
    leverage: int | None = None
    source: str = "rule"
    standing: Standing = field(default_factory=Standing)
    rates: list = field(default_factory=list)
    day: date = DAY
    start_ns: int = START_NS
    rules: dict = field(default_factory=dict)

    def __post_init__(self):
        self.terms = [terms_at(one, self.day, self.standing, **self.rules) for one in self.instruments]
        self.parts = []
        self.actions = []
        self.now_ns = self.start_ns
        self.n_fills = 0

    # The tape.

    def wait(self, seconds):
        """Let time pass."""
        self.now_ns += int(seconds * NS)

    def prices(self, i, mark, index, rate=None):
        """Tell mark and index price as decimals, perhaps with the venue's own funding rate of 10^-12."""
        mark_e8, index_e8 = int(Decimal(mark) * E8), int(Decimal(index) * E8)
        rows = statement(Kind.PRICES, self.now_ns, 0, rate or 0, mark_e8, index_e8, -1, i)
        if rate is not None:
            rows[0]["flags"] |= Flag.RATE
        self.parts.append(rows)
        self.actions.append(("prices", self.now_ns, i, mark_e8, index_e8, rate))

    def book(self, i, bids, asks):
        """Replace the book. bids, asks : [(ticks, lots)]"""
        rows = np.zeros(len(bids) + len(asks), event_t)
        for row, (tick, lots, flags) in zip(
            rows, [(*bid, 0) for bid in bids] + [(*ask, int(Flag.SELL)) for ask in asks], strict=True
        ):
            row["ts_venue_ns"] = row["ts_local_ns"] = self.now_ns
            row["kind"], row["flags"], row["instrument"] = Kind.SNAPSHOT, flags, i
            row["price_ticks"], row["size_lots"] = tick, lots
        rows[-1]["flags"] |= Flag.LAST
        self.parts.append(rows)
        self.actions.append(("book", self.now_ns, i, dict(bids), dict(asks)))

    def fill(self, i, side, ticks, lots, is_taker=False):
        """Let the account trade."""
        self.n_fills += 1
        rows = np.zeros(2, event_t)
        rows[0]["ts_venue_ns"] = rows[0]["ts_local_ns"] = self.now_ns
        rows[0]["kind"], rows[0]["instrument"] = Kind.FILL, i
        rows[0]["flags"] = Flag.LAST | (Flag.SELL if side == SELL else 0) | (Flag.TAKER if is_taker else 0)
        rows[0]["price_ticks"], rows[0]["size_lots"] = ticks, lots
        rows[1:].view(order_detail_t)[0] = (1, 1, self.n_fills, 0)
        self.parts.append(rows)
        self.actions.append(("fill", self.now_ns, i, side, ticks, lots, is_taker))

    # Running it.

    def run(self):
        """Run the compiled clock; returns what the account was told, as the twin tells it."""
        tables = [
            make_rates((ts, Decimal(r) / 10**12, Decimal(p) / E8) for ts, r, p in one) for one in self.rates
        ]
        self.perps, rates = make_perps(self.instruments, self.terms, SOURCES[self.source], tables)
        for one in self.perps:
            funding_begin(one["funding"], rates, self.start_ns)
        settings = AccountSettings(Decimal(self.cash_usd), self.is_isolated, self.leverage)
        self.clearings = make_clearing(self.instruments, self.terms, settings)
        books = np.zeros(len(self.instruments), book_t)
        for book in books:
            book_clear(book)
        out = np.zeros(OUT_ROWS, event_t)
        orders = np.zeros(1, liquidation_t)
        used = account_clock(tape(self.parts), self.perps, books, rates, self.clearings, orders, out)
        self.rows = out[:used].copy()
        return told(self.rows)

    def twin(self):
        """Run the twin over the same actions; returns it."""
        pairs = zip(self.instruments, self.terms, strict=True)
        markets = [
            Market(one, terms, self.source, self.start_ns, self.rates[i] if i < len(self.rates) else ())
            for i, (one, terms) in enumerate(pairs)
        ]
        twin = PerpTwin(markets, self.cash_usd * E8, self.is_isolated, self.leverage)
        for action in self.actions:
            advance(twin, action[1])
            apply(twin, *action)
        return twin

    @property
    def clearing(self):
        """The venue's books, after `run`."""
        return self.clearings[0]

    def check(self):
        """Run both and compare everything: difference 0. Returns the twin."""
        rows, twin = self.run(), self.twin()
        assert rows == twin.told
        clearing = self.clearing
        assert clearing["cash_e8"] == twin.cash
        for i, leg in enumerate(twin.legs):
            mine = clearing["legs"][i]
            for name in ("cost", "realized", "fees", "funding", "volume"):
                assert mine["position"][f"{name}_e8"] == getattr(leg.ledger, name), name
            assert mine["position"]["position_lots"] == leg.held
            assert mine["isolated_e8"] == leg.isolated
            assert mine["accrued_e8"] == leg.accrued // 1
        return twin


def advance(twin, ts_ns):
    """Let the twin's clock run up to a time."""
    while True:
        times = [time for one in twin.markets for time in (one.due_ns, one.sample_ns) if time is not None]
        due = min(times, default=ts_ns + 1)
        if due > ts_ns:
            return
        twin.tick(due)
        twin.liquidate(due)


def apply(twin, kind, ts_ns, i, *values):
    """Apply one action to the twin."""
    market = twin.markets[i]
    if kind == "prices":
        mark, index, rate = values
        if mark:
            market.mark, market.is_told = mark, True
        market.index = index or market.index
        market.told = market.told if rate is None else rate
    elif kind == "book":
        market.book = {1: values[0], -1: values[1]}
    else:
        twin.fill(ts_ns, i, *values)
    twin.liquidate(ts_ns)


def told(rows):
    """Return rows as the twin tells them."""
    orders, accounts = rows.view(order_detail_t), rows.view(account_detail_t)
    result = []
    for k in range(0, len(rows), 2):
        row = rows[k]
        lots, i, ts_ns = int(row["size_lots"]), int(row["instrument"]), int(row["ts_venue_ns"])
        if row["kind"] == Kind.FUNDING:
            result.append(("funding", ts_ns, i, lots, 0, int(accounts[k + 1]["amount_e8"])))
        else:
            assert row["kind"] == Kind.FILL
            lots = -lots if row["flags"] & Flag.SELL else lots
            result.append(("fill", ts_ns, i, lots, int(row["price_ticks"]), int(orders[k + 1]["fee_e8"])))
    return result
