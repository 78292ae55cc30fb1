"""CSV files of Tardis, `incremental_book_L2` and `trades`, become the columns of a recording.

Times are microseconds. Rows of one local_timestamp came in one message. A row of a snapshot after one that
was none discards the book; a snapshot that goes on in later messages adds to it. A file has one sort of data:
book and trades of the same instrument are read together and merged by the time of receipt, trades first where
both share it, since the book may tell already what they did to it.

source : Tardis, documentation "Data types" of downloadable CSV files, read 2026-11-21
May import model only. Next: `csv_file.py`, `recording_file.py`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.csv_file import read_columns
from makerside.journal.recording_file import (
    KIND_DELTA,
    KIND_SNAPSHOT,
    KIND_TRADE,
    Columns,
    Table,
    in_nanoseconds,
)
from makerside.model.errors import DataError

_SHARED = ("exchange", "symbol", "timestamp", "local_timestamp", "side", "price", "amount")
BOOK_COLUMNS = ("is_snapshot", *_SHARED)
TRADE_COLUMNS = ("id", *_SHARED)
_TEXTS = ("exchange", "symbol", "side")
_NO_SIDE = 9
_SIDES = {"bid": 1, "ask": -1}
_TAKERS = {"buy": 1, "sell": -1, "unknown": 0}


def is_tardis(header: Sequence[str]) -> bool:
    """Return whether the first line of a file is that of a book or of trades."""
    return set(BOOK_COLUMNS) <= set(header) or set(TRADE_COLUMNS) <= set(header)


def read_tardis(files: Sequence[tuple[Path, Sequence[str]]], symbol: str | None) -> tuple[Table, str, str]:
    """Return the rows of one instrument as columns, times as they are; its venue and symbol.

    files  : path and header of each
    symbol : needed when the files have several
    errors : DataError with the file and line of what is not as documented
    """
    parts = [_read(path, set(BOOK_COLUMNS) <= set(header)) for path, header in files]
    names = [_names(part) for part in parts]
    known = sorted({name for of_file in names for name in of_file})
    chosen = [name for name in known if symbol is None or name[1] == symbol]
    path = parts[0].path
    if len(chosen) != 1:
        listed = ", ".join(f"{venue} {one}" for venue, one in known)
        raise DataError(f"{path}: the files have {listed}; choose one with --symbol")
    venue, name = chosen[0]
    parts = [
        part if len(of_file) == 1 else _rows(part, _is_of(part, chosen[0]))
        for part, of_file in zip(parts, names, strict=True)
    ]
    return _merged([_table(part) for part in parts if len(part)]), venue, name


def _read(path: Path, is_book: bool) -> Table:
    """Return the columns of a file; texts as numbers, what they stand for under "NAME texts"."""
    import pyarrow as pa

    types: dict[str, Any] = dict.fromkeys(_TEXTS, pa.dictionary(pa.int32(), pa.string()))
    types |= {"timestamp": pa.int64(), "local_timestamp": pa.int64()}
    types |= {"price": pa.float64(), "amount": pa.float64()}
    if is_book:
        types["is_snapshot"] = pa.bool_()
    table = read_columns(path, types)
    columns: Columns = {}
    for name in list(types):
        column: Any = table.columns.pop(name)  # one at a time: two copies of all would be much
        if name in _TEXTS:
            whole = column.unify_dictionaries().combine_chunks()
            column = pa.chunked_array([whole.indices])
            columns[f"{name} texts"] = np.array(whole.dictionary.to_pylist())
        columns[name] = column.to_numpy()
    return Table(path, columns, table.numbers, table.word)


def _rows(part: Table, keep: NDArray[np.bool_]) -> Table:
    """Return some rows of a file; the texts of its numbers stay."""
    texts = {name: values for name, values in part.columns.items() if name.endswith(" texts")}
    rows = {name: values for name, values in part.columns.items() if name not in texts}
    taken = Table(part.path, rows, part.numbers, part.word).take(keep)
    return Table(part.path, taken.columns | texts, taken.numbers, part.word)


def _names(part: Table) -> list[tuple[str, str]]:
    """Return (venue, symbol) of all rows, each once."""
    venues, symbols = part.columns["exchange texts"], part.columns["symbol texts"]
    pairs = np.unique(part.columns["exchange"].astype(np.int64) * len(symbols) + part.columns["symbol"])
    return [(str(venues[pair // len(symbols)]), str(symbols[pair % len(symbols)])) for pair in pairs.tolist()]


def _is_of(part: Table, name: tuple[str, str]) -> NDArray[np.bool_]:
    of_name = [part.columns[f"{column} texts"] == text for column, text in zip(_TEXTS, name, strict=False)]
    is_of: NDArray[np.bool_] = of_name[0][part.columns["exchange"]] & of_name[1][part.columns["symbol"]]
    return is_of


def _table(part: Table) -> Table:
    """Return one file's columns in the form of a recording; `msg` is left to `_merged`."""
    columns = part.columns
    local = columns["local_timestamp"]
    times = {"ts_exchange_ns": columns["timestamp"], "ts_local_ns": local}
    in_nanoseconds(Table(part.path, times, part.numbers, part.word))  # a unit that changes is no step back
    back = local[1:] < local[:-1]
    if back.any():
        raise DataError(f"{part.at(int(np.argmax(back)) + 1)}: local_timestamp goes back")
    is_book = "is_snapshot" in columns
    kind = _book_kinds(columns["is_snapshot"], local) if is_book else np.full(len(part), KIND_TRADE, np.int8)
    found = {
        **times,
        "kind": kind,
        "side": _sides(part, _SIDES if is_book else _TAKERS),
        "price": columns["price"],
        "size": columns["amount"],
    }
    return Table(part.path, found, part.numbers, part.word)


def _book_kinds(is_snapshot: NDArray[np.bool_], local: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return SNAPSHOT for the first message of each run of snapshot rows, DELTA for all else."""
    begins = is_snapshot & ~np.append(False, is_snapshot[:-1])
    run = np.maximum.accumulate(np.where(begins, np.arange(len(local)), 0))
    replaces = is_snapshot & (local == local[run])
    return np.where(replaces, KIND_SNAPSHOT, KIND_DELTA).astype(np.int8)


def _sides(part: Table, meaning: dict[str, int]) -> NDArray[np.int8]:
    texts = part.columns["side texts"].tolist()
    sides = np.array([meaning.get(text, _NO_SIDE) for text in texts], np.int8)[part.columns["side"]]
    if (sides == _NO_SIDE).any():
        i = int(np.argmax(sides == _NO_SIDE))
        text = texts[part.columns["side"][i]]
        raise DataError(f"{part.at(i)}: side is {text!r}; it must be {', '.join(meaning)}")
    return sides


def _merged(parts: list[Table]) -> Table:
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    numbers = np.concatenate([part.numbers for part in parts])
    file_of = np.concatenate([np.full(len(part), i, np.int8) for i, part in enumerate(parts)])
    whole = Table(
        parts[0].path, columns, numbers, parts[0].word, 0, tuple(part.path for part in parts), file_of
    )
    if len(parts) > 1:
        whole = whole.take(np.lexsort((columns["kind"] != KIND_TRADE, columns["ts_local_ns"])))
    columns = whole.columns
    assert whole.file_of is not None
    is_new = np.zeros(len(whole), bool)
    for values in (columns["ts_local_ns"], columns["kind"], whole.file_of):
        is_new[1:] |= values[1:] != values[:-1]
    columns["msg"] = np.cumsum(is_new).astype(np.int32)
    return whole
