"""Regridding: the target's book is always the sum of the source's, on allowed prices, and never crossed.

The twin is plain Python: the source book as `core/book.py` keeps it, summed level by level.
"""

import time
from decimal import Decimal
from fractions import Fraction

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makerside.core.book import apply_book_row, book_clear, end_message
from makerside.core.prices import round_price
from makerside.journal.recording import load_recording
from makerside.model.errors import DataError
from makerside.model.event import DETAIL_ROWS, Flag, Kind, account_detail_t, event_t
from makerside.model.instrument import Instrument, instrument_t
from makerside.model.market import NO_ASK, NO_BID, WINDOW_MASK, book_t
from makerside.model.units import ASK, BID, BUY, SELL
from makerside.sim.regrid import regrid

LAST, SELL_FLAG, UNKNOWN = int(Flag.LAST), int(Flag.SELL), int(Flag.UNKNOWN_SIDE)
SOURCE = Instrument("binance_usdm", "BTCUSDT", Decimal("0.1"), Decimal("0.001"))
HYPERLIQUID = Instrument("hyperliquid", "BTC", Decimal("0.1"), Decimal("0.00001"), significant_figures=5)
TARGETS = {
    "whole dollars": HYPERLIQUID,
    "finer tick, coarser lot": Instrument("t", "A", Decimal("0.01"), Decimal("0.02")),
    "five figures, two decimals": Instrument("t", "B", Decimal("0.01"), Decimal("0.5"), significant_figures=5),
    "steps of 2.5": Instrument("t", "C", Decimal("2.5"), Decimal("0.003")),
    "same": SOURCE,
}
# Around 10,000.0, where five significant figures change their step from 0.1 to 1.
CENTER = 100_000


# Writing rows and reading books.


def tape(messages):
    """Return rows of [(ts_venue_ns, [(kind, side, tick, lots, flags)])]; local times count the messages."""
    rows = [
        (
            ts,
            100 + i,
            lots,
            tick,
            0,
            kind,
            flags | (SELL_FLAG if side == ASK else 0) | (LAST if k == len(part) - 1 else 0),
        )
        for i, (ts, part) in enumerate(messages)
        for k, (kind, side, tick, lots, flags) in enumerate(part)
    ]
    return np.array(rows, event_t)


class Book:
    """The book of `core/book.py`, fed row by row as `core/observe.py` does."""

    def __init__(self):
        self.record = np.zeros(1, book_t)[0]
        self.record["low_ticks"], self.record["high_ticks"] = NO_ASK, NO_BID
        book_clear(self.record)
        self.in_gap = False

    def apply(self, row):
        kind = int(row["kind"])
        if kind == Kind.GAP:
            book_clear(self.record)
            self.record["ts_touch_ns"] = self.record["ts_depth_ns"] = 0
            self.in_gap = True
        elif kind in (Kind.SNAPSHOT, Kind.BBO) or (kind == Kind.DELTA and not self.in_gap):
            self.in_gap = False
            side = ASK if int(row["flags"]) & SELL_FLAG else BID
            lots, ts = int(row["size_lots"]), int(row["ts_venue_ns"])
            apply_book_row(self.record, kind, side, int(row["price_ticks"]), lots, ts)
        if int(row["flags"]) & LAST:
            end_message(self.record)

    def levels(self):
        """Return {(side, tick): lots}."""
        base = int(self.record["base_ticks"])
        sides, slots = np.nonzero(self.record["lots"])
        return {
            (int(side), base + ((int(slot) - base) & WINDOW_MASK)): int(self.record["lots"][side, slot])
            for side, slot in zip(sides, slots, strict=True)
        }

    def is_crossed(self):
        bid, ask = self.record["bid_ticks"], self.record["ask_ticks"]
        return bid != NO_BID and ask != NO_ASK and bid >= ask


def rules_of(instrument):
    rules = np.zeros(1, instrument_t)
    instrument.fill_record(rules[0])
    return rules[0]


def twin_levels(book, source, target):
    """Return what the target's book must be: the source's levels summed on allowed prices."""
    rules = rules_of(target)
    sums = {}
    for (side, tick), lots in book.levels().items():
        exact = Fraction(source.tick_size) * tick / Fraction(target.tick_size)
        whole = exact.__floor__() if side == BID else exact.__ceil__()
        price = round_price(rules, whole, BUY if side == BID else SELL)
        sums[side, price] = sums.get((side, price), 0) + lots
    ratio = Fraction(source.lot_size) / Fraction(target.lot_size)
    return {level: max(1, (lots * ratio).__floor__()) for level, lots in sums.items()}


# Random tapes.

SIDES = st.sampled_from([BID, ASK])


def _uncrossed(side, offset):
    return CENTER - 1 - offset if side == BID else CENTER + offset


