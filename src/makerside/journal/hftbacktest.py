"""Tapes of hftbacktest: its normalised event array in an `.npz` becomes the columns of a recording.

Its array `data` has one row per event; the low byte of `ev` says what it is, four high bits which side
and for whom it counts. We keep the rows that arrive at the recorder (LOCAL): rows for the exchange alone
are the same events again, put into the venue's order. What came in one message is not in the format: rows
of one sort that share both times are taken as one, unless an array `msg` beside `data` numbers them.

source : hftbacktest 2.4, documentation "Data", `types.py` and `MarketDepth.clear_depth`
May import model only. Next: `recording_file.py`.
"""

import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.recording_file import (
    KIND_BBO,
    KIND_DELTA,
    KIND_SNAPSHOT,
    KIND_TRADE,
    Columns,
    Table,
)
from makerside.journal.whole_file import first_line
from makerside.model.errors import DataError

event_dtype = np.dtype(
    [
        ("ev", "u8"),
        ("exch_ts", "i8"),
        ("local_ts", "i8"),
        ("px", "f8"),
        ("qty", "f8"),
        ("order_id", "u8"),
        ("ival", "i8"),
        ("fval", "f8"),
    ]
)
BUY, SELL = 1 << 29, 1 << 28
EXCH, LOCAL = 1 << 31, 1 << 30
DEPTH, TRADE, CLEAR, SNAPSHOT, BBO = 1, 2, 3, 4, 5
# What reading a damaged archive raises, from the archive, the compression or the array in it.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    AttributeError,
    RuntimeError,
    MemoryError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
_SORT_MASK = 0xFF
_SORTS = (DEPTH, TRADE, CLEAR, SNAPSHOT, BBO)
_ORDERS = (10, 11, 12, 13)  # added, cancelled, modified, filled: order by order
_KIND_OF = {DEPTH: KIND_DELTA, TRADE: KIND_TRADE, CLEAR: KIND_DELTA, SNAPSHOT: KIND_SNAPSHOT, BBO: KIND_BBO}


@dataclass(frozen=True, slots=True)
class Tape:
    """The rows of an `.npz` that arrive at the recorder.

    data : (n,) event_dtype;  numbers : their rows in the file
    sort : what each is, DEPTH to BBO;  side : +1, -1, 0;  msg : number of its message
    """

    path: Path
    data: NDArray[Any]
    numbers: NDArray[np.int64]
    sort: NDArray[np.int64]
    side: NDArray[np.int8]
    msg: NDArray[np.int32]


def read_npz(path: Path) -> tuple[Table, dict[str, int]]:
    """Return the rows of a tape as columns, times as they are, and counts of what was left out.

    errors : DataError for a file that is damaged or of another form, with the row where it is a row's fault
    """
    data, given = _load(path)
    _check(path, data)
    is_local = (data["ev"] & np.uint64(LOCAL)) != 0
    numbers = np.flatnonzero(is_local)
    if not len(numbers):
        raise DataError(f"{path}: no row has the flag LOCAL; there is nothing that a recorder received")
    notes = {"rows_for_the_exchange_alone": len(data) - len(numbers)}
    rows = data[is_local]
    sort = (rows["ev"] & np.uint64(_SORT_MASK)).astype(np.int64)
    side = _bit(rows, BUY).astype(np.int8) - _bit(rows, SELL).astype(np.int8)
    msg = _messages(rows, sort) if given is None else given[is_local].astype(np.int32)
    tape = Tape(path, rows, numbers, sort, side, msg)
    whole, piecewise = _snapshots(tape)
    return _table(tape, whole, piecewise), {name: number for name, number in notes.items() if number}


def _bit(rows: NDArray[Any], bit: int) -> NDArray[np.bool_]:
    is_set: NDArray[np.bool_] = (rows["ev"] & np.uint64(bit)) != 0
    return is_set


