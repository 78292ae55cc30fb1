"""What is asked and done over HTTP: everything that is not on the hot path.

Next: `client.py`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from makerside.model.errors import VenueRefused
from makerside.model.instrument import Instrument
from makerside.net.http import HttpLink
from makerside.net.nonce import NonceSource
from makerside.venues.hyperliquid import wire_info as ask
from makerside.venues.hyperliquid.client_state import AccountState, KeyRole, account_state
from makerside.venues.hyperliquid.cloid import identity_of
from makerside.venues.hyperliquid.signer import Signer
from makerside.venues.hyperliquid.wire_account import Fill, OpenOrder
from makerside.venues.hyperliquid.wire_actions import (
    ORDERS_PER_ACTION_MAX,
    Action,
    CancelById,
    CancelOrders,
    Refused,
    UpdateLeverage,
    cancel_orders,
    decode_exchange_response,
    encode_exchange,
)

# source : section 1.5: 2,000 fills an answer, the 10,000 newest can be reached
FILLS_PER_ANSWER = 2_000
FILL_PAGES_MAX = 6


def batched(rows: Any) -> Iterator[Any]:
    """Yield orders or action rows in runs that the venue takes as one action."""
    for start in range(0, len(rows), ORDERS_PER_ACTION_MAX):
        yield rows[start : start + ORDERS_PER_ACTION_MAX]


class HyperliquidHttp:
    """Asks and acts for one account on one network.

    url     : base URL without trailing slash;  signer : None for market data only
    account : the address that is traded for; the signer's own when ""
    """

    def __init__(self, url: str, signer: Signer | None, account: str, is_mainnet: bool) -> None:
        self.url = url.rstrip("/")
        self.signer = signer
        self.user = (account or (signer.address if signer else "")).lower()
        self.is_mainnet = is_mainnet
        self.instruments: list[Instrument] = []
        self._http = HttpLink(self.url)
        self._nonces = NonceSource()
        self._vault: str | None = None

    async def ask(self, request: ask.InfoRequest) -> Any:
        """Return the answer to an info request."""
        return ask.decode_answer(request, await self._http.post("/info", ask.encode_info(request)))

    async def account_state(self) -> AccountState:
        """Return what the venue holds for the account."""
        state = await self.ask(ask.ClearinghouseRequest(user=self.user, dex=""))
        orders = await self.ask(ask.OpenOrdersRequest(user=self.user, dex=""))
        return account_state(state, orders, self.instruments)

    async def account_mode(self) -> str:
        """Return the account's abstraction mode; "disabled" and "default" are the standard one."""
        return str(await self.ask(ask.AccountModeRequest(user=self.user)))

    async def key_role(self) -> KeyRole:
        """Return what our key is: an account of its own, which can withdraw, or somebody's API wallet."""
        assert self.signer is not None
        answer = await self.ask(ask.UserRoleRequest(user=self.signer.address))
        return KeyRole.of(answer, self.signer.address)

    async def act(self, action: Action) -> None:
        """Carry out one action over HTTP and wait for it; VenueRefused when the venue says no."""
        assert self.signer is not None
        nonce = self._nonces.next()
        signature = self.signer.sign_action(action, nonce, self._vault, None, self.is_mainnet)
        body = encode_exchange(action, nonce, signature, self._vault)
        answer = decode_exchange_response(await self._http.post("/exchange", body))
        if isinstance(answer, Refused):
            raise VenueRefused(answer.response)

    async def set_leverage(self, leverage: int, is_cross: bool) -> None:
        """Set margin mode and leverage of every followed instrument."""
        for instrument in self.instruments:
            await self.act(
                UpdateLeverage(instrument.venue_id, is_cross, min(leverage, instrument.max_leverage))
            )

    async def cancel_leftovers(self, orders: Sequence[OpenOrder]) -> None:
        """Cancel orders of ours that an earlier run left."""
        by_symbol = {instrument.symbol: instrument for instrument in self.instruments}
        for some in batched(orders):
            await self.act(cancel_orders([(by_symbol[one.coin], identity_of(one.cloid)) for one in some]))

    async def cancel_by_oid(self, orders: Sequence[OpenOrder]) -> None:
        """Cancel orders that carry no client order id of ours."""
        by_symbol = {instrument.symbol: instrument.venue_id for instrument in self.instruments}
        for some in batched(orders):
            await self.act(CancelOrders(tuple(CancelById(by_symbol[one.coin], one.oid) for one in some)))

    async def fills_since(self, since_ms: int) -> list[Fill]:
        """Return the account's fills from a time on, page by page: the venue answers the oldest first."""
        found: dict[tuple[int, int | None], Fill] = {}
        for _ in range(FILL_PAGES_MAX):
            fills = await self.ask(ask.UserFillsByTimeRequest(user=self.user, start_time=since_ms))
            found.update({(fill.oid, fill.trade_id): fill for fill in fills})
            newest_ms = max((fill.time for fill in fills), default=0)
            if len(fills) < FILLS_PER_ANSWER or newest_ms <= since_ms:
                break
            since_ms = newest_ms
        return list(found.values())

    async def open_identities(self) -> set[int]:
        """Return the client order ids of our orders that rest at the venue."""
        orders = await self.ask(ask.OpenOrdersRequest(user=self.user, dex=""))
        return {identity_of(order.cloid) for order in orders}

    async def open_order_count(self) -> int:
        """Return how many orders of the account rest on the followed symbols."""
        symbols = {instrument.symbol for instrument in self.instruments}
        orders = await self.ask(ask.OpenOrdersRequest(user=self.user, dex=""))
        return sum(1 for order in orders if order.coin in symbols)