@st.composite
def tapes(draw, is_crossing=True):
    """Return random messages of every kind; without crossing, bids stay below a fixed price and asks above."""
    messages, ts = [], 50
    for _ in range(draw(st.integers(1, 12))):
        ts += draw(st.integers(0, 4))
        kind = draw(st.sampled_from([Kind.DELTA] * 4 + [Kind.SNAPSHOT, Kind.BBO, Kind.TRADE, Kind.GAP]))
        part = []
        for _ in range(draw(st.integers(1, 6))):
            side, offset = draw(SIDES), draw(st.integers(0, 40))
            tick = CENTER + draw(st.integers(-40, 40)) if is_crossing else _uncrossed(side, offset)
            lots = draw(st.integers(0 if kind != Kind.TRADE else 1, 60))
            part.append((int(kind), side, tick, lots, 0))
        # A feed that lags behind another one has older venue times, also within one message.
        older = draw(st.integers(0, 8)) if draw(st.booleans()) else 0
        messages.append((max(1, ts - older), part))
    return tape(messages)


def _feed(book, rows):
    for row in rows:
        book.apply(row)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
@given(events=tapes())
def test_the_target_book_is_the_sum_of_the_source_book(target, events):
    rows, notes = regrid(events, SOURCE, target)
    source_book, target_book = Book(), Book()
    for ts in np.unique(events["ts_local_ns"]):
        _feed(source_book, events[events["ts_local_ns"] == ts])
        _feed(target_book, rows[rows["ts_local_ns"] == ts])
        assert target_book.levels() == twin_levels(source_book, SOURCE, target)
    assert notes.rows_out == len(rows)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
@given(events=tapes(is_crossing=False))
def test_an_uncrossed_book_stays_uncrossed_and_prices_are_allowed(target, events):
    rows, _ = regrid(events, SOURCE, target)
    rules, book = rules_of(target), Book()
    for row in rows:
        book.apply(row)
        if int(row["flags"]) & LAST:
            assert not book.is_crossed()
        tick = int(row["price_ticks"])
        assert row["kind"] == Kind.GAP or round_price(rules, tick, BUY) == tick > 0
        assert row["size_lots"] >= 0


@given(events=tapes())
def test_messages_stay_whole(events):
    rows, notes = regrid(events, SOURCE, HYPERLIQUID)
    ends = rows["flags"] & LAST != 0
    assert notes.messages_out == np.count_nonzero(ends)
    if len(rows):
        assert ends[-1]
        # Every source message has its own local time: a message of the target never joins two.
        starts = np.append(True, ends[:-1])
        assert len(np.unique(rows["ts_local_ns"])) == np.count_nonzero(starts)
        assert np.array_equal(rows["ts_local_ns"][starts], rows["ts_local_ns"][ends])


@given(events=tapes())
def test_doing_it_twice_changes_nothing(events):
    once, _ = regrid(events, SOURCE, HYPERLIQUID)
    twice, _ = regrid(once, HYPERLIQUID, HYPERLIQUID)
    # Venue times may be lifted once more: the touch of a summed book is newer than its parts.
    for name in ("ts_local_ns", "price_ticks", "size_lots", "kind", "flags"):
        assert np.array_equal(once[name], twice[name])


# Prints and sizes, line by line.


@pytest.mark.parametrize(
    ("tick", "flags", "price"),
    [
        (640_003, 0, 640_010),  # a buyer took an ask: up
        (640_003, SELL_FLAG, 640_000),  # a seller took a bid: down
        (640_010, 0, 640_010),
        (640_010, SELL_FLAG, 640_010),
        (640_002, UNKNOWN, 640_000),  # nearer to the bid
        (640_017, UNKNOWN, 640_020),  # nearer to the ask
    ],
)
def test_prints_follow_their_passive_side(tick, flags, price):
    book = [(int(Kind.SNAPSHOT), BID, 640_002, 5, 0), (int(Kind.SNAPSHOT), ASK, 640_015, 5, 0)]
    events = tape([(1, book), (2, [(int(Kind.TRADE), BID, tick, 3, flags)])])
    rows, _ = regrid(events, SOURCE, HYPERLIQUID)
    assert rows[-1]["kind"] == Kind.TRADE
    assert rows[-1]["price_ticks"] == price
    assert rows[-1]["size_lots"] == 300
    assert rows[-1]["flags"] & (SELL_FLAG | UNKNOWN) == flags


@pytest.mark.parametrize(("lots", "converted", "raised"), [(1, 1, 1), (499, 1, 1), (999, 1, 0), (1_250, 2, 0)])
def test_sizes_are_rounded_down_but_never_to_nothing(lots, converted, raised):
    coarse = Instrument("t", "D", Decimal("0.1"), Decimal("0.5"))
    events = tape([(1, [(int(Kind.DELTA), BID, 640_000, lots, 0)])])
    rows, notes = regrid(events, SOURCE, coarse)
    assert rows["size_lots"].tolist() == [converted]
    assert notes.sizes_raised == raised


