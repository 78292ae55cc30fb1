"""The account clock: a tape of prices and of the account's own fills through the perp accounting, compiled.

It does without an exchange and without a strategy: what the account trades is on the tape, as FILL rows
without fees. Its purpose is whole histories, in tests and in questions such as "what would this position have
paid in funding"; a backtest has the same kernels in its own loop. A liquidation takes the sizes that the book
of the tape shows, level by level, and the book does not remember it. Pure.
"""

from makerside.core.book import apply_book_row, book_lots, end_message, next_ask, next_bid
from makerside.core.kernel import Record, kernel
from makerside.model.event import DETAIL_ROWS, Flag, Kind, account_detail_t, order_detail_t
from makerside.model.market import NO_ASK, NO_BID
from makerside.model.units import ASK, BID, BUY, NEVER_NS, SELL
from makerside.sim.clearing import accrue_funding, clear_fill, clear_liquidation, pay_funding
from makerside.sim.funding import (
    funding_close,
    funding_is_due,
    funding_next_ns,
    funding_sample,
    is_sample_due,
    load_rate,
    premium_e12,
)
from makerside.sim.liquidation import next_liquidation, take_over
from makerside.sim.perp_prices import prices_from_touch, prices_told, rate_told
from makerside.sim.perp_rows import ROWS, write_funding, write_liquidation_fill

SELL_FLAG, TAKER, LAST, RATE = int(Flag.SELL), int(Flag.TAKER), int(Flag.LAST), int(Flag.RATE)
DELTA, SNAPSHOT, BBO = int(Kind.DELTA), int(Kind.SNAPSHOT), int(Kind.BBO)
PRICES, FILL = int(Kind.PRICES), int(Kind.FILL)


@kernel
def clock_next_ns(perps: Record) -> int:
    """Return when funding next wants to be looked at: NEVER_NS when no instrument has any."""
    earliest = NEVER_NS
    for i in range(len(perps)):
        earliest = min(earliest, funding_next_ns(perps[i]["funding"]))
    return earliest


@kernel
def clock_tick(
    perps: Record, books: Record, rates: Record, clearings: Record, ts_ns: int, out: Record, used: int
) -> int:
    """Do what funding has due at a time, for all accounts; returns the rows of `out` used.

    perps : (m,) perp_t;  books : (m,) book_t;  rates : (k,) funding_rate_t;  clearings : (c,) clearing_t
    out   : event_t, room for ROWS x m x c
    """
    details = out.view(account_detail_t)
    for i in range(len(perps)):
        perp = perps[i]
        funding = perp["funding"]
        if is_sample_due(funding, ts_ns):
            prices_from_touch(perp, books[i]["bid_ticks"], books[i]["ask_ticks"])
            funding_sample(funding, premium_e12(perp, books[i]))
            if funding["is_accruing"] == 1:
                for c in range(len(clearings)):
                    accrue_funding(clearings[c], perp, i)
        if funding_is_due(funding, ts_ns):
            prices_from_touch(perp, books[i]["bid_ticks"], books[i]["ask_ticks"])
            load_rate(funding, rates)
            for c in range(len(clearings)):
                amount = pay_funding(clearings[c], perp, rates, i)
                if amount != 0:
                    write_funding(out[used], details[used + 1], clearings[c], perp, i, amount, ts_ns)
                    used += ROWS
            funding_close(funding, rates)
    return used


@kernel
def liquidate(
    perps: Record, books: Record, clearing: Record, order: Record, ts_ns: int, out: Record, used: int
) -> int:
    """Carry out all liquidations that are due now; returns the rows of `out` used."""
    for i in range(len(perps)):
        prices_from_touch(perps[i], books[i]["bid_ticks"], books[i]["ask_ticks"])
    while next_liquidation(clearing, perps, order, ts_ns):
        if order["is_takeover"] == 0:
            clearing["n_liquidations"] += 1
            used = _sweep(perps, books, clearing, order, ts_ns, out, used)
            continue
        trade_id = take_over(clearing, perps, order)
        leg = clearing["legs"][order["leg"]]
        details = out.view(order_detail_t)
        price, lots, fee = order["price_ticks"], order["size_lots"], order["fee_e8"]
        write_liquidation_fill(out[used], details[used + 1], leg, order, price, lots, fee, trade_id, ts_ns)
        used += ROWS
    return used


