"""Margin at the local exchange: what positions and orders bind, and the algebra of clearinghouseState.

Cross positions share the account's money; an isolated one has its own, which moves when it grows or
shrinks and not with the mark (venue file, sections 1.5 and 7.5). Margin tiers are left out: the first
tier's leverage counts at any size. Imports model and core; no IO. Next: `server_info.py`.
"""

from collections.abc import Iterable
from decimal import Decimal

from makerside.core.positions import notional_e8
from makerside.model.units import MONEY_DECIMALS
from makerside.venues.hyperliquid.numbers import server_text
from makerside.venues.hyperliquid.render import size_text
from makerside.venues.hyperliquid.server_accounts import Account
from makerside.venues.hyperliquid.wire_account import (
    AssetPosition,
    ClearinghouseState,
    FundingTotals,
    Leverage,
    MarginSummary,
    Position,
)


class Margin:
    """The margin figures of an account at given marks; all money in 10^-8 USD.

    marks : price in ticks per instrument
    """

    def __init__(self, account: Account, marks: list[int]) -> None:
        self.account = account
        self.marks = marks
        self.held = [i for i in range(len(marks)) if account.position_lots(i) != 0]
        self.isolated = [i for i in self.held if not account.is_cross[i]]
        self.cross = [i for i in self.held if account.is_cross[i]]
        self.value = account.value_e8(marks)
        self.cross_value = self.value - sum(self.equity(i) for i in self.isolated)

    def worth(self, index: int) -> int:
        """Return the notional of a position."""
        return self.account.position_value_e8(index, self.marks[index])

    def signed_worth(self, index: int) -> int:
        """Return the notional of a position, negative of a short one."""
        worth = self.worth(index)
        return worth if self.account.position_lots(index) > 0 else -worth

    def equity(self, index: int) -> int:
        """Return what an isolated position is worth with its own money and its open result."""
        return self.account.isolated_e8[index] + self.signed_worth(index)

    def initial(self, index: int) -> int:
        """Return the money that a position brings along when it becomes an isolated one.

        It gets its initial margin at the mark. The notes do not tell what the venue does here (section 7.5).
        """
        return self.worth(index) // self.account.leverage[index] - self.signed_worth(index)

    def used(self, index: int) -> int:
        """Return the margin that a position binds."""
        if self.account.is_cross[index]:
            return self.worth(index) // self.account.leverage[index]
        return self.equity(index)

    def maintenance(self, index: int) -> int:
        """Return the margin below which a position is liquidated."""
        return self.worth(index) // (2 * self.account.instruments[index].max_leverage)

    def used_by_orders(self, index: int) -> int:
        """Return the initial margin of what resting orders would add to a position."""
        account = self.account
        held = account.position_lots(index)
        buys, sells = account.open_lots(index)
        added = max(max(0, held) + buys, max(0, -held) + sells) - abs(held)
        unit = account.instruments[index].unit_value_e8
        # A market that has not had two sides yet has no mark: the highest order stands for it.
        prices = (order.price_ticks for order in account.open.values() if order.index == index)
        price = self.marks[index] or max(prices, default=0)
        return int(notional_e8(price, added, unit)) // account.leverage[index]

    def bound(self) -> int:
        """Return the margin of all positions and orders."""
        orders = sum(self.used_by_orders(i) for i in range(len(self.marks)))
        return sum(self.used(i) for i in self.held) + orders

    @property
    def free(self) -> int:
        """What new orders may bind; negative when there is too little for those that are there."""
        return self.value - self.bound()

    def liquidation_ticks(self, index: int) -> Decimal | None:
        """Return the mark at which a position is liquidated, None when no price does it.

        source : section 7.5, liq = px - side x margin available / size / (1 - l x side)
        """
        account, instrument = self.account, self.account.instruments[index]
        held = account.position_lots(index)
        if account.is_cross[index]:
            available = self.cross_value - sum(self.maintenance(i) for i in self.cross)
        else:
            available = self.equity(index) - self.maintenance(index)
        side = 1 if held > 0 else -1
        rest = 1 - side * Decimal(1) / (2 * instrument.max_leverage)
        price = self.marks[index] - side * Decimal(available) / (abs(held) * instrument.unit_value_e8) / rest
        return price if price > 0 else None