def test_a_change_inside_a_level_that_leaves_its_sum_is_dropped():
    first = [(int(Kind.SNAPSHOT), BID, 640_002, 5, 0), (int(Kind.SNAPSHOT), BID, 640_004, 7, 0)]
    same = [(int(Kind.DELTA), BID, 640_002, 7, 0), (int(Kind.DELTA), BID, 640_004, 5, 0)]
    less = [(int(Kind.DELTA), BID, 640_002, 6, 0), (int(Kind.DELTA), BID, 640_004, 5, 0)]
    rows, _ = regrid(tape([(1, first), (2, same), (3, less)]), SOURCE, HYPERLIQUID)
    assert rows["size_lots"].tolist() == [1200, 1100]
    assert rows["ts_local_ns"].tolist() == [100, 102]


def test_a_price_that_rounds_to_nothing_is_dropped_and_counted():
    coarse = Instrument("t", "E", Decimal(10), Decimal("0.001"))
    rows, notes = regrid(tape([(1, [(int(Kind.DELTA), BID, 42, 5, 0)])]), SOURCE, coarse)
    assert len(rows) == 0
    assert notes.rows_below_grid == 1


def test_times_move_together():
    events = tape(
        [(90, [(int(Kind.DELTA), BID, 640_000, 5, 0)]), (95, [(int(Kind.DELTA), BID, 640_000, 6, 0)])]
    )
    rows, _ = regrid(events, SOURCE, HYPERLIQUID, time_zero_ns=1_000)
    assert rows["ts_local_ns"].tolist() == [1_000, 1_001]
    assert rows["ts_venue_ns"].tolist() == [990, 995]


def test_mark_and_index_prices_pass_with_their_detail():
    detail = np.zeros(1, account_detail_t)
    detail["account"], detail["mark_price_e8"], detail["index_price_e8"] = -1, 6_400_000_000_000, 5 << 48
    prices = np.zeros(2, event_t)
    prices[0]["kind"], prices[0]["flags"], prices[0]["ts_local_ns"] = Kind.PRICES, LAST, 100
    prices[1] = detail.view(event_t)[0]
    level = tape([(1, [(int(Kind.DELTA), BID, 640_003, 5, 0)])])
    rows, notes = regrid(np.concatenate([prices, level]), SOURCE, HYPERLIQUID)
    assert DETAIL_ROWS[Kind.PRICES] == 1
    assert rows[:2].tobytes() == prices.tobytes()
    assert rows[2]["price_ticks"] == 640_000
    assert notes.messages_in == notes.messages_out == 2


def test_what_is_no_market_data_is_refused():
    events = tape([(1, [(int(Kind.FILL), BID, 640_000, 5, 0)])])
    with pytest.raises(DataError, match="only market data"):
        regrid(events, SOURCE, HYPERLIQUID)
    two = tape([(1, [(int(Kind.DELTA), BID, 640_000, 5, 0)] * 2)])
    two["instrument"] = [0, 1]
    with pytest.raises(DataError, match="one at a time"):
        regrid(two, SOURCE, HYPERLIQUID)
    high = tape([(1, [(int(Kind.DELTA), BID, 2_000_000_000, 5, 0)])])
    with pytest.raises(DataError, match="too large"):
        regrid(high, SOURCE, Instrument("t", "F", Decimal("0.01"), Decimal("0.001")))


def test_no_rows_give_no_rows():
    rows, notes = regrid(np.zeros(0, event_t), SOURCE, HYPERLIQUID)
    assert len(rows) == notes.messages_in == 0


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="half a million rows")
def test_a_recording_in_a_second(data):
    recording = load_recording(data / "l2" / "binance_usdm-BTCUSDT-20240718T2357.parquet")
    regrid(recording.events[:3_000], recording.instrument, HYPERLIQUID)
    begun = time.perf_counter()
    rows, notes = regrid(recording.events, recording.instrument, HYPERLIQUID)
    seconds = time.perf_counter() - begun
    print(f"\n{notes.rows_in:,} rows in {seconds:.2f} s -> {notes.rows_out:,} rows")
    assert seconds < 3.0
    assert np.count_nonzero(rows["kind"] == Kind.TRADE) == np.count_nonzero(
        recording.events["kind"] == Kind.TRADE
    )
    # From 10,000 USD on five figures are whole dollars; the deepest levels lie below.
    is_high = rows["price_ticks"] >= 100_000
    assert is_high.mean() > 0.95
    assert (rows["price_ticks"][is_high] % 10 == 0).all()
    assert (np.diff(rows["ts_local_ns"]) >= 0).all()
