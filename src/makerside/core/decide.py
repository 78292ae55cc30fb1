"""Decide: targets, limits, diff, budget, orders; the one place where actions are born.

What a limit or the budget holds back is tried again at the next news or timer. Timers are news only then,
when an answer is overdue, when the market falls silent, or when a strategy has asked for it (`wake_ns`).

Runs per trader after a complete message, when something that it looks at has changed and its pacing
lets it. What it writes is already counted as exposure when it returns. Pure.
"""

from makerside.core.diff import is_quoting, is_wanted, match_quotes
from makerside.core.kernel import Record, inlined, kernel
from makerside.core.orders import PENDING_NEW, UNKNOWN, order_advance, order_new
from makerside.core.own import own_sent
from makerside.core.pacing import is_flush_due, may_cancel, may_place, refill_budget, spend
from makerside.core.risk import APPROVED, check_order, fit_quotes
from makerside.core.rows import nth
from makerside.core.signature import call_strategy
from makerside.model.action import ActionKind, ActionReason
from makerside.model.event import Command, Flag, Reason
from makerside.model.market import MarketStatus
from makerside.model.order import OrderInput
from makerside.model.units import ASK, BID, NEVER_NS, SELL

SELL_FLAG = int(Flag.SELL)
BUDGET = int(Reason.BUDGET)
CAPACITY = int(Reason.CAPACITY)


@inlined
def why_not(markets: Record, account: Record, trader: Record, now_ns: int) -> ActionReason:
    """Return ActionReason.QUOTE when the trader may quote, else why it must not: HALTED or STALE."""
    if account["command"] != Command.RESUME:
        return ActionReason.HALTED
    for i in range(trader["n_legs"]):
        market = nth(markets, trader["legs"][i]["instrument"])
        if market["status"] != MarketStatus.OK or now_ns - market["ts_local_ns"] > trader["stale_ns"]:
            return ActionReason.STALE
    return ActionReason.QUOTE


@kernel
def decide(markets: Record, account: Record, trader: Record, trader_index: int, desk: Record) -> None:
    """Take one decision for one trader; its actions are appended to `desk["actions"]`.

    markets : first of the market_t records, by instrument;  trader_index : what actions say who decided
    """
    now_ns = desk["now_ns"]
    if account["is_connected"] == 0:
        return
    reason = why_not(markets, account, trader, now_ns)
    if reason == ActionReason.QUOTE and not is_flush_due(trader, now_ns):
        return
    trader["is_dirty"] = 0
    trader["is_waiting"] = 0
    trader["n_decisions"] += 1
    refill_budget(account, now_ns)
    desk["n_quotes"] = 0
    desk["wake_ns"] = NEVER_NS
    if reason == ActionReason.QUOTE:
        _lay_legs(markets, account, trader, desk)
        call_strategy(
            desk["targets"][trader["strategy"]], nth(markets, trader["legs"][0]["instrument"]), trader, desk
        )
        for i in range(trader["n_legs"]):
            fit_quotes(nth(markets, trader["legs"][i]["instrument"]), account, trader, desk, i)
    elif reason == ActionReason.STALE:
        desk["wake_ns"] = 0  # a market that speaks again may say what it said before
    match_quotes(trader, desk)
    before = desk["n_actions"]
    _cancel_unwanted(account, trader, trader_index, desk, reason)
    _place_wanted(markets, account, trader, trader_index, desk)
    if desk["n_actions"] > before:
        trader["ts_flush_ns"] = now_ns
    trader["ts_wake_ns"] = desk["wake_ns"]


@inlined
def _lay_legs(markets: Record, account: Record, trader: Record, desk: Record) -> None:
    """Show the strategy each leg's touch without us, its position and its limit."""
    for i in range(trader["n_legs"]):
        leg = trader["legs"][i]
        market = nth(markets, leg["instrument"])
        position = account["positions"][leg["position"]]
        position["price_ticks"] = market["bid_ticks"]
        # A market that falls silent is news, when the time has come.
        desk["wake_ns"] = min(desk["wake_ns"], market["ts_local_ns"] + trader["stale_ns"] + 1)
        view = desk["legs"][i]
        view["bid_ticks"] = market["bid_ticks"]
        view["ask_ticks"] = market["ask_ticks"]
        view["mid_ticks"] = market["mid_ticks"]
        view["position_lots"] = position["position_lots"]
        view["position_max_lots"] = leg["position_max_lots"]


