"""Flow facts: how orders come and go at each distance behind the touch, counted from market rows.

After every message the book is compared with the book before it: a level that grew is an arrival, one that
shrank by more than was traded there is a cancel, of the net amount. Levels that end up in front of the
new touch were withdrawn by a move of the price: they are no cancels. Several orders on one level in one
message count as one, and a feed of sparse snapshots shows few of them: the rates are those of the feed,
not of the venue. A model's rows are counted in the same way.

May import model and core. Next: `fit_market.py`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.core.book import apply_book_row, book_clear, book_lots, end_message
from makerside.core.kernel import Record, kernel
from makerside.core.prices import price_step
from makerside.model.errors import DataError
from makerside.model.event import DETAIL_ROWS, Flag, Kind
from makerside.model.instrument import Instrument, instrument_t
from makerside.model.market import NO_ASK, NO_BID, WINDOW_MASK, WINDOW_TICKS, book_t
from makerside.model.units import ASK, BID, NS_PER_MS, NS_PER_S

_TRADE, _GAP = int(Kind.TRADE), int(Kind.GAP)
_BOOK_KINDS = (int(Kind.DELTA), int(Kind.SNAPSHOT), int(Kind.BBO))
_LAST, _SELL = int(Flag.LAST), int(Flag.SELL)
SAMPLE_NS = 100 * NS_PER_MS
BANDS_MAX = 16
IMPROVED = BANDS_MAX  # the band number of a change in front of the former touch

_flow_t = np.dtype(
    [
        ("n_bands", "i8"),
        ("reach", "i8"),  # steps behind the touch
        ("ts_first_ns", "i8"),
        ("ts_last_ns", "i8"),
        ("ts_sample_ns", "i8"),
        ("n_samples", "i8"),
        ("n_changes", "i8"),
        ("n_dropped", "i8"),
        ("edges", "i8", (BANDS_MAX,)),
        ("best", "i8", (2,)),  # after the message before
        ("last", "i8", (2,)),  # up to where its levels are known
        ("level_lots", "f8", (BANDS_MAX,)),  # sums over samples
        ("levels", "f8", (BANDS_MAX,)),
        ("before", "i8", (2, WINDOW_TICKS)),
        ("traded", "i8", (2, WINDOW_TICKS)),
    ]
)
_change_t = np.dtype([("band", "i8"), ("lots", "i8")])  # lots > 0: came; < 0: went


@dataclass(frozen=True, slots=True)
class FlowFacts:
    """Counted flow by band: band 0 is the touch, band b the levels up to edges_steps[b] steps behind it.

    Rates are per second and side; sizes are arrays of lots, one entry per change; `level_lots` is the mean
    size of one level.
    """

    edges_steps: tuple[int, ...]
    seconds: float
    arrivals_per_s: NDArray[np.float64]
    cancels_per_s: NDArray[np.float64]
    level_lots: NDArray[np.float64]
    arrival_lots: list[NDArray[np.int64]]
    cancel_lots: list[NDArray[np.int64]]
    improve_lots: NDArray[np.int64]


@kernel
def _band_of(flow: Record, behind: int) -> int:
    if behind < 0:
        return IMPROVED
    band = 0
    while flow["edges"][band] < behind:
        band += 1
    return band


@kernel
def _note(flow: Record, changes: Any, band: int, lots: int) -> None:
    n = flow["n_changes"]
    if n >= len(changes):
        flow["n_dropped"] += 1
        return
    changes[n]["band"] = band
    changes[n]["lots"] = lots
    flow["n_changes"] = n + 1


@kernel
def _compare_side(flow: Record, book: Record, side: int, best: int, step: int, changes: Any) -> None:
    """Note what changed on one side since the last message, and remember the side as it is."""
    ahead = 1 if side == BID else -1
    former = flow["best"][side]
    is_known = former != NO_BID and former != NO_ASK
    first = best
    if is_known and (former - best) * ahead > 0:
        first = former
    last = best - ahead * flow["reach"] * step
    place = first
    while (place - last) * ahead >= 0:
        slot = place & WINDOW_MASK
        after = book_lots(book, side, place)
        before = flow["before"][side, slot]
        if is_known and (place - flow["last"][side]) * ahead >= 0:
            if (place - former) * ahead > 0:
                before = 0
            traded = flow["traded"][side, slot]
            behind = (former - place) * ahead // step
            if after > before:
                if behind <= flow["reach"]:
                    _note(flow, changes, _band_of(flow, behind), after - before)
            elif before - after > traded and behind <= flow["reach"] and (best - place) * ahead >= 0:
                _note(flow, changes, _band_of(flow, behind), after - before + traded)
            if after != before:
                flow["traded"][side, slot] = 0
        flow["before"][side, slot] = after
        place -= ahead * step
    flow["best"][side] = best
    flow["last"][side] = last


@kernel
def _sample(flow: Record, book: Record, step: int) -> None:
    flow["n_samples"] += 1
    for side in range(2):
        ahead = 1 if side == BID else -1
        band = 0
        for behind in range(flow["reach"] + 1):
            if behind > flow["edges"][band]:
                band += 1
            flow["level_lots"][band] += book_lots(book, side, flow["best"][side] - ahead * behind * step)
            flow["levels"][band] += 1.0


@kernel
def _end_message(flow: Record, book: Record, rules: Record, now_ns: int, changes: Any) -> None:
    end_message(book)
    bid, ask = book["bid_ticks"], book["ask_ticks"]
    if bid == NO_BID or ask == NO_ASK or bid > ask:
        return
    step = price_step(rules, ask)
    _compare_side(flow, book, BID, bid, step, changes)
    _compare_side(flow, book, ASK, ask, step, changes)
    if flow["ts_first_ns"] == 0:
        flow["ts_first_ns"] = now_ns
    flow["ts_last_ns"] = now_ns
    if now_ns - flow["ts_sample_ns"] >= SAMPLE_NS:
        flow["ts_sample_ns"] = now_ns
        _sample(flow, book, step)


@kernel
def _count(events: Any, books: Any, rules: Any, details: Any, flows: Any, changes: Any) -> None:
    book, flow = books[0], flows[0]
    now_ns = 0
    has_book_row = False
    i = 0
    while i < len(events):
        event = events[i]
        kind, flags = int(event["kind"]), int(event["flags"])
        tick, lots = int(event["price_ticks"]), event["size_lots"]
        now_ns = max(now_ns, event["ts_venue_ns"] if event["ts_venue_ns"] > 0 else event["ts_local_ns"])
        if kind == _TRADE:
            # A buyer takes asks.
            flow["traded"][BID if flags & _SELL else ASK, tick & WINDOW_MASK] += lots
        elif kind == _GAP:
            book_clear(book)
            book["ts_touch_ns"] = 0
            flow["best"][BID], flow["best"][ASK] = NO_BID, NO_ASK
        elif kind in _BOOK_KINDS:
            apply_book_row(book, kind, ASK if flags & _SELL else BID, tick, lots, event["ts_venue_ns"])
            has_book_row = True
        i += 1 + details[kind]
        if flags & _LAST and has_book_row:
            _end_message(flow, book, rules[0], now_ns, changes)
            has_book_row = False


def band_edges(reach_steps: int, bands: int = 14) -> tuple[int, ...]:
    """Return rising edges 0, 1, ... reach in steps, about geometric, at most `bands` of them."""
    inner = np.rint(np.geomspace(1, max(2, reach_steps), bands - 1)).astype(int)
    return (0, *np.unique(inner).tolist())


def flow_facts(events: NDArray[Any], instrument: Instrument, edges_steps: tuple[int, ...]) -> FlowFacts:
    """Return the counted flow of market rows.

    events      : (n,) event_t of one instrument
    edges_steps : 0 and rising distances behind the touch, in price steps, at most 16
    errors      : DataError when the rows never show both sides of a book
    """
    assert edges_steps[0] == 0
    assert 2 <= len(edges_steps) <= BANDS_MAX
    books, rules, flows = np.zeros(1, book_t), np.zeros(1, instrument_t), np.zeros(1, _flow_t)
    instrument.fill_record(rules[0])
    books[0]["bid_ticks"] = books[0]["high_ticks"] = books[0]["known_bid_ticks"] = NO_BID
    books[0]["ask_ticks"] = books[0]["low_ticks"] = books[0]["known_ask_ticks"] = NO_ASK
    n = len(edges_steps)
    flow = flows[0]
    flow["n_bands"], flow["reach"] = n, edges_steps[-1]
    flow["edges"][:n] = edges_steps
    flow["best"] = (NO_BID, NO_ASK)
    changes = np.zeros(4 * len(events) + 1000, _change_t)
    _count(events, books, rules, DETAIL_ROWS, flows, changes)
    if not flow["n_samples"]:
        raise DataError(f"{instrument.symbol}: the rows never show both a bid and an ask")
    assert flow["n_dropped"] == 0
    rows = changes[: flow["n_changes"]]
    came, went = rows[rows["lots"] > 0], rows[rows["lots"] < 0]
    seconds = float(flow["ts_last_ns"] - flow["ts_first_ns"]) / NS_PER_S
    arrivals = [came["lots"][came["band"] == b] for b in range(n)]
    cancels = [-went["lots"][went["band"] == b] for b in range(n)]
    return FlowFacts(
        edges_steps,
        seconds,
        np.array([len(sizes) for sizes in arrivals]) / seconds / 2,
        np.array([len(sizes) for sizes in cancels]) / seconds / 2,
        flow["level_lots"][:n] / flow["levels"][:n],
        arrivals,
        cancels,
        came["lots"][came["band"] == IMPROVED],
    )
