"""The file of a recording: what its columns are, reading and checking them.

A Parquet file, one row per price level or event, in arrival order: ts_exchange_ns, ts_local_ns (int64),
kind (1 update, 2 snapshot, 3 trade, 4 best price, 5 interruption of the feed), side (+1, -1, 0 unknown),
price, size (float64, or decimals of up to 18 digits), msg (rows of one number came in one message). What we
write has decimals, exactly those of the source, and names its instrument in the metadata.

May import model only. Next: `recording_write.py`, `recording.py`.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.whole_file import first_line
from makerside.model.errors import ConfigError, DataError
from makerside.model.instrument import Instrument

COLUMNS = {
    "ts_exchange_ns": "int64",
    "ts_local_ns": "int64",
    "kind": "int8",
    "side": "int8",
    "price": "double",
    "size": "double",
    "msg": "int32",
}
NUMPY_TYPES = {"int64": "i8", "int8": "i1", "int32": "i4", "double": "f8"}
TIMES = ("ts_exchange_ns", "ts_local_ns")
KIND_DELTA, KIND_SNAPSHOT, KIND_TRADE, KIND_BBO, KIND_GAP = 1, 2, 3, 4, 5
KINDS = (KIND_DELTA, KIND_SNAPSHOT, KIND_TRADE, KIND_BBO, KIND_GAP)
BOOK_KINDS = (KIND_DELTA, KIND_SNAPSHOT, KIND_BBO)

# Times are told apart by size: a second, millisecond, ... of these years fits no other unit.
_YEARS_S = (1_230_768_000, 4_102_444_800)  # 2009 to 2100
UNITS_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
NO_UNIT = -1

INSTRUMENT_KEY = b"makerside.instrument"
BLOCK_ROWS = 1 << 18  # of a file that is read piece by piece: more is no faster
DECIMAL_DIGITS = 18  # of a decimal that is stored in eight bytes

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a recording, and where their rows stand in the file that they came from.

    numbers : (n,) row (or line) numbers in the file;  word : "row" or "line"
    n_left_out : rows that `take` left out
    paths, file_of : of rows that came from several files, which are these, and (n,) which each row's is
    """

    path: Path
    columns: Columns
    numbers: NDArray[np.int64]
    word: str = "row"
    n_left_out: int = 0
    paths: tuple[Path, ...] = ()
    file_of: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def at(self, i: int) -> str:
        """Return the place of row i for a message: "FILE: row 17"."""
        path = self.path if self.file_of is None else self.paths[self.file_of[i]]
        return f"{path}: {self.word} {self.numbers[i]}"

    def take(self, keep: NDArray[Any] | slice) -> "Table":
        """Return some rows. keep : a mask, a slice, or places in the order that is wanted"""
        columns = {name: values[keep] for name, values in self.columns.items()}
        file_of = None if self.file_of is None else self.file_of[keep]
        numbers = self.numbers[keep]
        left_out = len(self) - len(numbers)
        return replace(self, columns=columns, numbers=numbers, n_left_out=left_out, file_of=file_of)


@dataclass(frozen=True, slots=True)
class NamedInstrument:
    """What a file says of its instrument. is_found : its grid was inferred from prices and sizes"""

    instrument: Instrument
    is_found: bool


def read_table(path: Path) -> Table:
    """Return the columns of a file as they are; DataError when it is damaged, empty or has other columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    _check_columns(path)
    try:
        with pq.ParquetFile(path) as file:
            n, done = file.metadata.num_rows, 0
            columns: Columns = {name: np.empty(n, NUMPY_TYPES[kind]) for name, kind in COLUMNS.items()}
            # Into place piece by piece: Arrow's copy of everything beside ours would double the memory.
            for batch in file.iter_batches(BLOCK_ROWS, columns=list(COLUMNS)):
                block = _table_of(path, pa.Table.from_batches([batch]), done)
                for name, values in block.columns.items():
                    columns[name][done : done + len(block)] = values
                done += len(block)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: the file is damaged ({first_line(error)})") from None
    if n == 0:
        raise DataError(f"{path}: the file has no rows")
    if done != n:
        raise DataError(f"{path}: the file is damaged ({done} rows are there, {n} are counted)")
    return Table(path, columns, np.arange(n, dtype=np.int64))


def read_blocks(path: Path, block_rows: int = BLOCK_ROWS) -> Iterator[Table]:
    """Yield the columns of a file piece by piece, each of whole messages; errors as `read_table`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    _check_columns(path)
    rest, first = None, 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(block_rows, columns=list(COLUMNS)):
                part = pa.Table.from_batches([batch])
                part = part if rest is None else pa.concat_tables([rest, part])
                msg = part.column("msg").to_numpy()
                whole = int(np.flatnonzero(msg != msg[-1])[-1]) + 1 if (msg != msg[-1]).any() else 0
                if whole:
                    yield _table_of(path, part.slice(0, whole), first)
                first, rest = first + whole, part.slice(whole)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: the file is damaged ({first_line(error)})") from None
    if rest is None:
        raise DataError(f"{path}: the file has no rows")
    yield _table_of(path, rest, first)


