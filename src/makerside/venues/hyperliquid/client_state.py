"""What the client learns before the start: the account's state, and how it becomes rows.

Next: `client.py`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.errors import UserError
from makerside.model.event import Flag, Kind, account_detail_t, event_t
from makerside.venues.hyperliquid.wire_account import OpenOrder

MAINNET_URL = "https://api.hyperliquid.xyz"
TESTNET_URL = "https://api.hyperliquid-testnet.xyz"


@dataclass(frozen=True, slots=True)
class AccountState:
    """What the venue says about the account before the start.

    positions   : (instrument index, signed lots, entry cost in 10^-8)
    own_orders, strange_orders : open orders on the followed symbols, with and without our prefix
    """

    role: str
    cash_e8: int
    positions: list[tuple[int, int, int]]
    own_orders: list[OpenOrder]
    strange_orders: list[OpenOrder]


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
    """Return the base URL of a network; UserError when a local one is not given."""
    if network == "mainnet":
        return MAINNET_URL
    if network == "testnet":
        return TESTNET_URL
    if not url:
        raise UserError("venue.url: a local network needs the exchange's URL, e.g. http://127.0.0.1:3001")
    return url
