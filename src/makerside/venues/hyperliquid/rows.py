"""Decoded messages -> event rows, packed straight into a buffer of the caller.

The buffer is what `event_t` describes: 32 bytes a row, little-endian, no padding; a fact about an
order or money is followed by its 32-byte continuation. Every function writes from an offset and
returns the offset behind its last row; the flag LAST is set by the caller. Pure. Next: `session.py`.
"""

from struct import Struct

from makerside.model.event import ROW_BYTES, Flag, Kind, Reason
from makerside.model.instrument import Instrument
from makerside.model.units import NS_PER_MS
from makerside.venues.hyperliquid.cloid import identity_of
from makerside.venues.hyperliquid.codec import Malformed
from makerside.venues.hyperliquid.numbers import PRICE_TICKS_MAX, Steps, money_e8, rate_e12, steps_of
from makerside.venues.hyperliquid.reasons import order_state
from makerside.venues.hyperliquid.wire_account import Fill, Funding, OrderUpdate
from makerside.venues.hyperliquid.wire_market import AssetContext, Bbo, Book, Trade

_EVENT, _DETAIL = "qqqiHBB", "qqqq"
_ROW = Struct("<" + _EVENT)
_ROW_AND_DETAIL = Struct("<" + _EVENT + _DETAIL)
_TWO_ROWS = Struct("<" + 2 * _EVENT)
PAIR_BYTES = 2 * ROW_BYTES
assert _ROW.size == ROW_BYTES
assert _ROW_AND_DETAIL.size == _TWO_ROWS.size == PAIR_BYTES

# The largest frame that is decoded: 5,000 open orders (the venue's limit) that end at once need
# 10,000 rows. A larger one is refused as a whole, never cut.
ROWS_PER_FRAME_MAX = 1 << 14
BUFFER_BYTES_MIN = ROWS_PER_FRAME_MAX * ROW_BYTES

# Plain integers: comparing and packing enum members costs several times as much.
_LAST, _SELL, _TAKER, _RATE = int(Flag.LAST), int(Flag.SELL), int(Flag.TAKER), int(Flag.RATE)
_SNAPSHOT, _TRADE, _BBO, _PRICES = int(Kind.SNAPSHOT), int(Kind.TRADE), int(Kind.BBO), int(Kind.PRICES)
_FILL, _FUNDING, _GAP = int(Kind.FILL), int(Kind.FUNDING), int(Kind.GAP)
_PUBLIC = -1  # account of a PRICES row
_FLAGS_AT = ROW_BYTES - 1  # the flags are the last byte of a row

WriteBuffer = bytearray | memoryview
_pack_row, _pack_pair, _pack_two = _ROW.pack_into, _ROW_AND_DETAIL.pack_into, _TWO_ROWS.pack_into


class Followed:
    """An instrument that a session turns into rows: its index, its number converters, its feeds' names."""

    __slots__ = ("bbo_feed", "book_feed", "index", "instrument", "lots", "ticks", "trades_feed")

    def __init__(self, index: int, instrument: Instrument) -> None:
        assert 0 <= index < 1 << 16
        self.index = index
        self.instrument = instrument
        self.ticks = Steps(instrument.tick_decimals, PRICE_TICKS_MAX)
        self.lots = Steps(instrument.lot_decimals)
        self.book_feed = f"l2Book {instrument.symbol}"
        self.bbo_feed = f"bbo {instrument.symbol}"
        self.trades_feed = f"trades {instrument.symbol}"


def mark_last(buffer: WriteBuffer, end: int, row_bytes: int = ROW_BYTES) -> None:
    """Set LAST on the row that ends at `end`; row_bytes 64 when it has a continuation."""
    buffer[end - row_bytes + _FLAGS_AT] |= _LAST


def write_book(book: Book, followed: Followed, ts_local_ns: int, buffer: WriteBuffer) -> int:
    """Write a full book as SNAPSHOT rows, bids first; an empty book is one row of size 0."""
    bids, asks = book.levels
    if not bids and not asks:
        _pack_row(buffer, 0, book.time * NS_PER_MS, ts_local_ns, 0, 0, followed.index, _SNAPSHOT, 0)
        return ROW_BYTES
    if len(bids) + len(asks) > ROWS_PER_FRAME_MAX:
        raise Malformed(f"a book of {len(bids) + len(asks)} levels")
    ts_venue_ns = book.time * NS_PER_MS
    index, lots, ticks, end = followed.index, followed.lots, followed.ticks, 0
    for flags, levels in ((0, bids), (_SELL, asks)):
        for level in levels:
            size_lots, price_ticks = lots[level.size], ticks[level.price]
            _pack_row(buffer, end, ts_venue_ns, ts_local_ns, size_lots, price_ticks, index, _SNAPSHOT, flags)
            end += ROW_BYTES
    return end


def write_bbo(bbo: Bbo, followed: Followed, ts_local_ns: int, buffer: WriteBuffer) -> int:
    """Write two BBO rows, bid and ask; size 0 (and price 0) for a side that is empty."""
    bid, ask = bbo.bbo
    ts_venue_ns, index = bbo.time * NS_PER_MS, followed.index
    bid_lots, bid_ticks = (followed.lots[bid.size], followed.ticks[bid.price]) if bid is not None else (0, 0)
    ask_lots, ask_ticks = (followed.lots[ask.size], followed.ticks[ask.price]) if ask is not None else (0, 0)
    # fmt: off
    _pack_two(
        buffer, 0,
        ts_venue_ns, ts_local_ns, bid_lots, bid_ticks, index, _BBO, 0,
        ts_venue_ns, ts_local_ns, ask_lots, ask_ticks, index, _BBO, _SELL,
    )
    # fmt: on
    return PAIR_BYTES