def has_margin(account: Account, marks: list[int], index: int, is_buy: bool, price: int, lots: int) -> bool:
    """Return whether free margin covers what a new order may open, at the account's leverage. Section 7.5.

    What only closes needs none: as much as the position, less what rests already to close it.
    """
    held = account.position_lots(index)
    is_closing = held != 0 and (held > 0) != is_buy
    resting = account.open_lots(index)[0 if is_buy else 1]
    opened = lots - min(lots, max(0, abs(held) - resting)) if is_closing else lots
    if opened == 0:
        return True
    needed = price * opened * account.instruments[index].unit_value_e8 // account.leverage[index]
    return Margin(account, marks).free >= needed


def clearinghouse(
    account: Account | None, marks: list[int], indexes: Iterable[int], time_ms: int
) -> ClearinghouseState:
    """Return the state of an account; of nobody, when it is None. indexes : instruments of the asked DEX"""
    if account is None:
        empty = _summary(0, 0, 0, 0)
        return ClearinghouseState((), empty, money(0), empty, money(0), time_ms)
    margin = Margin(account, marks)
    chosen = set(indexes)
    held = [i for i in margin.held if i in chosen]
    cross = [i for i in margin.cross if i in chosen]
    notional = sum(margin.worth(i) for i in held)
    least = int(notional * account.rules.withdrawable_share_min)
    return ClearinghouseState(
        asset_positions=tuple(_position(margin, i) for i in held),
        cross_margin_summary=_summary_of(margin, margin.cross_value, cross),
        withdrawable=money(max(0, margin.value - max(margin.bound(), least))),
        margin_summary=_summary_of(margin, margin.value, held),
        cross_maintenance_margin_used=money(sum(margin.maintenance(i) for i in cross)),
        time=time_ms,
    )


def _summary_of(margin: Margin, value: int, indexes: list[int]) -> MarginSummary:
    notional = sum(margin.worth(i) for i in indexes)
    raw = value - sum(margin.signed_worth(i) for i in indexes)
    return _summary(value, notional, raw, sum(margin.used(i) for i in indexes))


def _summary(value: int, notional: int, raw: int, used: int) -> MarginSummary:
    return MarginSummary(money(value), money(notional), money(raw), money(used))


def _position(margin: Margin, index: int) -> AssetPosition:
    account, instrument = margin.account, margin.account.instruments[index]
    held, leverage = account.position_lots(index), account.leverage[index]
    cost = int(account.ledger["positions"][index]["cost_e8"])
    entry = Decimal(cost) / (abs(held) * instrument.unit_value_e8) * instrument.tick_size
    unrealized = account.unrealized_e8(index, margin.marks[index])
    is_cross = account.is_cross[index]
    raw_usd = None if is_cross else money(account.isolated_e8[index])
    liquidation = margin.liquidation_ticks(index)
    return AssetPosition(
        Position(
            coin=instrument.symbol,
            position=size_text(instrument, held),
            leverage=Leverage("cross" if is_cross else "isolated", leverage, raw_usd),
            entry_price=_rounded(entry, instrument.tick_decimals + 2),
            position_value=money(margin.worth(index)),
            unrealized_pnl=money(unrealized),
            return_on_equity=_rounded(Decimal(unrealized * leverage) / max(1, cost), 10),
            liquidation_price=None if liquidation is None else _rounded(liquidation * instrument.tick_size, 8),
            margin_used=money(margin.used(index)),
            max_leverage=instrument.max_leverage,
            cum_funding=FundingTotals("0.0", "0.0", "0.0"),
        ),
        "oneWay",
    )


def money(amount_e8: int) -> str:
    """Return money as the venue writes it."""
    return server_text(amount_e8, MONEY_DECIMALS)


def _rounded(value: Decimal, decimals: int) -> str:
    return server_text(int(value.scaleb(decimals).to_integral_value()), decimals)
