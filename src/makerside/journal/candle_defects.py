"""Defects of candles: counted, and the first of each located. May import model only. Next: `candles.py`."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from makerside.journal.candles import CANDLE_RULES, PRICES, in_nanoseconds, interval_of
from makerside.journal.defects import PLACES_KEPT, Defect, Findings, Limits, Place
from makerside.journal.recording_file import Columns, Table, units_of
from makerside.model.errors import DataError

_DEVIATIONS = 12  # robust, of the logarithm
_RETURNED = 0.7  # of a move
_JUMP = 0.5  # of the logarithm; or the numbers changed their unit
_WICKS = 5.0  # times the limit of moves: cascades of liquidations leave long ones
_BPS = 1e4

_Found = tuple[str, str, NDArray[np.int64], list[str]]  # name, meaning, rows, one detail per row


def candle_defects_of(table: Table, limits: Limits | None = None) -> Findings:
    """Return the defects of candles. table : as `read_candles` gives it, times in any unit"""
    limits = limits or Limits()
    units = units_of(table.columns["ts_open_ns"])
    mixed = np.flatnonzero(units != units[0])
    defects = [_defect(table, ("mixed_time_units", "times not in the unit of the first", mixed, []))]
    try:
        table, _ = in_nanoseconds(table)
    except DataError:
        # Nothing can be said about intervals; what stands in single candles can.
        defects += [_defect(table, one) for one in _of_values(table.columns)]
    else:
        defects += [_defect(table, one) for one in (*_of_values(table.columns), *_of_times(table))]
        defects += [_defect(table, one) for one in _outliers(table.columns, limits)]
    times = table.columns["ts_open_ns"]
    found = [one for one in defects if one.count]
    return Findings(table.path, len(table), int(times.min()), int(times.max()), found)


def _defect(table: Table, found: _Found) -> Defect:
    name, meaning, rows, details = found
    columns, places = table.columns, []
    for i, row in enumerate(rows[:PLACES_KEPT].tolist()):
        detail = details[i] if details else f"close {columns['close'][row]:.12g}"
        places.append(Place(int(table.numbers[row]), int(columns["ts_open_ns"][row]), detail))
    return Defect(name, meaning, len(rows), places)


def _of_values(columns: Columns) -> Iterator[_Found]:
    for name, words, broken in CANDLE_RULES:
        yield name, words, np.flatnonzero(broken(columns)), []
    yield "no_volume", "nothing was traded", np.flatnonzero(columns["volume"] == 0), []


def _of_times(table: Table) -> Iterator[_Found]:
    times = table.columns["ts_open_ns"]
    steps = np.diff(times)
    same = np.flatnonzero(steps == 0) + 1
    yield "duplicate", "a candle of the time of the one before", same, []
    if not (steps > 0).any():
        return
    interval = interval_of(table)
    off = np.flatnonzero(steps % interval != 0) + 1
    yield "off_grid", f"not a multiple of {interval / 1e9:g} s after the one before", off, []
    after = np.flatnonzero(steps > interval) + 1
    missing = [f"{-(-int(steps[row - 1]) // interval) - 1:,} missing" for row in after[:PLACES_KEPT].tolist()]
    yield "gap", "candles are missing before this row", after, missing


def _outliers(columns: Columns, limits: Limits) -> Iterator[_Found]:
    is_sound = np.ones(len(columns["close"]), bool)
    for _, _, broken in CANDLE_RULES[:-1]:
        is_sound &= ~broken(columns)
    rows = np.flatnonzero(is_sound)
    if len(rows) < 2:
        return
    logs = {name: np.log(columns[name][rows]) for name in PRICES}
    moves = np.append(0.0, np.diff(logs["close"]))
    # Markets crash, and that is no defect; what comes straight back was never traded at.
    back = np.append(-moves[1:], 0.0) * np.sign(moves)
    is_spike = (np.abs(moves) > _limit(moves, 1.0, limits)) & (back > _RETURNED * np.abs(moves))
    yield _found("price_outlier", "the close went far and straight back", rows, moves, is_spike)
    is_jump = np.abs(moves) > _JUMP
    yield _found("price_jump", "the close changed by half and more in one candle", rows, moves, is_jump)
    top = logs["high"] - np.maximum(logs["open"], logs["close"])
    bottom = np.minimum(logs["open"], logs["close"]) - logs["low"]
    wicks = np.maximum(top, bottom)
    is_long = wicks > _limit(wicks, _WICKS, limits)
    yield _found("wick_outlier", "high or low out of all proportion", rows, wicks, is_long)


def _limit(values: NDArray[np.float64], factor: float, limits: Limits) -> float:
    deviation = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return factor * max(_DEVIATIONS * deviation, limits.far_bps / _BPS)


def _found(
    name: str, meaning: str, rows: NDArray[np.int64], values: NDArray[np.float64], is_bad: NDArray[np.bool_]
) -> _Found:
    far = values[is_bad][:PLACES_KEPT].tolist()
    return name, meaning, rows[is_bad], [f"{one * _BPS:,.4g} bp" for one in far]