def write_trade(trade: Trade, followed: Followed, ts_local_ns: int, buffer: WriteBuffer, at: int) -> int:
    """Write one TRADE row; SELL when the aggressor sold (side "A")."""
    flags = _SELL if trade.side == "A" else 0
    size_lots, price_ticks = followed.lots[trade.size], followed.ticks[trade.price]
    ts_venue_ns = trade.time * NS_PER_MS
    _pack_row(buffer, at, ts_venue_ns, ts_local_ns, size_lots, price_ticks, followed.index, _TRADE, flags)
    return at + ROW_BYTES


def write_gap(followed: Followed, ts_local_ns: int, buffer: WriteBuffer, at: int) -> int:
    """Write one GAP row, a message of its own: the book is unknown."""
    _pack_row(buffer, at, 0, ts_local_ns, 0, 0, followed.index, _GAP, _LAST)
    return at + ROW_BYTES


def write_prices(
    context: AssetContext, followed: Followed, ts_local_ns: int, buffer: WriteBuffer, at: int
) -> int:
    """Write one PRICES row with mark and index (oracle) price and the hourly funding rate of now.

    The venue tells no time with them.
    """
    mark_e8, index_e8, rate = (
        money_e8(context.mark_price),
        money_e8(context.oracle_price),
        rate_e12(context.funding),
    )
    _pack_pair(
        buffer, at, 0, ts_local_ns, rate, 0, followed.index, _PRICES, _RATE, _PUBLIC, 0, mark_e8, index_e8
    )  # fmt: skip
    return at + PAIR_BYTES


def write_order(
    kind: int,
    reason: int,
    followed: Followed,
    ts_venue_ns: int,
    ts_local_ns: int,
    order: tuple[int, int, int, int, int],
    buffer: WriteBuffer,
    at: int,
) -> int:
    """Write one row about an order. order : (client id, venue id, price ticks, size lots, flags)."""
    identity, venue_order_id, price_ticks, size_lots, flags = order
    # fmt: off
    _pack_pair(
        buffer, at,
        ts_venue_ns, ts_local_ns, size_lots, price_ticks, followed.index, kind, flags,
        identity, venue_order_id, reason, 0,
    )
    # fmt: on
    return at + PAIR_BYTES


def write_order_update(
    update: OrderUpdate, followed: Followed, ts_local_ns: int, buffer: WriteBuffer, at: int
) -> int:
    """Write what an order update says; nothing when its status has no meaning for us.

    "filled" with something left is an order that ended unfilled in part (an IOC): ORDER_CANCELED.
    """
    state = order_state(update.status)
    if state is None:
        return at
    kind, reason = state
    order = update.order
    size_lots = followed.lots[order.size]
    if kind == Kind.ORDER_FILLED and size_lots > 0:
        kind, reason = Kind.ORDER_CANCELED, Reason.NO_MATCH
    flags = _SELL if order.side == "A" else 0
    facts = (identity_of(order.cloid), order.oid, followed.ticks[order.limit_price], size_lots, flags)
    ts_venue_ns = update.status_timestamp * NS_PER_MS
    return write_order(int(kind), int(reason), followed, ts_venue_ns, ts_local_ns, facts, buffer, at)


def write_fill(fill: Fill, followed: Followed, ts_local_ns: int, buffer: WriteBuffer, at: int) -> int:
    """Write one FILL row with its trade id and fee.

    errors : Malformed for a fill without trade id or with a fee in a token that has no price here
    """
    if not fill.trade_id:
        raise Malformed("a fill without a trade id")
    flags = (_SELL if fill.side == "A" else 0) | (_TAKER if fill.crossed else 0)
    size_lots, price_ticks = followed.lots[fill.size], followed.ticks[fill.price]
    # fmt: off
    _pack_pair(
        buffer, at,
        fill.time * NS_PER_MS, ts_local_ns, size_lots, price_ticks, followed.index, _FILL, flags,
        identity_of(fill.cloid), fill.oid, fill.trade_id, fee_e8(fill, followed.instrument, price_ticks),
    )
    # fmt: on
    return at + PAIR_BYTES


def fee_e8(fill: Fill, instrument: Instrument, price_ticks: int) -> int:
    """Return the fee in the instrument's collateral, 10^-8, rounded up.

    A spot buyer pays in the token that was bought: that fee is valued at the price of the fill.
    """
    if fill.fee_token is None or fill.fee_token == instrument.collateral:
        return money_e8(fill.fee)
    if instrument.kind != "spot":
        raise Malformed(f"a fee in {fill.fee_token}, the collateral is {instrument.collateral}")
    ticks_of_one: int = 10**instrument.tick_decimals
    return -(-money_e8(fill.fee) * price_ticks // ticks_of_one)


def write_funding(
    funding: Funding, followed: Followed, account: int, ts_local_ns: int, buffer: WriteBuffer, at: int
) -> int:
    """Write one FUNDING row; the amount is received when positive."""
    amount_e8 = steps_of(funding.usdc, 8)
    ts_venue_ns = funding.time * NS_PER_MS
    _pack_pair(
        buffer, at, ts_venue_ns, ts_local_ns, 0, 0, followed.index, _FUNDING, 0, account, amount_e8, 0, 0
    )  # fmt: skip
    return at + PAIR_BYTES
