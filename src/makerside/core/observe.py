"""Observe: what each event row does to the records, before anything is decided.

Public rows change one market; reports change a trader's orders, its account's ledger and the note of
our own orders in the market. No row is looked at twice and none decides anything. Pure.
"""

from makerside.core.book import apply_book_row, book_clear, end_message, infer_side
from makerside.core.estimators.fair import update_fair
from makerside.core.estimators.intensity import on_trade, update_intensity
from makerside.core.estimators.volatility import update_volatility
from makerside.core.kernel import Record, inlined, kernel
from makerside.core.orders import find_order, note_end, on_ack, on_end, on_fill, on_venue_filled, order_advance
from makerside.core.own import note_told, own_never, set_touch
from makerside.core.positions import book_fill, book_funding
from makerside.model.account import TRADE_IDS_CAPACITY
from makerside.model.event import Flag, Kind
from makerside.model.market import MarketStatus
from makerside.model.order import BOT_BITS, COUNTER_BITS, EPOCH_BITS, SLOT_BITS, OrderInput, OrderState
from makerside.model.units import ASK, BID, BUY, SELL

SELL_FLAG = int(Flag.SELL)
UNKNOWN_SIDE = int(Flag.UNKNOWN_SIDE)
DELTA, TRADE, GAP = int(Kind.DELTA), int(Kind.TRADE), int(Kind.GAP)
FILL, ORDER_ACK, ORDER_REJECT = int(Kind.FILL), int(Kind.ORDER_ACK), int(Kind.ORDER_REJECT)
_BOT_SHIFT = SLOT_BITS + COUNTER_BITS + EPOCH_BITS
_BOT_MASK = (1 << BOT_BITS) - 1


@inlined
def observe_market_row(market: Record, event: Record) -> None:
    """Apply one public row without a continuation: DELTA, SNAPSHOT, TRADE, BBO or GAP."""
    kind = int(event["kind"])
    flags = int(event["flags"])
    market["n_rows"] += 1
    market["ts_venue_ns"] = max(market["ts_venue_ns"], event["ts_venue_ns"])
    market["ts_local_ns"] = event["ts_local_ns"]
    if kind == TRADE:
        _observe_trade(market, int(event["price_ticks"]), flags)
    elif kind == GAP:
        _observe_gap(market)
    elif market["status"] == MarketStatus.GAP and kind == DELTA:
        market["book"]["n_older"] += 1  # a change of a book that we no longer have
    else:
        if market["status"] == MarketStatus.GAP:
            market["status"] = MarketStatus.EMPTY
        side = ASK if flags & SELL_FLAG else BID
        observe_level(market, kind, side, int(event["price_ticks"]), event["size_lots"], event["ts_venue_ns"])


@inlined
def observe_level(market: Record, kind: int, side: int, tick: int, lots: int, ts_venue_ns: int) -> None:
    """Apply a book row, and note when its level was told where the feed shows our own orders."""
    is_told = apply_book_row(market["book"], kind, side, tick, lots, ts_venue_ns)
    if is_told and market["has_own_in_book"] == 1:
        note_told(market, side, tick, ts_venue_ns)


@kernel
def _observe_gap(market: Record) -> None:
    """The feed was interrupted: the book is unknown until a snapshot or the best prices come."""
    market["status"] = MarketStatus.GAP
    market["n_gaps"] += 1
    market["is_dirty"] = 1
    book_clear(market["book"])
    market["book"]["ts_touch_ns"] = 0
    market["book"]["ts_depth_ns"] = 0
    market["intensity"]["ts_window_ns"] = 0  # nobody knows what happened in it


@kernel
def _observe_trade(market: Record, tick: int, flags: int) -> None:
    market["n_trades"] += 1
    if flags & UNKNOWN_SIDE:
        side = infer_side(market, tick)
        market["n_side_inferred"] += 1
    else:
        side = SELL if flags & SELL_FLAG else BUY
    market["last_trade_ticks"] = tick
    market["last_trade_side"] = side
    market["is_dirty"] = 1
    on_trade(market, side, tick)