def count_rows(path: Path) -> int:
    """Return the number of rows that a file claims to have; DataError when it is unreadable."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    _read_schema(path)
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: the file is damaged ({first_line(error)})") from None


def _check_columns(path: Path) -> None:
    schema = _read_schema(path)
    if {"open", "high", "low", "close"} <= set(schema.names):
        raise DataError(f"{path}: holds candles; they tell no order book, and none is made up from them")
    missing = [name for name in COLUMNS if name not in schema.names]
    if missing:
        raise DataError(f"{path}: column {missing[0]} is missing; a recording has {', '.join(COLUMNS)}")
    for name, kind in COLUMNS.items():
        found = schema.field(name).type
        if str(found) != kind and not (kind == "double" and is_small_decimal(found)):
            more = f" or a decimal of at most {DECIMAL_DIGITS} digits" if kind == "double" else ""
            raise DataError(f"{path}: column {name} is {found}; it must be {kind}{more}")


def is_small_decimal(kind: Any) -> bool:
    """Return whether an Arrow type is a decimal that fits into eight bytes."""
    import pyarrow as pa

    return bool(pa.types.is_decimal(kind) and kind.precision <= DECIMAL_DIGITS and kind.scale >= 0)


def _table_of(path: Path, table: Any, first: int) -> Table:
    for name in COLUMNS:
        if table.column(name).null_count:
            raise DataError(f"{path}: column {name} has empty values; every row needs all columns")
    columns = {name: to_numpy(table.column(name)) for name in COLUMNS}
    return Table(path, columns, np.arange(first, first + table.num_rows, dtype=np.int64))


def to_numpy(column: Any) -> NDArray[Any]:
    """Return a column; decimals as the floats nearest to them: both operands of the division are exact."""
    import pyarrow as pa

    if not pa.types.is_decimal(column.type):
        values: NDArray[Any] = column.to_numpy()
        return values
    scale = column.type.scale
    chunk = column.cast(pa.decimal128(DECIMAL_DIGITS, scale)).combine_chunks()
    words = np.frombuffer(chunk.buffers()[1], np.int64)[2 * chunk.offset : 2 * (chunk.offset + len(chunk))]
    floats: NDArray[np.float64] = words[::2] / 10.0**scale
    return floats


def read_instrument(path: Path) -> NamedInstrument | None:
    """Return the instrument that a file names, None when it names none; DataError when it is unreadable."""
    text = (_read_schema(path).metadata or {}).get(INSTRUMENT_KEY)
    if text is None:
        return None
    try:
        values = json.loads(text)
        is_found = bool(values.pop("is_found"))
        return NamedInstrument(Instrument.from_dict(values), is_found)
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, ConfigError) as error:
        raise DataError(f"{path}: the instrument in the file's metadata is unreadable ({error})") from None


def _read_schema(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        raise DataError(
            f"{path}: there is no such file; a recording is a Parquet file with {', '.join(COLUMNS)}"
        )
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: not a readable Parquet file ({first_line(error)})") from None


def _needs_no_price(columns: Columns) -> NDArray[np.bool_]:
    """Return which rows tell of an empty side, an empty book or an interruption."""
    is_empty = np.isin(columns["kind"], (KIND_BBO, KIND_SNAPSHOT)) & (columns["size"] == 0)
    none: NDArray[np.bool_] = is_empty | (columns["kind"] == KIND_GAP)
    return none


_TIME_BACK = "ts_local_ns goes back; rows must be in order of arrival"

# What a value may be: name, words for people, and the rows that break it.
Rule = tuple[str, str, Callable[[Columns], NDArray[np.bool_]]]
VALUE_RULES: tuple[Rule, ...] = (
    ("unknown_kind", "kind is not 1 to 5", lambda c: ~np.isin(c["kind"], KINDS)),
    ("unknown_side", "side is not +1, -1 or 0", lambda c: ~np.isin(c["side"], (-1, 0, 1))),
    (
        "book_row_without_side",
        "side 0 is allowed for trades only",
        lambda c: (c["side"] == 0) & np.isin(c["kind"], BOOK_KINDS),
    ),
    (
        "bad_price",
        "price is not a positive number",
        lambda c: ~np.isfinite(c["price"]) | ((c["price"] <= 0) & ~_needs_no_price(c)),
    ),
    (
        "bad_size",
        "size is not a number of at least 0",
        lambda c: ~np.isfinite(c["size"]) | (c["size"] < 0),
    ),
    ("trade_of_nothing", "a trade has no size", lambda c: (c["kind"] == KIND_TRADE) & (c["size"] <= 0)),
    (
        "local_time_back",
        _TIME_BACK,
        lambda c: np.append(False, c["ts_local_ns"][1:] < c["ts_local_ns"][:-1]),
    ),
)


def check_values(table: Table) -> None:
    """Raise DataError with the first row that breaks a rule of `VALUE_RULES`."""
    for _ in checked(blocks_of(table)):
        pass


def blocks_of(table: Table, block_rows: int = BLOCK_ROWS) -> Iterator[Table]:
    """Yield a table piece by piece, without copying; messages may be cut."""
    for begin in range(0, len(table), block_rows):
        yield table.take(slice(begin, begin + block_rows))


def checked(blocks: Iterable[Table]) -> Iterator[Table]:
    """Yield the blocks of a file after a look at each; DataError with the first row that breaks a rule."""
    last_ns, has_price, path = None, False, None
    for table in blocks:
        columns, path = table.columns, table.path
        if last_ns is not None and columns["ts_local_ns"][0] < last_ns:
            raise DataError(f"{table.at(0)}: {_TIME_BACK}")
        for _, words, broken in VALUE_RULES:
            bad = broken(columns)
            if bad.any():
                i = int(np.argmax(bad))
                facts = ", ".join(f"{name} {columns[name][i]}" for name in ("kind", "price", "size"))
                raise DataError(f"{table.at(i)}: {words} ({facts})")
        last_ns = int(columns["ts_local_ns"][-1])
        has_price = has_price or bool((columns["price"] > 0).any())
        yield table
    if not has_price:
        raise DataError(f"{path}: no row has a price; money cannot be turned into lots")


def last_rows(columns: Columns) -> NDArray[np.bool_]:
    """Return which rows end a message."""
    return np.append(columns["msg"][1:] != columns["msg"][:-1], True)


def units_of(times: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return the unit of each time as its place in `UNITS_NS`, NO_UNIT for what is no time of our years."""
    units = np.full(len(times), NO_UNIT, np.int8)
    for place, unit_ns in enumerate(UNITS_NS.values()):
        steps = 10**9 // unit_ns
        units[(times >= _YEARS_S[0] * steps) & (times < _YEARS_S[1] * steps)] = place
    return units


def in_nanoseconds(table: Table) -> tuple[Table, str]:
    """Return a table whose times are nanoseconds, and the unit that they had.

    errors : DataError with the first row whose unit is not that of the others, or none at all
    """
    columns, names = table.columns, list(UNITS_NS)
    units = {name: units_of(columns[name]) for name in TIMES}
    first = int(units["ts_local_ns"][0])
    for name in TIMES:
        bad = (units[name] != first) | (units[name] == NO_UNIT)
        if bad.any():
            i = int(np.argmax(bad))
            place = int(units[name][i])
            time = f"{table.at(i)}: {name} {columns[name][i]}"
            if place == NO_UNIT:
                raise DataError(f"{time} is no time since 1970 in s, ms, us or ns")
            raise DataError(f"{time} is in {names[place]}, but {table.at(0)} has {names[first]}: mixed units")
    factor = UNITS_NS[names[first]]
    if factor == 1:
        return table, "ns"
    scaled = columns | {name: columns[name] * factor for name in TIMES}
    return replace(table, columns=scaled), names[first]
