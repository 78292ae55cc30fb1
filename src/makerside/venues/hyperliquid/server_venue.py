"""The local exchange without its sockets: accounts, blocks, order rules, what is told to whom.

Time comes in as an argument, so that a test can run it on a virtual clock. Actions wait for the next
block; in a block the house moves first, then actions in the venue's order of classes (section 7.6),
each batch order by order. Answers, order updates, fills, trades and books leave at the block's end.

Imports model, core, sim. Next: `server_info.py` (questions), `server.py` (HTTP and WebSocket).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.errors import ConfigError
from makerside.model.event import Reason
from makerside.model.instrument import Instrument
from makerside.model.units import BUY, NS_PER_MS, SELL
from makerside.sim.door import cancel, feed_house_sides, place
from makerside.sim.records import CLIENTS_CAPACITY
from makerside.sim.source import Source
from makerside.venues.hyperliquid import reasons
from makerside.venues.hyperliquid.meta import Universe
from makerside.venues.hyperliquid.meta_render import render_meta
from makerside.venues.hyperliquid.numbers import server_text
from makerside.venues.hyperliquid.render import bbo_text, size_text
from makerside.venues.hyperliquid.rules import Rules, block_class
from makerside.venues.hyperliquid.server_accounts import Account, ClientOrder, NonceSet
from makerside.venues.hyperliquid.server_feed import Feed
from makerside.venues.hyperliquid.server_margin import Margin
from makerside.venues.hyperliquid.server_reports import Frames, Reporter
from makerside.venues.hyperliquid.server_rules import Refusal, flags_of, read_limits, why_refused
from makerside.venues.hyperliquid.wire_actions import (
    DEFAULT,
    SUCCESS,
    Action,
    CancelOrders,
    CancelOrdersByCloid,
    ExchangeResponse,
    Filled,
    Noop,
    Order,
    PlaceOrders,
    Refused,
    Resting,
    Status,
    UpdateLeverage,
    accepted,
)

FIRST_OID = 1_000_000
Answer = Callable[[ExchangeResponse], None]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An authorised action that waits for the next block."""

    order: tuple[int, int]  # block class, arrival
    account: Account
    action: Action
    answer: Answer
    expires_after_ms: int | None = None


