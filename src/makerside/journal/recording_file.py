"""The file of a recording: what its columns are, reading and checking them, writing one whole or not at all.

A Parquet file, one row per price level or event, in arrival order: ts_exchange_ns, ts_local_ns (int64),
kind (1 update, 2 snapshot, 3 trade, 4 best price), side (+1, -1, 0 unknown), price, size (float64), msg
(rows of one number came in one message). An imported file also names its instrument in the metadata.

May import model only. Next: `recording.py`.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.errors import ConfigError, DataError, UserError
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
KIND_DELTA, KIND_SNAPSHOT, KIND_TRADE, KIND_BBO = 1, 2, 3, 4
KINDS = (KIND_DELTA, KIND_SNAPSHOT, KIND_TRADE, KIND_BBO)

# Times are told apart by size: a second, millisecond, ... of these years fits no other unit.
_YEARS_S = (1_230_768_000, 4_102_444_800)  # 2009 to 2100
UNITS_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
NO_UNIT = -1

_INSTRUMENT_KEY = b"makerside.instrument"
# A day of BTC L2 has 10^6 to 10^8 rows: times and message numbers shrink to small differences, prices and
# sizes repeat. Beyond level 6 writing gets several times slower for a few percent.
_ZSTD_LEVEL = 6
_DIFFERENCES = ("ts_exchange_ns", "ts_local_ns", "msg")

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a recording, and where their rows stand in the file that they came from.

    numbers : (n,) row (or line) numbers in the file;  word : "row" or "line"
    n_left_out : rows that `take` left out
    """

    path: Path
    columns: Columns
    numbers: NDArray[np.int64]
    word: str = "row"
    n_left_out: int = 0

    def __len__(self) -> int:
        return len(self.numbers)

    def at(self, i: int) -> str:
        """Return the place of row i for a message: "FILE: row 17"."""
        return f"{self.path}: {self.word} {self.numbers[i]}"

    def take(self, keep: NDArray[np.bool_]) -> "Table":
        """Return the rows that are to be kept."""
        columns = {name: values[keep] for name, values in self.columns.items()}
        return Table(self.path, columns, self.numbers[keep], self.word, int((~keep).sum()))


@dataclass(frozen=True, slots=True)
class NamedInstrument:
    """What a file says of its instrument. is_found : its grid was inferred from prices and sizes"""

    instrument: Instrument
    is_found: bool


def read_table(path: Path) -> Table:
    """Return the columns of a file as they are; DataError when it is damaged, empty or has other columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _read_schema(path)
    missing = [name for name in COLUMNS if name not in schema.names]
    if missing:
        raise DataError(f"{path}: column {missing[0]} is missing; a recording has {', '.join(COLUMNS)}")
    for name, kind in COLUMNS.items():
        if str(schema.field(name).type) != kind:
            raise DataError(f"{path}: column {name} is {schema.field(name).type}; it must be {kind}")
    try:
        table = pq.read_table(path, columns=list(COLUMNS))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: the file is damaged ({first_line(error)})") from None
    if table.num_rows == 0:
        raise DataError(f"{path}: the file has no rows")
    for name in COLUMNS:
        if table.column(name).null_count:
            raise DataError(f"{path}: column {name} has empty values; every row needs all columns")
    columns = {name: table.column(name).to_numpy() for name in COLUMNS}
    return Table(path, columns, np.arange(table.num_rows, dtype=np.int64))


def read_instrument(path: Path) -> NamedInstrument | None:
    """Return the instrument that a file names, None when it names none; DataError when it is unreadable."""
    text = (_read_schema(path).metadata or {}).get(_INSTRUMENT_KEY)
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


def first_line(error: Exception) -> str:
    """Return the first line of an error's text: libraries append pages."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def write_table(path: Path, columns: Columns, named: NamedInstrument) -> int:
    """Write a recording; returns its bytes. The file is there whole, or as it was before.

    errors : UserError when it cannot be written
    """
    import pyarrow as pa

    # Of this process alone: two imports into one folder do not meet. Same folder: a rename stays one step.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write(part, columns, named)
            n_bytes = part.stat().st_size
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise UserError(f"{path}: cannot be written ({reason})") from None
    return n_bytes


def _write(path: Path, columns: Columns, named: NamedInstrument) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = json.dumps(named.instrument.as_dict() | {"is_found": named.is_found})
    arrays = {
        name: pa.array(columns[name].astype(NUMPY_TYPES[kind], copy=False)) for name, kind in COLUMNS.items()
    }
    pq.write_table(
        pa.table(arrays).replace_schema_metadata({_INSTRUMENT_KEY: text.encode()}),
        path,
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        use_dictionary=[name for name in COLUMNS if name not in _DIFFERENCES],
        column_encoding=dict.fromkeys(_DIFFERENCES, "DELTA_BINARY_PACKED"),
    )


# What a value may be: name, words for people, and the rows that break it.
Rule = tuple[str, str, Callable[[Columns], NDArray[np.bool_]]]
VALUE_RULES: tuple[Rule, ...] = (
    ("unknown_kind", "kind is not 1, 2, 3 or 4", lambda c: ~np.isin(c["kind"], KINDS)),
    ("unknown_side", "side is not +1, -1 or 0", lambda c: ~np.isin(c["side"], (-1, 0, 1))),
    (
        "book_row_without_side",
        "side 0 is allowed for trades only",
        lambda c: (c["side"] == 0) & (c["kind"] != KIND_TRADE),
    ),
    (
        "bad_price",
        "price is not a positive number",
        # An empty side of a best price has none.
        lambda c: (
            ~np.isfinite(c["price"]) | ((c["price"] <= 0) & ~((c["kind"] == KIND_BBO) & (c["size"] == 0)))
        ),
    ),
    (
        "bad_size",
        "size is not a number of at least 0",
        lambda c: ~np.isfinite(c["size"]) | (c["size"] < 0),
    ),
    ("trade_of_nothing", "a trade has no size", lambda c: (c["kind"] == KIND_TRADE) & (c["size"] <= 0)),
    (
        "local_time_back",
        "ts_local_ns goes back; rows must be in order of arrival",
        lambda c: np.append(False, c["ts_local_ns"][1:] < c["ts_local_ns"][:-1]),
    ),
)


def check_values(table: Table) -> None:
    """Raise DataError with the first row that breaks a rule of `VALUE_RULES`."""
    columns = table.columns
    for _, words, broken in VALUE_RULES:
        bad = broken(columns)
        if bad.any():
            i = int(np.argmax(bad))
            facts = ", ".join(f"{name} {columns[name][i]}" for name in ("kind", "price", "size"))
            raise DataError(f"{table.at(i)}: {words} ({facts})")
    if not (columns["price"] > 0).any():
        raise DataError(f"{table.path}: no row has a price; money cannot be turned into lots")


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
    return Table(table.path, scaled, table.numbers, table.word), names[first]