@inlined
def _may_be_unwanted(trader: Record, order: Record, desk: Record, now_ns: int) -> bool:
    """Return whether a cancel makes sense: the order stands for a quote, or nobody knows whether it rests.

    An order in doubt serves no quote; it is cancelled once per time-out until the doubt is resolved.
    """
    if order["state"] == UNKNOWN:
        desk["wake_ns"] = 0
        return now_ns - order["ts_sent_ns"] >= trader["timeout_ns"]
    return is_quoting(order)


@inlined
def _cancel_unwanted(account: Record, trader: Record, trader_index: int, desk: Record, reason: int) -> None:
    """Cancel what no quote wants. An order that is not acked yet is waited for, unless we must leave."""
    for i in range(trader["n_active"]):
        slot = trader["active"][i]
        order = trader["orders"][slot]
        if not _may_be_unwanted(trader, order, desk, desk["now_ns"]) or is_wanted(desk, slot):
            continue
        if reason == ActionReason.QUOTE and order["state"] == PENDING_NEW:
            continue
        if not may_cancel(account):
            trader["refusals"][BUDGET] += 1
            desk["wake_ns"] = 0
            return
        spend(account)
        leg = trader["legs"][int(order["leg"])]
        why = ActionReason.MOVED if reason == ActionReason.QUOTE else reason
        _write(desk, trader, trader_index, leg, order, ActionKind.CANCEL, order["open_lots"], why)
        trader["n_cancels"] += 1
        order["ts_sent_ns"] = desk["now_ns"]
        trader["ts_deadline_ns"] = min(trader["ts_deadline_ns"], desk["now_ns"] + trader["timeout_ns"])
        position = account["positions"][leg["position"]]
        order_advance(trader, position, account, slot, OrderInput.CANCEL_SENT, desk["now_ns"])


@inlined
def _place_wanted(markets: Record, account: Record, trader: Record, trader_index: int, desk: Record) -> None:
    """Send an order for every quote that has none, as far as budget, slots and limits reach."""
    for q in range(desk["n_quotes"]):
        quote = desk["quotes"][q]
        if desk["is_taken"][q] != 0 or quote["size_lots"] <= 0:
            continue
        leg = trader["legs"][quote["leg"]]
        market = nth(markets, leg["instrument"])
        refusal = CAPACITY if trader["n_free"] == 0 else APPROVED
        if refusal == APPROVED and not may_place(account):
            refusal = BUDGET
        if refusal == APPROVED:
            refusal = check_order(
                market, account, trader, leg, quote["side"], quote["price_ticks"], quote["size_lots"]
            )
        if refusal != APPROVED:
            trader["refusals"][refusal] += 1
            desk["wake_ns"] = 0
            continue
        spend(account)
        position = account["positions"][leg["position"]]
        slot = order_new(
            trader,
            position,
            quote["side"],
            quote["leg"],
            quote["level"],
            quote["price_ticks"],
            quote["size_lots"],
            desk["now_ns"],
        )
        trader["n_placed"] += 1
        order = trader["orders"][slot]
        book_side = ASK if quote["side"] == SELL else BID
        own_sent(market, order["client_order_id"], book_side, quote["price_ticks"], quote["size_lots"])
        _write(desk, trader, trader_index, leg, order, ActionKind.PLACE, quote["size_lots"], ActionReason.QUOTE)
        desk["actions"][desk["n_actions"] - 1]["flags"] |= quote["flags"]


@inlined
def _write(
    desk: Record,
    trader: Record,
    trader_index: int,
    leg: Record,
    order: Record,
    kind: int,
    size_lots: int,
    reason: int,
) -> None:
    """Append one action row."""
    row = desk["actions"][desk["n_actions"]]
    desk["n_actions"] += 1
    row["event_seq"] = desk["seq"] + desk["own_seq"]
    row["ts_decided_ns"] = desk["now_ns"]
    row["size_lots"] = size_lots
    row["price_ticks"] = order["price_ticks"]
    row["instrument"] = leg["instrument"]
    row["kind"] = kind
    row["flags"] = SELL_FLAG if order["side"] == SELL else 0
    row["client_order_id"] = order["client_order_id"]
    row["venue_order_id"] = order["venue_order_id"]
    row["account"] = trader["account"]
    row["trader"] = trader_index
    row["level"] = order["level"]
    row["reason"] = reason
    row["spare"] = 0
