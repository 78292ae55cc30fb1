"""Event rows: one fact as a fixed row of 32 bytes, and the row that may follow it.

Everything that `step` knows reaches it as event rows: market data, answers of the venue, fills,
money, timers, commands. Kinds below `FIRST_ACTION` are events; the same 32-byte stream carries our
own decisions from `FIRST_ACTION` on (see `action.py`), so that a journal is one tape.

A row whose kind is in `HAS_DETAIL` is followed by one continuation row: the same 32 bytes read as
`order_detail_t` or `account_detail_t`. Pure; numpy only. Next: `action.py`, `order.py`.
"""

from enum import IntEnum

import numpy as np

from makerside.model.layout import row_type

event_t = row_type(
    [
        ("ts_venue_ns", "i8"),  # the venue's time of the fact; 0 when it gives none
        ("ts_local_ns", "i8"),  # when it reached us; never decreases within a tape
        ("size_lots", "i8"),
        ("price_ticks", "i4"),
        ("instrument", "u2"),  # index into `markets`
        ("kind", "u1"),
        ("flags", "u1"),
    ]
)

order_detail_t = row_type(
    [
        ("client_order_id", "i8"),  # 0 when the order is not ours
        ("venue_order_id", "i8"),  # 0 when not known yet
        ("reference", "i8"),  # FILL: trade id. Other kinds: a `Reason`
        ("fee_e8", "i8"),  # FILL: fee paid, negative for a rebate. Other kinds: 0
    ]
)

account_detail_t = row_type(
    [
        ("account", "i8"),  # index into `accounts`; -1 for PRICES, which are public
        ("amount_e8", "i8"),  # BALANCE: cash. FUNDING: received (+) or paid (-). POSITION: entry cost
        ("mark_price_e8", "i8"),
        ("index_price_e8", "i8"),
    ]
)

ROW_BYTES = event_t.itemsize
assert ROW_BYTES == order_detail_t.itemsize == account_detail_t.itemsize == 32


class Kind(IntEnum):
    """What a row says. The comment gives the meaning of price, size and flags where it is not plain."""

    NONE = 0
    # Market data, public.
    DELTA = 1  # absolute size at a price; 0 removes the level
    SNAPSHOT = 2  # a run of these, up to LAST, replaces the whole book
    TRADE = 3  # flags tell the aggressor's side
    BBO = 4  # best price of one side; it trims what stood better; size 0: that side is empty
    PRICES = 5  # detail: mark and index price; size = the venue's funding rate now, if flag RATE is set
    GAP = 6  # the feed was interrupted: the book is unknown until the next SNAPSHOT or BBO
    # Our orders, each with an order_detail_t.
    ORDER_ACK = 32  # it rests; size = what is open
    ORDER_REJECT = 33
    ORDER_CANCELED = 34  # size = what was left of it
    ORDER_EXPIRED = 35  # size = what was left of it
    ORDER_SELF_TRADE = 36  # cancelled by self-trade prevention; size = what was left of it
    ORDER_FILLED = 37  # the venue says that nothing is open; the fills themselves are FILL rows
    FILL = 38  # one execution: price, size, side (SELL flag), TAKER flag, trade id, fee
    CANCEL_REFUSED = 39  # the order still rests
    CANCEL_TOO_LATE = 40  # the venue no longer has the order; its end is reported separately
    ORDER_NEVER_EXISTED = 41  # final: the placing action can no longer execute, and there is no fill
    SEND_FAILED = 42  # the action never left this machine
    # Our account, each with an account_detail_t.
    POSITION = 48  # the venue's statement: size is signed
    BALANCE = 49
    FUNDING = 50
    # The process and its operator.
    TIMER = 64
    EPOCH = 65  # the run starts: size = run epoch, which goes into client order ids
    CONNECT = 66  # price = account: its channel is up
    DISCONNECT = 67  # price = account: its channel is down, nothing may be sent
    COMMAND = 68  # price = a `Command`


FIRST_ACTION = 128


class Command(IntEnum):
    """What an operator, or the shell on the operator's behalf, may tell a running bot."""

    RESUME = 0
    PAUSE = 1  # cancel all quotes, keep the book going
    STOP = 2  # cancel all quotes for good


class Flag(IntEnum):
    """Bits of `flags`."""

    LAST = 1  # the last row of a message: decide now
    SELL = 2  # ask side of a book row; seller of an order; sell aggressor of a trade
    TAKER = 4  # the fill took liquidity
    UNKNOWN_SIDE = 8  # a trade whose aggressor the source does not tell
    REDUCE_ONLY = 16
    POST_ONLY = 32
    IOC = 64
    RATE = 128  # PRICES: size is the rate of one funding interval in 10^-12; longs pay when it is positive


class Reason(IntEnum):
    """Why an order ended, was refused or was never sent. Venue texts map to these in `wire`."""

    NONE = 0
    # The venue's.
    USER = 1
    POST_ONLY_WOULD_TAKE = 2
    NO_MATCH = 3
    REDUCE_ONLY = 4
    MIN_NOTIONAL = 5
    TICK = 6
    SIZE = 7
    MARGIN = 8
    RATE_LIMIT = 9
    UNKNOWN_INSTRUMENT = 10
    SELF_TRADE = 11
    LIQUIDATION = 12
    SCHEDULED = 13
    OPEN_INTEREST = 14
    ORACLE_BAND = 15
    AUTHORISATION = 16
    OTHER = 17
    # Our own pre-trade risk and pacing.
    POSITION_LIMIT = 32
    ORDER_NOTIONAL = 33
    TOTAL_NOTIONAL = 34
    PRICE_BAND = 35
    STALE = 36
    BUDGET = 37
    CAPACITY = 38
    HALTED = 39
    WOULD_CROSS = 40


HAS_ORDER_DETAIL = frozenset(range(Kind.ORDER_ACK, Kind.SEND_FAILED + 1))
HAS_ACCOUNT_DETAIL = frozenset({Kind.PRICES, Kind.POSITION, Kind.BALANCE, Kind.FUNDING})
HAS_DETAIL = HAS_ORDER_DETAIL | HAS_ACCOUNT_DETAIL

# Rows that follow a row of this kind and belong to it; actions have one as well.
DETAIL_ROWS = np.zeros(256, np.int64)
DETAIL_ROWS[sorted(HAS_DETAIL)] = 1
DETAIL_ROWS[FIRST_ACTION:] = 1

# 1 for the kinds that `step` takes: a row that was never written or an action is an error of ours.
IS_EVENT = np.zeros(256, np.int64)
IS_EVENT[[kind for kind in Kind if kind != Kind.NONE]] = 1
