"""Writing the file of a recording: Parquet, numbers as the decimals that they were, whole or not at all.

May import model only. Next: `recording_file.py`, `whole_file.py`.
"""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.recording_file import (
    COLUMNS,
    DECIMAL_DIGITS,
    INSTRUMENT_KEY,
    NUMPY_TYPES,
    Columns,
    NamedInstrument,
)
from makerside.journal.whole_file import write_whole

# A day of BTC L2 has 10^6 to 10^8 rows: times and message numbers shrink to small differences, prices and
# sizes to few ranks of bytes. Beyond level 6 writing gets several times slower for a few percent.
_ZSTD_LEVEL = 6
_PAGE_BYTES = 4 << 20
_GROUP_ROWS = 1 << 20
_SAMPLE_ROWS = 1_000
_DECIMALS_MAX = 12  # finer numbers are no decimals of a venue
_DIFFERENCES = ("ts_exchange_ns", "ts_local_ns", "msg")

Progress = Callable[[int, int], None]  # (rows done, rows in all)


def write_table(
    path: Path, columns: Columns, named: NamedInstrument, on_progress: Progress | None = None
) -> int:
    """Write a recording; returns its bytes. The file is there whole, or as it was before.

    errors : UserError when it cannot be written
    """
    return write_whole(path, lambda part: _write(part, columns, named, on_progress))


def _write(path: Path, columns: Columns, named: NamedInstrument, on_progress: Progress | None) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = json.dumps(named.instrument.as_dict() | {"is_found": named.is_found})
    decimals = {name: decimals_of(columns[name]) for name, kind in COLUMNS.items() if kind == "double"}
    split = [name for name, number in decimals.items() if number is not None]
    fields = [(name, _arrow_type(name, decimals.get(name))) for name in COLUMNS]
    schema = pa.schema(fields, {INSTRUMENT_KEY: text.encode()})
    total = len(columns["msg"])
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        use_dictionary=[name for name in COLUMNS if name not in (*_DIFFERENCES, *split)],
        column_encoding=dict.fromkeys(_DIFFERENCES, "DELTA_BINARY_PACKED")
        | dict.fromkeys(split, "BYTE_STREAM_SPLIT"),
        store_decimal_as_integer=True,
        data_page_size=_PAGE_BYTES,
    ) as writer:
        for begin, end in _pieces(total):
            arrays = [_to_arrow(columns[name][begin:end], name, decimals.get(name)) for name in COLUMNS]
            writer.write_table(pa.table(arrays, schema=schema))
            if on_progress is not None:
                on_progress(end, total)


def _pieces(n_rows: int) -> Iterator[tuple[int, int]]:
    return pairwise([*range(0, n_rows, _GROUP_ROWS), n_rows])


def _arrow_type(name: str, decimals: int | None) -> Any:
    import pyarrow as pa

    kinds = {"int64": pa.int64(), "int32": pa.int32(), "int8": pa.int8(), "double": pa.float64()}
    return kinds[COLUMNS[name]] if decimals is None else pa.decimal128(DECIMAL_DIGITS, decimals)


def _to_arrow(values: NDArray[Any], name: str, decimals: int | None) -> Any:
    import pyarrow as pa

    if decimals is None:
        return pa.array(values.astype(NUMPY_TYPES[COLUMNS[name]], copy=False))
    return to_decimals(values, decimals)


def to_decimals(values: NDArray[np.float64], decimals: int | None) -> Any:
    """Return an Arrow array of decimals that read back as these floats; of floats when decimals is None.

    decimals : as `decimals_of` found them
    """
    import pyarrow as pa

    if decimals is None:
        return pa.array(values)
    words = np.zeros((len(values), 2), np.int64)
    words[:, 0] = np.rint(values * 10.0**decimals)
    words[:, 1] = np.where(words[:, 0] < 0, -1, 0)
    kind = pa.decimal128(DECIMAL_DIGITS, decimals)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(words)])


def decimals_of(values: NDArray[np.float64]) -> int | None:
    """Return how many decimals floats have, all being the floats nearest to such; None when it is no number."""
    for decimals in range(_DECIMALS_MAX + 1):
        # Most are told from few rows.
        if _are_decimals(values[:_SAMPLE_ROWS], decimals) and all(
            _are_decimals(values[begin:end], decimals) for begin, end in _pieces(len(values))
        ):
            return decimals
    return None


def _are_decimals(values: NDArray[np.float64], decimals: int) -> bool:
    steps = np.rint(values * 10.0**decimals)
    return bool((np.abs(steps) < 1 << 53).all() and (steps / 10.0**decimals == values).all())
