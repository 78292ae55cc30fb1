"""What the client learns before the start: the account's state, and how it becomes rows.

Next: `client.py`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from makerside.model.errors import ConfigError
from makerside.model.event import Flag, Kind, account_detail_t, event_t
from makerside.model.instrument import Instrument
from makerside.model.units import E8
from makerside.venues.hyperliquid.cloid import identity_of
from makerside.venues.hyperliquid.wire_account import (
    ClearinghouseState,
    FoundOrder,
    OpenOrder,
    OrderUpdate,
    UserRole,
)

MAINNET_URL = "https://api.hyperliquid.xyz"
TESTNET_URL = "https://api.hyperliquid-testnet.xyz"
PORT_MAX = 65_535
URL_EXAMPLE = "http://127.0.0.1:3001"


@dataclass(frozen=True, slots=True)
class AccountState:
    """What the venue says about the account before the start.

    ts_venue_ms : the venue's time of the statement, 0 when it gives none
    positions   : (instrument index, signed lots, entry cost in 10^-8)
    own_orders, strange_orders : open orders on the followed symbols, with and without our prefix
    """

    ts_venue_ms: int
    cash_e8: int
    positions: list[tuple[int, int, int]]
    own_orders: list[OpenOrder]
    strange_orders: list[OpenOrder]


@dataclass(frozen=True, slots=True)
class KeyRole:
    """What a key is at the venue. account : the one it trades for, "" when the venue does not know it."""

    is_master: bool
    account: str

    @classmethod
    def of(cls, role: UserRole, address: str) -> "KeyRole":
        """Return the role of the key with this address. source : section 1.5, userRole"""
        if role.role == "missing":
            return cls(False, "")
        if role.role == "agent":
            return cls(False, str((role.data or {}).get("user", "")).lower())
        return cls(True, address.lower())


def account_state(
    state: ClearinghouseState, orders: Sequence[OpenOrder], instruments: Sequence[Instrument]
) -> AccountState:
    """Return what two answers of the venue say about the followed instruments.

    The account's value holds the money of isolated positions, the cross value does not (section 1.5).
    """
    index_of = {instrument.symbol: i for i, instrument in enumerate(instruments)}
    positions = []
    summary = state.margin_summary if state.margin_summary is not UNSET else state.cross_margin_summary
    cash = Decimal(summary.account_value)
    for one in state.asset_positions:
        held = one.position
        cash -= Decimal(held.unrealized_pnl)
        if held.coin in index_of and held.entry_price is not None:
            index = index_of[held.coin]
            cost = abs(Decimal(held.position)) * Decimal(held.entry_price)
            positions.append((index, instruments[index].size_lots(held.position), int(cost * E8)))
    ours = [order for order in orders if order.coin in index_of]
    return AccountState(
        ts_venue_ms=state.time if state.time is not UNSET else 0,
        cash_e8=int(cash * E8),
        positions=positions,
        own_orders=[order for order in ours if identity_of(order.cloid)],
        strange_orders=[order for order in ours if not identity_of(order.cloid)],
    )


def order_update(found: FoundOrder) -> OrderUpdate:
    """Return the answer to a question about an order as the update that the stream would have sent."""
    record = found.order
    known = record.order
    plain = OpenOrder(
        coin=known.coin,
        side=known.side,
        limit_price=known.limit_price,
        size=known.size,
        oid=known.oid,
        timestamp=known.timestamp,
        original_size=known.original_size,
        cloid=known.cloid,
    )
    return OrderUpdate(order=plain, status=record.status, status_timestamp=record.status_timestamp)


def statement_rows(state: AccountState, ts_local_ns: int) -> NDArray[Any]:
    """Return the BALANCE and POSITION rows of an account's state: (2n,) event_t."""
    rows = np.zeros(2 + 2 * len(state.positions), event_t)
    rows["ts_local_ns"] = ts_local_ns
    details = rows.view(account_detail_t)
    rows[0]["kind"], rows[0]["flags"] = Kind.BALANCE, Flag.LAST
    details[1] = (0, state.cash_e8, 0, 0)
    for i, (index, lots, cost_e8) in enumerate(state.positions):
        head = 2 + 2 * i
        rows[head]["instrument"], rows[head]["size_lots"] = index, lots
        rows[head]["kind"], rows[head]["flags"] = Kind.POSITION, Flag.LAST
        details[head + 1] = (0, cost_e8, 0, 0)
    return rows


def network_url(network: str, url: str) -> str:
    """Return the base URL of a network; ConfigError when that of a local one is missing or none."""
    if network == "mainnet":
        return MAINNET_URL
    if network == "testnet":
        return TESTNET_URL
    if not url:
        raise ConfigError(f"venue.url: a local network needs the exchange's URL, e.g. {URL_EXAMPLE}")
    found = re.fullmatch(r"https?://[^/\s:@]+(?::(\d{1,5}))?/?", url)
    if found is None or int(found[1] or 0) > PORT_MAX:
        raise ConfigError(f"venue.url: {url!r} is no URL; write it like {URL_EXAMPLE}")
    return url
