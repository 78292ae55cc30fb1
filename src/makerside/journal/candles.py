"""Candles: open, high, low, close and volume of equal spans of time. A table of its own: they tell no order
book, and none is made up from them.

A source is CSV (with a header, or the bare columns that exchanges publish: time, open, high, low, close,
volume, ...) or Parquet; names of columns that are in use are known, times may be integers in s, ms, us or ns,
or dates in UTC. What we write is Parquet with `COLUMNS`, numbers as decimals of the source, and names venue,
symbol and interval in its metadata.

May import model only. Next: `candle_defects.py`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.csv_file import CSV_SUFFIXES, read_columns, read_header
from makerside.journal.recording_file import (
    NO_UNIT,
    UNITS_NS,
    Columns,
    Table,
    is_small_decimal,
    to_numpy,
    units_of,
)
from makerside.journal.recording_write import decimals_of, to_decimals
from makerside.journal.whole_file import first_line, write_whole
from makerside.model.errors import DataError

candle_t = np.dtype(
    [("ts_open_ns", "i8"), ("open", "f8"), ("high", "f8"), ("low", "f8"), ("close", "f8"), ("volume", "f8")]
)
PRICES = ("open", "high", "low", "close")
COLUMNS = ("ts_open_ns", *PRICES, "volume")
# How the columns are called by who publishes candles; compared without case, spaces as _.
_NAMES = {
    "ts_open_ns": (
        *("ts_open_ns", "ts_open_ms", "ts_open", "open_time", "opentime", "timestamp", "time"),
        *("date", "datetime", "ts", "t", "unix"),
    ),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v", "base_volume"),
}
_KEY = b"makerside.candles"
_ZSTD_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles of one instrument. rows : (n,) candle_t, by time"""

    venue: str
    symbol: str
    interval_ns: int
    rows: NDArray[Any]


def are_candles(names: list[str]) -> bool:
    """Return whether a file with these columns holds candles."""
    return all(_place_of(column, names) is not None for column in PRICES)


def is_bare(header: list[str]) -> bool:
    """Return whether the first line of a CSV is a candle already: no header, numbers in at least six fields."""
    if len(header) < len(COLUMNS):
        return False
    try:
        return all(float(field) >= 0 for field in header[: len(COLUMNS)])
    except ValueError:
        return False


def _place_of(column: str, names: list[str]) -> str | None:
    plain = {name.strip().lower().replace(" ", "_"): name for name in reversed(names)}
    return next((plain[one] for one in _NAMES[column] if one in plain), None)


def read_candles(path: Path) -> Table:
    """Return candles as columns `COLUMNS`, times in the source's unit (dates in ns).

    errors : DataError with the row or line of what cannot be read
    """
    names = names_of(path)
    if names is None:
        table = _read_bare(path)
    else:
        chosen = {column: _place_of(column, names) for column in COLUMNS}
        missing = [column for column, name in chosen.items() if name is None]
        if missing:
            known = ", ".join(_NAMES[missing[0]])
            raise DataError(f"{path}: no column for {missing[0]}; it may be called {known}")
        sought = {str(name): column for column, name in chosen.items()}
        types = {name: None if column == "ts_open_ns" else _float() for name, column in sought.items()}
        table = _read(path, types, sought)
    columns = {name: _plain(table, name) for name in COLUMNS}
    return Table(path, columns, table.numbers, table.word)


def _float() -> Any:
    import pyarrow as pa

    return pa.float64()


