"""The local exchange's answers to `/info`.

Imports model and the codec; no IO. Next: `server.py`.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from makerside.model.units import E8
from makerside.venues.hyperliquid import wire_info as ask
from makerside.venues.hyperliquid.codec import Malformed
from makerside.venues.hyperliquid.numbers import server_text
from makerside.venues.hyperliquid.server_accounts import Account, ClientOrder
from makerside.venues.hyperliquid.server_margin import clearinghouse, money
from makerside.venues.hyperliquid.server_venue import LocalVenue
from makerside.venues.hyperliquid.wire_account import (
    ClearinghouseState,
    FeeSchedule,
    FeeTiers,
    Fill,
    FoundOrder,
    MakerTier,
    OrderRecord,
    RateLimit,
    SpotState,
    UnknownOrder,
    UserFees,
    UserRole,
    VipTier,
)
from makerside.venues.hyperliquid.wire_market import AssetContext, Book, VenueStatus

FILLS_PER_ANSWER = 2_000  # section 1.5


class InfoDesk:
    """Answers questions about a local venue."""

    def __init__(self, venue: LocalVenue) -> None:
        self.venue = venue
        self._handlers: dict[type[ask.InfoRequest], Callable[[Any], Any]] = {
            ask.MetaRequest: lambda r: self._meta(r.dex),
            ask.MetaAndContextsRequest: lambda r: (self._meta(r.dex), self._contexts(r.dex)),
            ask.SpotMetaRequest: lambda r: venue.descriptions.spot_meta,
            ask.PerpDexsRequest: lambda r: venue.descriptions.perp_dexs,
            ask.AllMidsRequest: lambda r: self.mids(r.dex),
            ask.VenueStatusRequest: lambda r: VenueStatus(venue.now_ms),
            ask.BookRequest: self._book,
            ask.RecentTradesRequest: self._trades,
            ask.OpenOrdersRequest: lambda r: self._orders(r, "as_open"),
            ask.FrontendOpenOrdersRequest: lambda r: self._orders(r, "as_frontend"),
            ask.ClearinghouseRequest: self._clearinghouse,
            ask.SpotStateRequest: lambda r: SpotState(()),
            ask.UserRoleRequest: self._role,
            ask.OrderStatusRequest: self._order_status,
            ask.UserFillsRequest: self._fills,
            ask.UserFillsByTimeRequest: self._fills_by_time,
            ask.RateLimitRequest: self._rate_limit,
            ask.UserFeesRequest: self._fees,
            ask.AccountModeRequest: lambda r: "disabled",
        }

    def answer(self, request: ask.InfoRequest) -> Any:
        """Return the answer to a question; Malformed for one that this exchange does not know."""
        handler = self._handlers.get(type(request))
        if handler is None:
            raise Malformed(f"{ask.info_kind(request)} is not answered here")
        return handler(request)

    def _meta(self, dex: str | None) -> Any:
        meta = self.venue.descriptions.metas.get(dex or "")
        if meta is None:
            raise Malformed(f"no such dex {dex!r}")
        return meta

    def _in_dex(self, index: int, dex: str | None) -> bool:
        symbol = self.venue.instruments[index].symbol
        return (symbol.partition(":")[0] if ":" in symbol else "") == (dex or "")

    def mids(self, dex: str | None) -> dict[str, str]:
        """Return the mids of one DEX by symbol."""
        found = {}
        for index, feed in enumerate(self.venue.feeds):
            text = feed.mid_text(self.venue.exchanges)
            if text is not None and self._in_dex(index, dex):
                found[feed.instrument.symbol] = text
        return found

    def _contexts(self, dex: str | None) -> tuple[AssetContext, ...]:
        """Return one context per entry of the universe, holes included."""
        contexts = []
        for asset in self._meta(dex).universe:
            index = self.venue.index_of_symbol.get(asset.name)
            contexts.append(self._context(index) if index is not None else _empty_context())
        return tuple(contexts)

    def _context(self, index: int) -> AssetContext:
        feed = self.venue.feeds[index]
        mark = server_text(feed.mark_ticks, feed.instrument.tick_decimals)
        notional, size = feed.volume_texts()
        return AssetContext(
            funding=server_text(125, 7),  # 0.0000125 an hour: the flat premium's rate; nothing is charged yet
            open_interest="0.0",
            prev_day_price=mark,
            day_notional_volume=notional,
            oracle_price=mark,
            mark_price=mark,
            premium="0.0",
            mid_price=feed.mid_text(self.venue.exchanges),
            impact_prices=None,
            day_base_volume=size,
        )

    def _book(self, request: ask.BookRequest) -> Book | None:
        index = self.venue.index_of_symbol.get(request.coin)
        if index is None:
            return None
        feed, venue = self.venue.feeds[index], self.venue
        if request.significant_figures is None and request.mantissa is None:
            return feed.book(venue.exchanges, venue.now_ms, venue.rules.book_slow_levels)
        if request.significant_figures not in (2, 3, 4, 5) or request.mantissa not in (None, 1, 2, 5):
            raise Malformed("nSigFigs must be 2 to 5, mantissa 1, 2 or 5")
        if request.mantissa is not None and request.significant_figures != 5:
            raise Malformed("mantissa goes with 5 nSigFigs only")
        return feed.aggregated(
            venue.exchanges, venue.now_ms, request.significant_figures, request.mantissa or 1
        )

    def _trades(self, request: ask.RecentTradesRequest) -> tuple[Any, ...]:
        index = self.venue.index_of_symbol.get(request.coin)
        return () if index is None else tuple(reversed(self.venue.feeds[index].trades))

    def _account(self, address: str) -> Account | None:
        return self.venue.accounts.get(address.lower())

    def _orders(self, request: Any, form: str) -> tuple[Any, ...]:
        account = self._account(request.user)
        if account is None:
            return ()
        return tuple(
            getattr(order, form)(self.venue.instruments[order.index])
            for order in account.open.values()
            if self._in_dex(order.index, request.dex)
        )

    def _order_status(self, request: ask.OrderStatusRequest) -> FoundOrder | UnknownOrder:
        account = self._account(request.user)
        order: ClientOrder | None = None
        if account is not None:
            oid = request.oid
            if isinstance(oid, str):
                oid = account.record_cloids.get(oid.lower(), -1)
            order = account.records.get(oid)
        if order is None:
            return UnknownOrder()
        frontend = order.as_frontend(self.venue.instruments[order.index])
        return FoundOrder(OrderRecord(frontend, order.status, order.status_ms or order.placed_ms))

    def _fills(self, request: ask.UserFillsRequest) -> tuple[Fill, ...]:
        account = self._account(request.user)
        newest = list(account.fills)[-FILLS_PER_ANSWER:] if account else []
        return tuple(reversed(newest))

    def _fills_by_time(self, request: ask.UserFillsByTimeRequest) -> tuple[Fill, ...]:
        account = self._account(request.user)
        if account is None:
            return ()
        end = request.end_time if request.end_time is not None else 1 << 62
        found = [fill for fill in account.fills if request.start_time <= fill.time <= end]
        if request.reversed:
            found.reverse()
        return tuple(found[:FILLS_PER_ANSWER])

    def _role(self, request: ask.UserRoleRequest) -> UserRole:
        address = request.user.lower()
        master = self.venue.agents.get(address)
        if master is not None:
            return UserRole("agent", {"user": master})
        return UserRole("user" if address in self.venue.accounts else "missing")

    def _rate_limit(self, request: ask.RateLimitRequest) -> RateLimit:
        account = self._account(request.user)
        volume_e8 = account.volume_e8 if account else 0
        used = account.n_requests if account else 0
        cap = self.venue.rules.address_budget(volume_e8 // E8)
        return RateLimit(money(volume_e8), used, cap, max(0, cap - used))

    def _fees(self, request: ask.UserFeesRequest) -> UserFees:
        rules = self.venue.rules
        maker, taker = rules.fee_rates()
        spot_maker, spot_taker = rules.fee_rates(is_spot=True)

        def rate(value: Decimal) -> str:
            return format(value.normalize(), "f")

        tiers = tuple(
            VipTier(str(tier.volume_usd), rate(tier.taker), rate(tier.maker))
            for tier in rules.perp_fee_tiers
            if tier.volume_usd
        )
        mm = tuple(MakerTier(rate(share), rate(rebate)) for share, rebate in rules.maker_rebates)
        schedule = FeeSchedule(rate(taker), rate(maker), FeeTiers(tiers, mm), rate(rules.referral_discount))
        return UserFees((), schedule, rate(taker), rate(maker), rate(spot_taker), rate(spot_maker))

    def _clearinghouse(self, request: ask.ClearinghouseRequest) -> ClearinghouseState:
        indexes = [i for i in range(len(self.venue.instruments)) if self._in_dex(i, request.dex)]
        return clearinghouse(self._account(request.user), self.venue.marks, indexes, self.venue.now_ms)


def _empty_context() -> AssetContext:
    return AssetContext("0.0", "0.0", "0.0", "0.0", "0.0", "0.0")
