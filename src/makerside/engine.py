"""The engine: the one place where `step` and its state are put together, for every mode.

    engine = Engine(config, instruments, reference_ticks, has_own_in_book=True)
    actions = engine.step(rows)

Backtest hands the same records to `sim.loop`; live, paper and replay call `step` with rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside import strategies
from makerside.config.convert import fill_account, fill_market, fill_trader, usd_e8
from makerside.config.tree import Config
from makerside.core.orders import orders_init
from makerside.core.signature import address_of
from makerside.model.account import account_t
from makerside.model.action import action_t
from makerside.model.desk import TRADERS_MAX, desk_t
from makerside.model.errors import ConfigError
from makerside.model.event import Flag, Kind, account_detail_t, event_t
from makerside.model.instrument import Instrument
from makerside.model.market import market_t
from makerside.model.quote import Part
from makerside.model.trader import trader_t

Rows = NDArray[Any]


@dataclass(frozen=True, slots=True)
class QuoteExplanation:
    """One wanted quote. parts : in ticks, by name; in their order they sum to the price exactly."""

    side: int
    level: int
    price_ticks: int
    size_lots: int
    parts: dict[str, float]


class Engine:
    """Markets, account, traders and the compiled `step` of one process.

    instruments     : one market, one position and one trader each, in this order
    reference_ticks : price of each instrument at which the configuration's money becomes lots
    has_own_in_book : whether the market data that will come contains our own orders (live) or not
    """

    def __init__(
        self, config: Config, instruments: list[Instrument], reference_ticks: list[int], has_own_in_book: bool
    ) -> None:
        if len(instruments) > TRADERS_MAX:
            raise ConfigError(f"venue.symbols: {len(instruments)} symbols; one process takes {TRADERS_MAX}")
        from makerside.core.step import step

        self.config = config
        self.instruments = instruments
        self.reference_ticks = reference_ticks
        self.has_own_in_book = has_own_in_book
        self.strategy = strategies.load(_strategy_name(config))
        self.markets = np.zeros(len(instruments), market_t)
        self.accounts = np.zeros(1, account_t)
        self.traders = np.zeros(len(instruments), trader_t)
        self.desks = np.zeros(1, desk_t)
        fill_account(self.accounts[0], config, instruments)
        for i, (instrument, price) in enumerate(zip(instruments, reference_ticks, strict=True)):
            fill_market(self.markets[i], instrument, config.estimators, has_own_in_book)
            fill_trader(self.traders[i], config, i, instrument, price)
            orders_init(self.traders[i])
        self.desks["targets"][0, 0] = address_of(self.strategy.targets)
        self._step = step
        self._state = (self.markets, self.accounts, self.traders, self.desks)
        self._actions: Rows = self.desks["actions"][0]
        self._consumed: Rows = self.desks["n_consumed"]

    def step(self, rows: Rows) -> Rows:
        """Feed event rows that fit into one call; returns a view of the actions, valid until the next call.

        rows : (n,) event_t, whole facts (no row without its continuation)
        """
        n = self._step(rows, *self._state)
        assert self._consumed[0] == len(rows)
        return self._actions[:n]

    def explain(self, trader: int = 0) -> list[QuoteExplanation]:
        """Return what a trader wants to quote on the present state, each price with its parts.

        Nothing changes: the strategy is asked on copies, whatever pacing and limits would say.
        """
        market = self.markets[int(self.traders[trader]["legs"][0]["instrument"])].copy()
        desks = np.zeros(1, desk_t)
        desk = desks[0]
        position = self.accounts[0]["positions"][int(self.traders[trader]["legs"][0]["position"])]
        desk["is_explaining"] = 1
        view = desk["legs"][0]
        view["bid_ticks"], view["ask_ticks"] = market["bid_ticks"], market["ask_ticks"]
        view["mid_ticks"], view["position_lots"] = market["mid_ticks"], position["position_lots"]
        view["position_max_lots"] = self.traders[trader]["legs"][0]["position_max_lots"]
        n = self.strategy.targets(market, self.traders[trader].copy(), desk)
        return [
            QuoteExplanation(
                side=int(quote["side"]),
                level=int(quote["level"]),
                price_ticks=int(quote["price_ticks"]),
                size_lots=int(quote["size_lots"]),
                parts={part.name.lower(): float(parts["ticks"][part]) for part in Part},
            )
            for quote, parts in zip(desk["quotes"][:n], desk["parts"][:n], strict=True)
        ]

    def run(self, rows: Rows, block: int = 0) -> Iterator[Rows]:
        """Feed many rows, `block` at a time (0: all at once), and yield the actions of each call as copies."""
        start = 0
        size = block or len(rows)
        while start < len(rows):
            n = self._step(rows[start : start + size], *self._state)
            yield self._actions[:n].copy()
            taken = int(self._consumed[0])
            # A cut between a row and its continuation takes nothing: widen the block by one row.
            size = size + 1 if taken == 0 else block or len(rows)
            assert taken > 0 or size <= len(rows) - start + 1
            start += taken

    def state_bytes(self) -> bytes:
        """Return all state as bytes: equal runs have equal bytes. The desk is scratch but for its count."""
        seen = np.asarray(self.desks["seq"] + self.desks["own_seq"])
        counts = seen.tobytes() + self.desks["now_ns"].tobytes()
        return self.markets.tobytes() + self.accounts.tobytes() + self.traders.tobytes() + counts


def _strategy_name(config: Config) -> str:
    name: str = getattr(config.strategy, "name", "")
    return name


def opening_rows(epoch: int, cash_usd: float | None, ts_local_ns: int) -> Rows:
    """Return the rows that open a run: its epoch, the account's cash when we know it, and the connection."""
    rows = np.zeros(4 if cash_usd is not None else 2, event_t)
    rows["ts_local_ns"] = ts_local_ns
    rows["flags"] = Flag.LAST
    rows[0]["kind"], rows[0]["size_lots"] = Kind.EPOCH, epoch
    rows[-1]["kind"] = Kind.CONNECT
    if cash_usd is not None:
        rows[1]["kind"] = Kind.BALANCE
        rows[2:3].view(account_detail_t)["amount_e8"] = usd_e8(cash_usd)
        rows[2:3].view(account_detail_t)["account"] = 0
    return rows


def action_rows(actions: Rows) -> Rows:
    """Return action_t rows as the event_t rows of the journal: two each, the same bytes."""
    assert actions.dtype == action_t
    rows: Rows = np.ascontiguousarray(actions).view(event_t)
    return rows