@kernel
def _sweep(
    perps: Record, books: Record, clearing: Record, order: Record, ts_ns: int, out: Record, used: int
) -> int:
    """Fill a liquidation order from the levels of the book up to its limit."""
    i = order["leg"]
    book = books[i]
    side = order["side"]
    left = order["size_lots"]
    details = out.view(order_detail_t)
    tick = book["ask_ticks"] if side == BUY else book["bid_ticks"]
    while left > 0 and tick not in (NO_BID, NO_ASK) and (tick - order["price_ticks"]) * side <= 0:
        assert used + ROWS <= len(out)
        lots = min(left, book_lots(book, ASK if side == BUY else BID, tick))
        fee = clear_liquidation(clearing, perps[i], i, side, tick, lots, order["price_ticks"])
        leg = clearing["legs"][i]
        trade_id = clearing["next_trade_id"]
        clearing["next_trade_id"] += 1
        write_liquidation_fill(out[used], details[used + 1], leg, order, tick, lots, fee, trade_id, ts_ns)
        used += ROWS
        left -= lots
        tick = next_ask(book, tick + 1) if side == BUY else next_bid(book, tick - 1)
    return used


@kernel
def _apply(
    perps: Record,
    books: Record,
    clearing: Record,
    event: Record,
    i_row: int,
    tape: Record,
    out: Record,
    used: int,
) -> int:
    """Apply one row of the tape; a fill is told again with its fee."""
    i = int(event["instrument"])
    kind = int(event["kind"])
    flags = int(event["flags"])
    if kind == PRICES:
        detail = tape.view(account_detail_t)[i_row + 1]
        prices_told(perps[i], detail["mark_price_e8"], detail["index_price_e8"])
        if flags & RATE:
            rate_told(perps[i]["funding"], event["size_lots"])
    elif kind == FILL:
        side = SELL if flags & SELL_FLAG else BUY
        tick, lots = int(event["price_ticks"]), event["size_lots"]
        fee = clear_fill(clearing, perps[i], i, side, tick, lots, flags & TAKER != 0)
        out[used] = event
        out[used + 1] = tape[i_row + 1]
        out.view(order_detail_t)[used + 1]["fee_e8"] = fee
        used += ROWS
    elif kind in (DELTA, SNAPSHOT, BBO):
        side = ASK if flags & SELL_FLAG else BID
        apply_book_row(
            books[i], kind, side, int(event["price_ticks"]), event["size_lots"], event["ts_venue_ns"]
        )
        if flags & LAST:
            end_message(books[i])
    return used


@kernel
def account_clock(
    tape: Record, perps: Record, books: Record, rates: Record, clearings: Record, orders: Record, out: Record
) -> int:
    """Run a tape to its end; returns how many rows of `out` were written.

    tape : (n,) event_t by venue time: DELTA, SNAPSHOT, BBO, PRICES, and FILL rows of the account, whose fee is
           worked out here;  perps : (m,) perp_t, begun (`funding_begin`);  books : (m,) book_t, empty
    rates : (k,) funding_rate_t;  clearings : (1,) clearing_t;  orders : (1,) liquidation_t, scratch
    out  : event_t: FILL with fees, FUNDING, fills of liquidations, each with its continuation
    errors : asserts when `out` is too short
    """
    used = 0
    i = 0
    room = 2 * ROWS * (len(perps) + 1)
    while i < len(tape):
        event = tape[i]
        now_ns = event["ts_venue_ns"]
        due_ns = clock_next_ns(perps)
        while due_ns <= now_ns:
            assert used + room < len(out)
            used = clock_tick(perps, books, rates, clearings, due_ns, out, used)
            used = liquidate(perps, books, clearings[0], orders[0], due_ns, out, used)
            due_ns = clock_next_ns(perps)
        assert used + room < len(out)
        used = _apply(perps, books, clearings[0], event, i, tape, out, used)
        if int(event["flags"]) & LAST:
            used = liquidate(perps, books, clearings[0], orders[0], now_ns, out, used)
        i += 1 + DETAIL_ROWS[int(event["kind"])]
    return used
