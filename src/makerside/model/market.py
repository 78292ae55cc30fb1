"""The market record: everything that public data says about one instrument.

A function of public rows alone, so that a sweep keeps one for all parameter sets. The book is kept
as the venue sends it, our own orders included; `own` remembers what we rested when, so that `decide`
can look at the market without us (see `core/own.py`). Pure; numpy only.
"""

from enum import IntEnum

from makerside.model.instrument import instrument_t
from makerside.model.layout import row_type

# Ticks that a book covers around the touch, per side. A power of two: slots are `tick & WINDOW_MASK`.
# 16,384 finest ticks are 1.4 % of a BTC price of 118,000 at 0.1; what is deeper is unknown, not empty.
WINDOW_TICKS = 1 << 14
WINDOW_MASK = WINDOW_TICKS - 1

NO_BID = -(1 << 40)
NO_ASK = 1 << 40

# Notes of own orders: at most two for each of 64 working orders; the rest is room for those that ended
# and that a slow feed still shows (Hyperliquid's l2Book comes every few seconds at worst).
OWN_CAPACITY = 256
SURE = -1
INTENSITY_BUCKETS = 32


class MarketStatus(IntEnum):
    """Whether the book can be quoted on."""

    EMPTY = 0  # nothing yet, or one side has no level
    OK = 1
    CROSSED = 2  # bid above ask: stale data; counted, never fatal by itself
    GAP = 3  # the feed was interrupted


book_t = row_type(
    [
        ("bid_ticks", "i8"),  # best prices, NO_BID and NO_ASK when there is none
        ("ask_ticks", "i8"),
        ("base_ticks", "i8"),  # the window is [base, base + WINDOW_TICKS)
        ("low_ticks", "i8"),  # lowest and highest tick that may hold a level
        ("high_ticks", "i8"),
        ("known_bid_ticks", "i8"),  # beyond these the last snapshot said nothing
        ("known_ask_ticks", "i8"),
        ("ts_touch_ns", "i8"),  # venue time of the best prices
        ("ts_depth_ns", "i8"),  # venue time of the deeper levels
        ("in_snapshot", "i8"),
        ("n_outside", "i8"),  # rows outside the window, dropped
        ("n_older", "i8"),  # rows that an older message would have put over newer ones, dropped
        ("lots", "i8", (2, WINDOW_TICKS)),
    ]
)

own_t = row_type(
    [
        ("client_order_id", "i8"),
        ("price_ticks", "i8"),
        ("size_lots", "i8"),
        ("side", "i8"),
        ("from_ns", "i8"),  # venue times between which this much of it rested
        ("to_ns", "i8"),
        ("others_lots", "i8"),  # SURE, or not acked yet: what others rested at the price when it was sent
    ]
)

volatility_t = row_type(
    [
        ("sample_ns", "i8"),  # setting: time between two sampled mids
        ("half_life_s", "f8"),  # setting
        ("ts_sample_ns", "i8"),
        ("n_samples", "i8"),
        ("mid_ticks", "f8"),
        ("variance", "f8"),  # ticks^2 per second
    ]
)

intensity_t = row_type(
    [
        ("window_ns", "i8"),  # setting: arrivals are looked at per window of this length
        ("refit_ns", "i8"),  # setting
        ("half_life_s", "f8"),  # setting
        ("range_bps", "f8"),  # setting: distances beyond this count as this
        ("ts_window_ns", "i8"),
        ("ts_fit_ns", "i8"),
        ("n_windows", "i8"),
        ("is_ready", "i8"),
        ("mid_ticks", "f8"),  # at the start of the window
        ("deepest_buy", "f8"),  # distances from it, in ticks; negative: none
        ("deepest_sell", "f8"),
        ("bucket_ticks", "f8"),
        ("weight", "f8"),  # decayed number of windows, both sides
        ("half_weight", "f8"),  # of those whose mid was between two prices
        ("seconds", "f8"),  # decayed length of all windows
        ("a_per_s", "f8"),  # lambda(d) = A exp(-k d), per side, d in ticks from the mid
        ("k_per_tick", "f8"),
        ("hits", "f8", (INTENSITY_BUCKETS,)),
    ]
)

market_t = row_type(
    [
        ("rules", instrument_t),
        ("ts_venue_ns", "i8"),
        ("ts_local_ns", "i8"),
        ("status", "i8"),
        ("is_dirty", "i8"),  # public facts changed since the last decision
        # The touch without our own orders, as of the last complete message.
        ("bid_ticks", "i8"),
        ("ask_ticks", "i8"),
        ("bid_lots", "i8"),
        ("ask_lots", "i8"),
        ("mid_ticks", "f8"),
        ("micro_ticks", "f8"),
        ("mark_price_e8", "i8"),
        ("index_price_e8", "i8"),
        ("last_trade_ticks", "i8"),
        ("last_trade_side", "i8"),
        # Counters: of rows, and of the defects that were handled.
        ("n_rows", "i8"),
        ("n_messages", "i8"),
        ("n_trades", "i8"),
        ("n_crossed", "i8"),
        ("n_locked", "i8"),
        ("n_side_inferred", "i8"),
        ("n_gaps", "i8"),
        ("volatility", volatility_t),
        ("intensity", intensity_t),
        ("has_own_in_book", "i8"),  # 1 live: the feed shows our orders; 0: a recording
        ("n_own", "i8"),
        ("own", own_t, (OWN_CAPACITY,)),
        ("book", book_t),
        ("told_ns", "i8", (2, WINDOW_TICKS)),  # venue time of the row that told a level; live only
    ]
)
