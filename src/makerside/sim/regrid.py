"""Regrid: a recording on one price grid becomes a legal recording on another venue's grid.

Bids are rounded down and asks up to the target's allowed prices, so that an uncrossed book stays
uncrossed. All source levels that fall on one target price are summed: the source book is kept inside,
under the same rules of venue time as `core/book.py`, and a row is written when the sum that it belongs
to has changed. Prints follow their passive side: a buyer's print goes up, a seller's down.

What it assumes: money is the same on both grids (no conversion of currency), and a target price holds
all that the source shows inside it. Where it is wrong: on the target venue, fewer orders would queue at
more levels; queue positions inside a summed level are those of a price-time queue over the sum.

Pure: model and core only. Next: `regrid_rows.py` (the kernels).
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.core.kernel import kernel
from makerside.core.prices import round_price
from makerside.model.errors import DataError
from makerside.model.event import DETAIL_ROWS, FIRST_ACTION, Kind, event_t
from makerside.model.instrument import Instrument, instrument_t
from makerside.model.units import ASK, BID, BUY, SELL
from makerside.sim.regrid_rows import LAST, NONE, SELL_FLAG, SNAPSHOT, coarse_t, fine_t, regrid_rows, regrid_t

_PUBLIC = (Kind.DELTA, Kind.SNAPSHOT, Kind.TRADE, Kind.BBO, Kind.PRICES, Kind.GAP)
_BOOK = (Kind.DELTA, Kind.SNAPSHOT, Kind.BBO)
_TICKS_MAX = (1 << 31) - 1  # an event row's price has 32 bits
_LEVELS_SUMMED_MAX = 10_000  # source levels on one target price: 0.01 summed to 100


@dataclass(frozen=True, slots=True)
class RegridNotes:
    """What was done to a recording.

    sizes_raised    : book rows and prints below one target lot, made one lot
    rows_retimed    : rows given the touch's newer venue time, since part of their sum is that new
    rows_below_grid : book rows dropped, because they round down to a price of zero
    """

    rows_in: int
    rows_out: int
    messages_in: int
    messages_out: int
    sizes_raised: int
    rows_retimed: int
    rows_below_grid: int


def regrid(
    events: NDArray[Any], source: Instrument, target: Instrument, time_zero_ns: int | None = None
) -> tuple[NDArray[Any], RegridNotes]:
    """Return the rows of a recording as the target's rows, and notes of what was done.

    events       : (n,) event_t, public market rows of one instrument in arrival order
    time_zero_ns : local time that the first row gets; all times are shifted by the same amount
    returns      : (m,) event_t, the instrument index is the source's
    errors       : DataError for rows that are no market data, for prices beyond 32 bits of target ticks
    """
    is_detail = _is_detail(events)
    _check_rows(events[~is_detail])
    prices = _target_prices(events, is_detail, source, target)
    fine, rank, coarse = _levels(events, is_detail, prices)
    state = np.zeros(1, regrid_t)
    ratio = _ratio(source.lot_size * source.multiplier, target.lot_size * target.multiplier)
    _check_sizes(events[~is_detail & (events["kind"] != Kind.PRICES)], ratio)
    state[0]["lots_up"], state[0]["lots_down"] = ratio.numerator, ratio.denominator
    state[0]["best"] = state[0]["shown_best"] = NONE
    state[0]["low"] = fine.shape[1]
    # Levels that a best price pushed aside may need rows of their own, at most one per row before; an older
    # snapshot its two touch levels.
    out = np.zeros(2 * len(events) + 2 * int(np.count_nonzero(events["kind"] == SNAPSHOT)) + 2, event_t)
    messages = regrid_rows(events, rank, prices, fine, coarse, state, DETAIL_ROWS, out)
    rows = out[: int(state[0]["n_out"])].copy()
    if time_zero_ns is not None and len(rows):
        _shift_times(rows, time_zero_ns - int(events["ts_local_ns"][0]))
    notes = RegridNotes(
        rows_in=len(events),
        rows_out=len(rows),
        messages_in=int(np.count_nonzero(events["flags"][~is_detail] & LAST)),
        messages_out=int(messages),
        sizes_raised=int(state[0]["n_raised"]),
        rows_retimed=int(state[0]["n_retimed"]),
        rows_below_grid=int(state[0]["n_below_grid"]),
    )
    return rows, notes


def _shift_times(rows: NDArray[Any], shift_ns: int) -> None:
    rows["ts_local_ns"] += shift_ns
    rows["ts_venue_ns"][rows["ts_venue_ns"] != 0] += shift_ns


def _is_detail(events: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows are continuation rows: their bytes are no price, size or kind."""
    marks = np.zeros(len(events), bool)
    _mark_details(events, DETAIL_ROWS, marks)
    return marks