def names_of(path: Path) -> list[str] | None:
    """Return the names of a file's columns, None when it has none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.name.endswith(CSV_SUFFIXES):
        header = read_header(path)
        return None if is_bare(header) else header
    if not path.exists():
        raise DataError(f"{path}: there is no such file")
    try:
        return list(pq.read_schema(path).names)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: not a readable Parquet file ({first_line(error)})") from None


def _read_bare(path: Path) -> Table:
    names = [*COLUMNS, *(f"field {i}" for i in range(len(COLUMNS), len(read_header(path))))]
    types = {name: None if name == "ts_open_ns" else _float() for name in COLUMNS}
    return read_columns(path, types, names)


def _read(path: Path, types: dict[str, Any], sought: dict[str, str]) -> Table:
    """Return the columns under our names. sought : name in the file -> ours"""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.name.endswith(CSV_SUFFIXES):
        table = read_columns(path, types)
        columns = {sought[name]: column for name, column in table.columns.items()}
        return Table(path, columns, table.numbers, table.word)
    try:
        found = pq.read_table(path, columns=list(types))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: the file is damaged ({first_line(error)})") from None
    if found.num_rows == 0:
        raise DataError(f"{path}: the file has no rows")
    columns = {}
    for name in types:
        column = found.column(name)
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy()))
            raise DataError(f"{path}: row {row}: {name} is empty")
        columns[sought[name]] = column
    return Table(path, columns, np.arange(found.num_rows, dtype=np.int64))


def _plain(table: Table, name: str) -> NDArray[Any]:
    """Return a column as numbers: prices as floats, times as integers."""
    import pyarrow as pa

    column: Any = table.columns[name]
    try:
        if name != "ts_open_ns":
            is_exact = is_small_decimal(column.type)
            return to_numpy(column) if is_exact else np.asarray(column.cast(pa.float64()).to_numpy())
        if pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("s"))
        if pa.types.is_timestamp(column.type):
            # A date without a zone is UTC; one with a zone is stored as UTC anyway.
            column = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
        return np.asarray(column.cast(pa.int64()).to_numpy())
    except pa.ArrowException as error:
        raise DataError(f"{table.path}: column {name}: {first_line(error)}") from None


def in_nanoseconds(table: Table) -> tuple[Table, str]:
    """Return candles whose times are nanoseconds, and the unit that they had.

    errors : DataError with the first row whose unit is not that of the others, or none at all
    """
    names, times = list(UNITS_NS), table.columns["ts_open_ns"]
    units = units_of(times)
    bad = (units != units[0]) | (units == NO_UNIT)
    if bad.any():
        i = int(np.argmax(bad))
        if units[i] == NO_UNIT:
            raise DataError(f"{table.at(i)}: time {times[i]} is no time since 2009 in s, ms, us or ns")
        raise DataError(
            f"{table.at(i)}: time {times[i]} is in {names[units[i]]}, "
            f"but {table.at(0)} has {names[units[0]]}: mixed units"
        )
    factor = UNITS_NS[names[units[0]]]
    columns = table.columns | {"ts_open_ns": times * factor}
    return Table(table.path, columns, table.numbers, table.word), names[units[0]]


# What a candle may be: name, words for people, and the rows that break it.
CANDLE_RULES: tuple[tuple[str, str, Callable[[Columns], NDArray[np.bool_]]], ...] = (
    (
        "bad_price",
        "a price is not a positive number",
        lambda c: np.logical_or.reduce([~np.isfinite(c[name]) | (c[name] <= 0) for name in PRICES]),
    ),
    (
        "bad_volume",
        "volume is not a number of at least 0",
        lambda c: ~np.isfinite(c["volume"]) | (c["volume"] < 0),
    ),
    (
        "high_not_highest",
        "high is below open or close",
        lambda c: c["high"] < np.maximum(c["open"], c["close"]),
    ),
    (
        "low_not_lowest",
        "low is above open or close",
        lambda c: c["low"] > np.minimum(c["open"], c["close"]),
    ),
    (
        "time_back",
        "the time goes back; candles must be in order",
        lambda c: np.append(False, np.diff(c["ts_open_ns"]) < 0),
    ),
)


def check_candles(table: Table) -> None:
    """Raise DataError with the first row that breaks a rule of `CANDLE_RULES`."""
    columns = table.columns
    for _, words, broken in CANDLE_RULES:
        bad = broken(columns)
        if bad.any():
            i = int(np.argmax(bad))
            facts = ", ".join(f"{name} {columns[name][i]}" for name in COLUMNS)
            raise DataError(f"{table.at(i)}: {words} ({facts})")


def without_repeats(table: Table) -> Table:
    """Return candles without those that say the same again.

    errors : DataError for two candles of one time that differ
    """
    columns = table.columns
    is_again = np.append(False, np.diff(columns["ts_open_ns"]) == 0)
    differs = is_again & np.logical_or.reduce(
        [np.append(False, columns[name][1:] != columns[name][:-1]) for name in (*PRICES, "volume")]
    )
    if differs.any():
        i = int(np.argmax(differs))
        raise DataError(f"{table.at(i)}: another candle of the time of {table.at(i - 1)}, with other values")
    return table.take(~is_again)


def interval_of(table: Table) -> int:
    """Return the time between candles that is most common, in ns; DataError when there is none."""
    steps = np.diff(table.columns["ts_open_ns"])
    steps = steps[steps > 0]
    if not len(steps):
        raise DataError(f"{table.path}: less than two times; they tell no interval")
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)])


def write_candles(path: Path, columns: Columns, venue: str, symbol: str, interval_ns: int) -> int:
    """Write candles, whole or not at all; returns the bytes. errors : UserError"""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = json.dumps({"venue": venue, "symbol": symbol, "interval_ns": interval_ns})
    numbers = {name: columns[name] for name in COLUMNS if name != "ts_open_ns"}
    arrays = {name: to_decimals(values, decimals_of(values)) for name, values in numbers.items()}
    table = pa.table({"ts_open_ns": pa.array(columns["ts_open_ns"])} | arrays)
    table = table.replace_schema_metadata({_KEY: text.encode()})
    return write_whole(
        path,
        lambda part: pq.write_table(table, part, compression="zstd", compression_level=_ZSTD_LEVEL),
    )


def read_facts(path: Path) -> tuple[str, str, int] | None:
    """Return venue, symbol and interval (ns) that a file of ours names, None when it names none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.name.endswith(CSV_SUFFIXES):
        return None
    try:
        text = (pq.read_schema(path).metadata or {}).get(_KEY)
        if text is None:
            return None
        values = json.loads(text)
        return str(values["venue"]), str(values["symbol"]), int(values["interval_ns"])
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: what the file says of its candles is unreadable ({error})") from None


def load_candles(path: Path) -> Candles:
    """Return the candles in a file, ours or of another form, checked.

    errors : DataError with the row of the first candle that is none, or not in order
    """
    table, _ = in_nanoseconds(read_candles(path))
    check_candles(table)
    table = without_repeats(table)
    venue, symbol, interval_ns = read_facts(path) or (*names_from(path), interval_of(table))
    rows = np.zeros(len(table), candle_t)
    for name in COLUMNS:
        rows[name] = table.columns[name]
    return Candles(venue, symbol, interval_ns, rows)


def names_from(path: Path) -> tuple[str, str]:
    """Return venue and symbol from a file's name, `VENUE-SYMBOL-...`."""
    stem = path.name.partition(".")[0]
    venue, _, rest = stem.partition("-")
    return venue, rest.split("-")[0] if rest else stem
