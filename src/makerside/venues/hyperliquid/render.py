"""Ticks and lots -> frames and answers, for the local exchange: the codec's way out.

What `rows.py` reads, these functions write, in the venue's own number form ("100.0"). One table of
(rows, message, bytes) tests both. Pure.
"""

from collections.abc import Sequence

from makerside.model.instrument import Instrument
from makerside.model.units import MONEY_DECIMALS
from makerside.venues.hyperliquid.numbers import server_text
from makerside.venues.hyperliquid.wire_account import Fill, OpenOrder, OrderUpdate
from makerside.venues.hyperliquid.wire_frames import BboFrame, BookFrame
from makerside.venues.hyperliquid.wire_market import Bbo, Book, Level, Side, Trade

NO_HASH = "0x" + 64 * "0"
PriceSize = tuple[int, int]  # price in ticks, size in lots


def price_text(instrument: Instrument, price_ticks: int) -> str:
    """Return a price as the venue writes it."""
    return server_text(price_ticks, instrument.tick_decimals)


def size_text(instrument: Instrument, size_lots: int) -> str:
    """Return a size as the venue writes it."""
    return server_text(size_lots, instrument.lot_decimals)


def side_text(is_buy: bool) -> Side:
    """Return "B" for a buyer, "A" for a seller."""
    return "B" if is_buy else "A"


def level(instrument: Instrument, price_ticks: int, size_lots: int, n_orders: int = 1) -> Level:
    """Return one level of a book."""
    return Level(price_text(instrument, price_ticks), size_text(instrument, size_lots), n_orders)


def book_frame(
    instrument: Instrument, time_ms: int, bids: Sequence[PriceSize], asks: Sequence[PriceSize], is_fast: bool
) -> BookFrame:
    """Return a full book. bids, asks : best first."""
    levels = ([level(instrument, *item) for item in bids], [level(instrument, *item) for item in asks])
    return BookFrame(Book(instrument.symbol, time_ms, levels, is_fast=is_fast))


def bbo_frame(instrument: Instrument, time_ms: int, bid: PriceSize | None, ask: PriceSize | None) -> BboFrame:
    """Return the best prices; None for an empty side."""
    sides = (level(instrument, *bid) if bid else None, level(instrument, *ask) if ask else None)
    return BboFrame(Bbo(instrument.symbol, time_ms, sides))


def bbo_text(instrument: Instrument, bid_ticks: int, ask_ticks: int) -> str:
    """Return "<bid>@<ask>", as the refusal of a post-only order quotes it."""
    return f"{price_text(instrument, bid_ticks)}@{price_text(instrument, ask_ticks)}"


def trade(
    instrument: Instrument,
    time_ms: int,
    is_buy: bool,
    price_ticks: int,
    size_lots: int,
    trade_id: int,
    users: tuple[str, str],
    tx_hash: str = NO_HASH,
) -> Trade:
    """Return one print. is_buy : the aggressor bought;  users : buyer, seller."""
    price, size = price_text(instrument, price_ticks), size_text(instrument, size_lots)
    return Trade(instrument.symbol, side_text(is_buy), price, size, time_ms, tx_hash, trade_id, users)


def open_order(
    instrument: Instrument,
    is_buy: bool,
    price_ticks: int,
    open_lots: int,
    original_lots: int,
    oid: int,
    placed_ms: int,
    cloid: str | None = None,
    is_reduce_only: bool = False,
) -> OpenOrder:
    """Return a working order, or one that has just ended. open_lots : what is left of it."""
    return OpenOrder(
        coin=instrument.symbol,
        side=side_text(is_buy),
        limit_price=price_text(instrument, price_ticks),
        size=size_text(instrument, open_lots),
        oid=oid,
        timestamp=placed_ms,
        original_size=size_text(instrument, original_lots),
        cloid=cloid,
        reduce_only=True if is_reduce_only else None,
    )


def order_update(order: OpenOrder, status: str, time_ms: int) -> OrderUpdate:
    """Return one change of an order. status : see `reasons.order_status`."""
    return OrderUpdate(order=order, status=status, status_timestamp=time_ms)


def fill(
    instrument: Instrument,
    time_ms: int,
    is_buy: bool,
    price_ticks: int,
    size_lots: int,
    position_lots: int,
    closed_pnl_e8: int,
    oid: int,
    trade_id: int,
    is_taker: bool,
    fee_e8: int,
    cloid: str | None = None,
    tx_hash: str = NO_HASH,
) -> Fill:
    """Return one execution. position_lots : signed, before it;  closed_pnl_e8 : gross of the fee."""
    return Fill(
        coin=instrument.symbol,
        price=price_text(instrument, price_ticks),
        size=size_text(instrument, size_lots),
        side=side_text(is_buy),
        time=time_ms,
        start_position=size_text(instrument, position_lots),
        direction=fill_direction(instrument.kind == "spot", is_buy, position_lots, size_lots),
        closed_pnl=server_text(closed_pnl_e8, MONEY_DECIMALS),
        hash=tx_hash,
        oid=oid,
        crossed=is_taker,
        fee=server_text(fee_e8, MONEY_DECIMALS),
        trade_id=trade_id,
        fee_token=instrument.collateral,
        twap_id=None,
        cloid=cloid,
    )


def fill_direction(is_spot: bool, is_buy: bool, position_lots: int, size_lots: int) -> str:
    """Return the venue's display word for what a fill did to a position. source : section 1.5."""
    if is_spot:
        return "Buy" if is_buy else "Sell"
    if position_lots == 0 or (position_lots > 0) == is_buy:
        return "Open Long" if is_buy else "Open Short"
    if size_lots <= abs(position_lots):
        return "Close Short" if is_buy else "Close Long"
    return "Short > Long" if is_buy else "Long > Short"