class LocalVenue:
    """One exchange with its accounts.

    instruments : by index; their asset ids are `venue_id`;  source : the house
    errors      : ConfigError when the instruments are not ones of this venue
    """

    def __init__(
        self, instruments: list[Instrument], exchanges: NDArray[Any], source: Source, rules: Rules
    ) -> None:
        self.instruments = instruments
        self.exchanges = exchanges
        self.source = source
        self.rules = rules
        self.descriptions = render_meta(instruments, rules)
        self.universe = Universe.from_meta(
            self.descriptions.metas[""], rules, self.descriptions.spot_meta, self.descriptions.perp_dexs
        )
        self.index_of_id = {instrument.venue_id: i for i, instrument in enumerate(instruments)}
        self.index_of_symbol = {instrument.symbol: i for i, instrument in enumerate(instruments)}
        self.feeds = [Feed(i, instrument, rules) for i, instrument in enumerate(instruments)]
        self.accounts: dict[str, Account] = {}
        self.agents: dict[str, str] = {}  # agent -> master
        self.nonces: dict[str, NonceSet] = {}
        self.now_ns = 0
        self._reporter = Reporter(instruments, exchanges, self.feeds)
        self._waiting: list[Waiting] = []
        self._next_oid = FIRST_OID
        self._n_arrived = 0

    @property
    def now_ms(self) -> int:
        """Block time on the wire."""
        return self.now_ns // NS_PER_MS

    @property
    def marks(self) -> list[int]:
        """Mark prices in ticks."""
        return [feed.mark_ticks for feed in self.feeds]

    def fund(self, address: str, cash_e8: int) -> Account:
        """Admit an address with a deposit; ConfigError when there is no room or it is there already."""
        address = address.lower()
        if address in self.accounts:
            raise ConfigError(f"--fund {address}: is funded already")
        if len(self.accounts) >= CLIENTS_CAPACITY:
            raise ConfigError(f"--fund {address}: this exchange takes {CLIENTS_CAPACITY} accounts")
        account = Account(address, len(self.accounts), cash_e8, self.instruments, self.rules)
        self.accounts[address] = account
        self._reporter.admit(account)
        return account

    def submit(
        self, account: Account, action: Action, answer: Answer, expires_after_ms: int | None = None
    ) -> None:
        """Queue an authorised action for the next block, which refuses it when it has expired by then."""
        tifs = [order.kind.limit.tif if order.kind.limit else "Gtc" for order in getattr(action, "orders", ())]
        kind = str(action.__struct_config__.tag)
        self._n_arrived += 1
        place_in_block = (block_class(kind, tifs), self._n_arrived)
        self._waiting.append(Waiting(place_in_block, account, action, answer, expires_after_ms))

    # Blocks.

    def run_block(self, now_ns: int, wanted: dict[int, set[str]], wall_ms: int | None = None) -> Frames:
        """Advance to a time: house, then waiting actions; returns the frames by channel key.

        wanted  : per instrument, which public channels somebody listens to
        wall_ms : the block's time for what clients date by their own clocks, which differs from `now_ns` in
                  a market that is replayed; None when it does not
        """
        self.now_ns = max(now_ns, self.now_ns)
        self._reporter.now_ms = self.now_ms
        block_ms = self.now_ms if wall_ms is None else wall_ms
        rows = self.source.take(self.now_ns)
        if len(rows):
            self._house(rows)
        for feed in self.feeds:
            feed.update_mark(self.exchanges)
        waiting, self._waiting = sorted(self._waiting, key=lambda one: one.order), []
        answers = [(one.answer, self._execute(one, block_ms)) for one in waiting]
        frames = self._reporter.frames()
        for index, channels in wanted.items():
            frames += self.feeds[index].frames(self.exchanges, self.now_ns, channels)
        for feed in self.feeds:
            feed.end_block()
        for answer, response in answers:
            answer(response)
        return frames

    def _house(self, rows: NDArray[Any]) -> None:
        sides = np.zeros(len(rows), np.int64)
        feed_house_sides(self.exchanges, rows, sides)
        for index in range(len(self.feeds)):
            mine = rows["instrument"] == index
            self._reporter.house(index, rows[mine], sides[mine])

    # Actions.

    def _execute(self, one: Waiting, block_ms: int) -> ExchangeResponse:
        account, action = one.account, one.action
        if one.expires_after_ms is not None and one.expires_after_ms < block_ms:
            account.n_requests += self.rules.expired_action_cost
            return Refused(f"Action expired: expiresAfter {one.expires_after_ms} is before {block_ms}")
        if isinstance(action, PlaceOrders):
            refused = self._refused_whole(account, len(action.orders))
            return refused or accepted("order", [self._place(account, order) for order in action.orders])
        if isinstance(action, CancelOrders):
            targets = [(one.asset, one.venue_order_id) for one in action.cancels]
            return self._cancel_all(account, targets, account.open.get)
        if isinstance(action, CancelOrdersByCloid):
            cloids = [(one.asset, one.cloid.lower()) for one in action.cancels]
            return self._cancel_all(
                account, cloids, lambda it: account.open.get(account.open_cloids.get(it, -1))
            )
        if isinstance(action, UpdateLeverage):
            return self._set_leverage(account, action)
        if isinstance(action, Noop):
            return self._refused_whole(account, 1) or DEFAULT
        kind = str(action.__struct_config__.tag)
        return Refused(f"{kind} is not available on this exchange yet")

    def _refused_whole(self, account: Account, cost: int, is_cancel: bool = False) -> Refused | None:
        """Return why an action is refused as a whole, which costs nothing; else take its cost. Section 6."""
        if cost > self.rules.action_weight_max:
            return Refused(f"Signed action over weight limit of {self.rules.action_weight_max}.")
        if account.spend(cost, is_cancel, self.now_ns):
            return None
        cap = self.rules.address_budget(account.volume_e8 // 10**8)
        volume = f"{account.volume_e8 / 1e8:.2f}"
        return Refused(reasons.address_budget_text(account.n_requests + cost, cap, volume))

    def _place(self, account: Account, order: Order) -> Status:
        """Check and place one order; the checks stand in the order of section 10, point 5."""
        index = self.index_of_id.get(order.asset)
        if index is None:
            return Status(error=f"Order has invalid asset. asset={order.asset}")
        instrument = self.instruments[index]
        limits = read_limits(order, instrument.tick_decimals, instrument.lot_decimals)
        if isinstance(limits, Refusal):
            return Status(error=limits.text)
        refusal = why_refused(self, account, order, index, limits)
        if refusal is not None and not refusal.status:
            return Status(error=refusal.text)
        price, lots = limits.price_ticks, limits.size_lots
        oid = self._next_oid
        self._next_oid += 1
        cloid = order.cloid.lower() if order.cloid else None
        flags = flags_of(order)
        record = ClientOrder(oid, index, order.is_buy, price, lots, lots, self.now_ms, cloid, flags)
        if refusal is not None:
            shown = record if limits.is_on_tick else replace(record, price_text=order.price)
            account.add(shown)
            self._reporter.tell_state(account, shown, refusal.status)
            return Status(error=refusal.text)
        account.add(record)
        side = BUY if order.is_buy else SELL
        touch = self.feeds[index].touch(self.exchanges)
        place(self.exchanges, index, self.now_ns, oid, account.client, side, price, lots, flags)
        self._reporter.collect(index)
        return self._status(record, instrument, touch)

    def _status(
        self, order: ClientOrder, instrument: Instrument, touch: tuple[int | None, int | None]
    ) -> Status:
        """Return the status of an order that has just been placed."""
        if order.status == "open":
            return Status(resting=Resting(order.oid, order.cloid))
        if order.filled_lots > 0:
            average = server_text(
                round(10 * order.filled_value / order.filled_lots), instrument.tick_decimals + 1
            )
            filled = size_text(instrument, order.filled_lots)
            return Status(filled=Filled(filled, average, order.oid, order.cloid))
        kind = reasons.order_state(order.status)
        reason = kind[1] if kind else Reason.OTHER
        bid, ask = touch
        bbo = bbo_text(instrument, bid or 0, ask or 0)
        return Status(error=reasons.order_error_text(reason, instrument.venue_id, bbo=bbo))

    def _cancel_all(
        self,
        account: Account,
        targets: Sequence[tuple[int, int | str]],
        find: Callable[[Any], ClientOrder | None],
    ) -> ExchangeResponse:
        """Cancel one after the other. targets : (asset, id);  find : id -> order while it is open"""
        refused = self._refused_whole(account, len(targets), is_cancel=True)
        if refused is not None:
            return refused
        statuses: list[Status | str] = []
        for asset, identity in targets:
            order = find(identity)
            if order is None or self.instruments[order.index].venue_id != asset:
                statuses.append(Status(error=reasons.too_late_text(asset)))
                continue
            cancel(self.exchanges, order.index, self.now_ns, account.client, order.oid)
            self._reporter.collect(order.index)
            statuses.append(SUCCESS)
        return accepted("cancel", statuses)

    def _set_leverage(self, account: Account, action: UpdateLeverage) -> ExchangeResponse:
        index = self.index_of_id.get(action.asset)
        if index is None or not 1 <= action.leverage <= self.instruments[index].max_leverage:
            return Refused("Invalid leverage value")
        refused = self._refused_whole(account, 1)
        if refused is not None:
            return refused
        before = account.leverage[index]
        account.leverage[index] = action.leverage
        if action.leverage < before and Margin(account, self.marks).free < 0:
            account.leverage[index] = before
            return Refused("Insufficient margin to change leverage")
        if account.is_cross[index] != action.is_cross:
            account.is_cross[index] = action.is_cross
            account.isolated_e8[index] = 0 if action.is_cross else Margin(account, self.marks).initial(index)
        return DEFAULT