@kernel
def _mark_details(events: Any, details: Any, marks: Any) -> None:
    i = 0
    while i < len(events):
        for k in range(details[int(events[i]["kind"])]):
            if i + 1 + k < len(events):
                marks[i + 1 + k] = True
        i += 1 + details[int(events[i]["kind"])]


def _check_rows(plain: NDArray[Any]) -> None:
    if not len(plain):
        return
    strange = ~np.isin(plain["kind"], [int(kind) for kind in _PUBLIC])
    if strange.any():
        kind = int(plain["kind"][np.argmax(strange)])
        what = "an action" if kind >= FIRST_ACTION else "an event about us"
        raise DataError(f"row of kind {kind} is {what}; only market data can be regridded")
    if len(np.unique(plain["instrument"])) > 1:
        raise DataError("rows of several instruments; regrid one at a time")


def _ratio(source: Decimal, target: Decimal) -> Fraction:
    return Fraction(source) / Fraction(target)


def _check_sizes(plain: NDArray[Any], ratio: Fraction) -> None:
    largest = int(plain["size_lots"].max()) if len(plain) else 0
    if largest * _LEVELS_SUMMED_MAX * ratio.numerator >= 1 << 63:
        raise DataError(f"sizes up to {largest} source lots do not fit into target lots")


def _target_prices(
    events: NDArray[Any], is_detail: NDArray[np.bool_], source: Instrument, target: Instrument
) -> NDArray[np.int64]:
    """Return every row's price in target ticks, (2, n): allowed prices below and above it."""
    rules = np.zeros(1, instrument_t)
    target.fill_record(rules[0])
    ratio = _ratio(source.tick_size, target.tick_size)
    # The price of an empty side may be anything.
    given = np.where(is_detail, 0, np.maximum(events["price_ticks"].astype(np.int64), 0))
    ticks, where = np.unique(given, return_inverse=True)
    if len(ticks) and int(ticks[-1]) * ratio.numerator > _TICKS_MAX * ratio.denominator // 2:
        raise DataError(f"{target.symbol}: a price of {ticks[-1]} source ticks is too large in target ticks")
    prices = np.zeros((2, len(ticks)), np.int64)
    _convert_prices(rules, ticks, ratio.numerator, ratio.denominator, prices)
    return prices[:, where]


@kernel
def _convert_prices(rules: Any, ticks: Any, up: int, down: int, out: Any) -> None:
    for i in range(len(ticks)):
        out[BID, i] = round_price(rules[0], ticks[i] * up // down, BUY)
        out[ASK, i] = round_price(rules[0], -(-ticks[i] * up // down), SELL)


def _levels(
    events: NDArray[Any], is_detail: NDArray[np.bool_], prices: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[Any]]:
    """Return the source levels, every row's rank among them, and the target levels."""
    is_book = np.isin(events["kind"], [int(kind) for kind in _BOOK]) & ~is_detail
    is_ask = (events["flags"] & SELL_FLAG) != 0
    rank = np.full(len(events), NONE, np.int64)
    parts = []
    for side, sign in ((BID, 1), (ASK, -1)):
        chosen = is_book & (is_ask if side == ASK else ~is_ask)
        keys, first, where = np.unique(
            sign * events["price_ticks"][chosen].astype(np.int64), return_index=True, return_inverse=True
        )
        rank[chosen] = where
        targets, coarse_of = np.unique(sign * prices[side][chosen][first], return_inverse=True)
        parts.append((len(keys), coarse_of, sign * targets))
    fine = np.zeros((2, max(1, *(part[0] for part in parts))), fine_t)
    coarse = np.zeros((2, max(1, *(len(part[2]) for part in parts))), coarse_t)
    coarse["row"] = NONE
    for side, (n, coarse_of, targets) in enumerate(parts):
        fine["coarse"][side, :n] = coarse_of
        coarse["price_ticks"][side, : len(targets)] = targets
    return fine, rank, coarse