@inlined
def end_market_message(market: Record) -> None:
    """Close a message of one market: touch without us, status, estimators, and whether to decide."""
    market["n_messages"] += 1
    end_message(market["book"])
    if market["status"] == MarketStatus.GAP:
        return
    bid, ask = market["bid_ticks"], market["ask_ticks"]
    bid_lots, ask_lots = market["bid_lots"], market["ask_lots"]
    before = market["status"]
    set_touch(market)
    is_moved = bid != market["bid_ticks"] or ask != market["ask_ticks"]
    is_resized = bid_lots != market["bid_lots"] or ask_lots != market["ask_lots"]
    if is_moved or is_resized or before != market["status"]:
        market["is_dirty"] = 1
    if market["status"] == MarketStatus.OK:
        update_fair(market)
        update_volatility(market)
        update_intensity(market)


@inlined
def bot_in(client_order_id: int) -> int:
    """Return the bot id in a client order id."""
    return (client_order_id >> _BOT_SHIFT) & _BOT_MASK


@kernel
def find_trader(traders: Record, client_order_id: int) -> int:
    """Return the index of the trader whose bot id is in a client order id, -1 for a stranger's."""
    if client_order_id <= 0:
        return -1
    bot = bot_in(client_order_id)
    for k in range(len(traders)):
        if traders[k]["bot"] == bot:
            return k
    return -1


@inlined
def find_leg(trader: Record, instrument: int) -> int:
    """Return the trader's leg on an instrument, -1 when it has none."""
    for i in range(trader["n_legs"]):
        if trader["legs"][i]["instrument"] == instrument:
            return i
    return -1


@kernel
def is_known_trade(account: Record, trade_id: int) -> bool:
    """Return whether a trade id was seen lately, and remember it when it was not."""
    for i in range(TRADE_IDS_CAPACITY):
        if account["trade_ids"][i] == trade_id:
            return True
    slot = account["trade_id_next"]
    account["trade_ids"][slot] = trade_id
    account["trade_id_next"] = (slot + 1) % TRADE_IDS_CAPACITY
    return False


@kernel
def observe_report(
    markets: Record, accounts: Record, traders: Record, event: Record, detail: Record, now_ns: int
) -> None:
    """Apply one fact about an order of ours. event : event_t;  detail : order_detail_t."""
    k = find_trader(traders, detail["client_order_id"])
    if k < 0:
        accounts[0]["n_strange"] += 1
        return
    trader = traders[k]
    account = accounts[trader["account"]]
    observe_own(markets[int(event["instrument"])], account, trader, event, detail, now_ns)


@kernel
def observe_own(
    market: Record, account: Record, trader: Record, event: Record, detail: Record, now_ns: int
) -> None:
    """Apply one fact about an order of a trader on its account. market : of the event's instrument."""
    leg = find_leg(trader, int(event["instrument"]))
    if leg < 0:
        account["n_strange"] += 1
        return
    trader["is_dirty"] = 1
    position = account["positions"][trader["legs"][leg]["position"]]
    slot = find_order(trader, detail["client_order_id"])
    kind = int(event["kind"])
    if kind == FILL:
        _observe_fill(trader, account, position, market, slot, event, detail, now_ns)
    elif slot >= 0:
        _observe_order(trader, account, position, market, slot, kind, event, detail, now_ns)
    elif kind in (ORDER_ACK, ORDER_REJECT):
        account["n_strange"] += 1


@kernel
def _observe_fill(
    trader: Record,
    account: Record,
    position: Record,
    market: Record,
    slot: int,
    event: Record,
    detail: Record,
    now_ns: int,
) -> None:
    if is_known_trade(account, detail["reference"]):
        account["n_duplicate_fills"] += 1
        return
    lots = event["size_lots"]
    side = SELL if int(event["flags"]) & SELL_FLAG else BUY
    book_fill(position, account, side, int(event["price_ticks"]), lots, detail["fee_e8"])
    trader["n_fills"] += 1
    # A fill of an order whose slot is gone still counts in the ledger: the order had ended too early.
    if slot >= 0:
        on_fill(trader, position, account, market, slot, lots, event["ts_venue_ns"], now_ns)