def _load(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    if not path.exists():
        raise DataError(f"{path}: there is no such file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            data = archive["data"] if "data" in archive.files else None
            given = archive["msg"] if "msg" in archive.files else None
    except _DAMAGE as error:
        raise DataError(
            f"{path}: not a readable .npz file ({type(error).__name__}: {first_line(error)})"
        ) from None
    if data is None:
        raise DataError(f"{path}: the archive has no array `data`, the event rows of hftbacktest")
    if data.dtype != event_dtype or data.ndim != 1:
        fields = ", ".join(f"{name} {kind[0]}" for name, kind in (event_dtype.fields or {}).items())
        raise DataError(
            f"{path}: `data` is {data.dtype}, {data.ndim}-dimensional; it must have rows of {fields}"
        )
    if not len(data):
        raise DataError(f"{path}: the file has no rows")
    if given is not None and (given.shape != data.shape or given.dtype.kind not in "iu"):
        raise DataError(f"{path}: `msg` must be one integer for each of the {len(data)} rows of `data`")
    return data, given


def _check(path: Path, data: NDArray[Any]) -> None:
    sort = (data["ev"] & np.uint64(_SORT_MASK)).astype(np.int64)
    is_book = np.isin(sort, (DEPTH, SNAPSHOT, BBO))
    buy, sell = _bit(data, BUY), _bit(data, SELL)
    checks = (
        (np.isin(sort, _ORDERS), "order by order; only books of price levels can be imported"),
        (~np.isin(sort, _SORTS), "not an event of this format"),
        (
            ~_bit(data, EXCH) & ~_bit(data, LOCAL),
            "neither for the exchange (EXCH) nor for the recorder (LOCAL)",
        ),
        (buy & sell, "both BUY and SELL"),
        (is_book & ~buy & ~sell, "a book row without a side"),
    )
    for bad, words in checks:
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(f"{path}: row {row}: ev {int(data['ev'][row]):#x} is {words}")


def _messages(rows: NDArray[Any], sort: NDArray[np.int64]) -> NDArray[np.int32]:
    """Number the runs of rows of one sort and the same times; a snapshot and its clearing are one sort."""
    sort = np.where(sort == CLEAR, SNAPSHOT, sort)
    is_new = np.zeros(len(rows), bool)
    for values in (rows["local_ts"], rows["exch_ts"], sort):
        is_new[1:] |= values[1:] != values[:-1]
    return np.cumsum(is_new).astype(np.int32)


def _snapshots(tape: Tape) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows belong to messages that replace the whole book, and which replace a part of it.

    A snapshot replaces the whole when both sides are cleared with it, or when nothing of a book came before.
    """
    is_clear, is_shot = tape.sort == CLEAR, tape.sort == SNAPSHOT
    # A message is a run: where numbers of a given `msg` come again later, that is another message.
    group = np.cumsum(np.append(True, tape.msg[1:] != tape.msg[:-1])) - 1
    n = int(group[-1]) + 1
    cleared = [np.bincount(group[is_clear & (tape.side != -side)], minlength=n) > 0 for side in (1, -1)]
    shown = np.bincount(group[is_shot], minlength=n) > 0
    touched = np.bincount(group[is_clear | is_shot], minlength=n) > 0
    is_whole = shown & cleared[0] & cleared[1]
    is_book = np.isin(tape.sort, (DEPTH, SNAPSHOT, BBO))
    if is_book.any():
        first = int(group[np.argmax(is_book)])
        is_whole[first] |= shown[first]
    is_of_snapshot = is_clear | is_shot
    return is_whole[group] & is_of_snapshot, (touched & ~is_whole)[group] & is_of_snapshot


def _table(tape: Tape, whole: NDArray[np.bool_], piecewise: NDArray[np.bool_]) -> Table:
    """Return the columns. Clearings inside whole snapshots say nothing more; others become removals."""
    rows = np.arange(len(tape.data))
    stays = np.ones(len(rows), bool) & ~(whole & (tape.sort == CLEAR)) & ~(piecewise & (tape.sort == CLEAR))
    source, prices, sizes = rows[stays], tape.data["px"][stays], tape.data["qty"][stays]
    kind = np.array([0, *(_KIND_OF[sort] for sort in _SORTS)], np.int8)[tape.sort[stays]]
    kind[piecewise[stays]] = KIND_DELTA
    side = tape.side[stays]
    removed = _removals(tape, whole, piecewise)
    if removed:
        # Removals take the places of the clearings that they come from.
        extra = np.array([row for row, _, _ in removed], np.int64)
        order = np.argsort(np.concatenate([source, extra]), kind="stable")
        prices = np.concatenate([prices, [price for _, _, price in removed]])[order]
        sizes = np.concatenate([sizes, np.zeros(len(removed))])[order]
        kind = np.concatenate([kind, np.full(len(removed), KIND_DELTA, np.int8)])[order]
        side = np.concatenate([side, np.array([one for _, one, _ in removed], np.int8)])[order]
        source = np.concatenate([source, extra])[order]
    columns: Columns = {
        "ts_exchange_ns": tape.data["exch_ts"][source],
        "ts_local_ns": tape.data["local_ts"][source],
        "kind": kind,
        "side": side,
        "price": prices,
        "size": sizes,
        "msg": tape.msg[source],
    }
    if not len(source):
        raise DataError(f"{tape.path}: the file clears books and tells nothing else")
    return Table(tape.path, columns, tape.numbers[source])


def _removals(
    tape: Tape, whole: NDArray[np.bool_], piecewise: NDArray[np.bool_]
) -> list[tuple[int, int, float]]:
    """Return (row of the clearing, side, price) of every level that a clearing outside a snapshot removes.

    A clearing removes a side's levels from the best to its price; all of them when that is no finite number,
    and all of both sides, whatever the price, when it has no side.
    """
    clearings = np.flatnonzero(piecewise & (tape.sort == CLEAR))
    if not len(clearings):
        return []
    levels: dict[int, set[float]] = {1: set(), -1: set()}
    found = []
    last_whole = -1
    n = int(clearings[-1]) + 1
    parts = (tape.sort[:n], tape.side[:n], tape.data["px"][:n], tape.data["qty"][:n], whole[:n], tape.msg[:n])
    for row, (sort, side, price, size, is_whole, msg) in enumerate(
        zip(*(part.tolist() for part in parts), strict=True)
    ):
        if sort == CLEAR and not is_whole:
            for one in (side,) if side else (1, -1):
                is_all = not side or not isfinite(price)
                gone = sorted(at for at in levels[one] if is_all or one * at >= one * price)
                found += [(row, one, at) for at in gone]
                levels[one].difference_update(gone)
        elif sort in (DEPTH, SNAPSHOT, BBO):
            if is_whole and msg != last_whole:
                levels = {1: set(), -1: set()}
                last_whole = msg
            (levels[side].add if size > 0 else levels[side].discard)(price)
    return found