@inlined
def _observe_order(
    trader: Record,
    account: Record,
    position: Record,
    market: Record,
    slot: int,
    kind: int,
    event: Record,
    detail: Record,
    now_ns: int,
) -> None:
    order = trader["orders"][slot]
    lots = event["size_lots"]
    ts_ns = event["ts_venue_ns"]
    if kind == Kind.ORDER_ACK:
        on_ack(trader, position, account, market, slot, detail["venue_order_id"], lots, ts_ns, now_ns)
    elif kind == Kind.ORDER_CANCELED:
        on_end(trader, position, account, market, slot, OrderInput.CANCELED, lots, ts_ns, now_ns)
    elif kind == Kind.ORDER_EXPIRED:
        on_end(trader, position, account, market, slot, OrderInput.EXPIRED, lots, ts_ns, now_ns)
    elif kind == Kind.ORDER_SELF_TRADE:
        on_end(trader, position, account, market, slot, OrderInput.SELF_TRADE, lots, ts_ns, now_ns)
    elif kind == Kind.ORDER_FILLED:
        on_venue_filled(trader, position, account, market, slot, ts_ns, now_ns)
    elif kind == Kind.CANCEL_REFUSED:
        order_advance(trader, position, account, slot, OrderInput.CANCEL_REFUSED, now_ns)
    elif kind == Kind.CANCEL_TOO_LATE:
        order_advance(trader, position, account, slot, OrderInput.CANCEL_TOO_LATE, now_ns)
    elif kind == Kind.ORDER_NEVER_EXISTED:
        if order_advance(trader, position, account, slot, OrderInput.NEVER_EXISTED, now_ns):
            trader["n_rejects"] += 1
            note_end(market, order, ts_ns, now_ns)
    elif kind == Kind.SEND_FAILED:
        order_advance(trader, position, account, slot, OrderInput.SEND_FAILED, now_ns)
        if order["state"] == OrderState.FREE:
            own_never(market, order["client_order_id"])
    elif order_advance(trader, position, account, slot, OrderInput.REJECT, now_ns):
        trader["n_rejects"] += 1
        own_never(market, order["client_order_id"])


@kernel
def observe_prices(market: Record, detail: Record) -> None:
    """Note mark and index price. detail : account_detail_t of a PRICES row"""
    market["mark_price_e8"] = detail["mark_price_e8"]
    market["index_price_e8"] = detail["index_price_e8"]


@kernel
def observe_account(markets: Record, accounts: Record, event: Record, detail: Record) -> None:
    """Apply one fact about money or prices. event : event_t;  detail : account_detail_t."""
    kind = int(event["kind"])
    if kind == Kind.PRICES:
        observe_prices(markets[int(event["instrument"])], detail)
        return
    observe_money(accounts[detail["account"]], event, detail)


@kernel
def observe_money(account: Record, event: Record, detail: Record) -> None:
    """Apply the venue's word about an account: BALANCE, POSITION, FUNDING."""
    kind = int(event["kind"])
    if kind == Kind.BALANCE:
        if account["is_opened"] == 0:
            account["cash_e8"] = detail["amount_e8"]
            account["is_opened"] = 1
        elif account["cash_e8"] != detail["amount_e8"]:
            account["n_divergent"] += 1
        return
    for i in range(account["n_positions"]):
        position = account["positions"][i]
        if position["instrument"] == int(event["instrument"]):
            if kind == Kind.FUNDING:
                book_funding(position, account, detail["amount_e8"])
            else:
                _observe_statement(account, position, event["size_lots"], detail["amount_e8"])


@kernel
def _observe_statement(account: Record, position: Record, lots: int, cost_e8: int) -> None:
    """Adopt the venue's position at the start; later only compare it with the ledger.

    Once there is a first statement, order or fill, a statement may know a fill that is still on its way.
    """
    if position["is_opened"] == 0:
        position["is_opened"] = 1
        position["position_lots"] = lots
        position["cost_e8"] = cost_e8
        position["position_lots_max"] = abs(lots)
    elif position["position_lots"] != lots:
        account["n_divergent"] += 1
