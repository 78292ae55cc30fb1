"""Comma-separated files: their header, and their columns with the line of whatever is wrong.

Plain, or compressed (.gz, .zst). One line is one row: no value of market data spans lines.
May import model only. Next: `tardis.py`, `candles.py`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from makerside.journal.recording_file import Table
from makerside.journal.whole_file import first_line
from makerside.model.errors import DataError

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
CSV_SUFFIXES = (".csv", ".csv.gz", ".csv.zst")
_HEAD_BYTES = 1 << 16
FIRST_LINE = 1


def read_header(path: Path) -> list[str]:
    """Return the fields of the first line; DataError when the file is missing, empty or damaged."""
    import pyarrow as pa

    try:
        with pa.input_stream(str(path), compression=COMPRESSIONS.get(path.suffix)) as stream:
            line = stream.read(_HEAD_BYTES).split(b"\n")[0]
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read ({first_line(error)})") from None
    fields = [one.strip() for one in line.decode(errors="replace").strip().lstrip("\ufeff").split(",")]
    if not any(fields):
        raise DataError(f"{path}: the file is empty")
    return fields


def read_columns(path: Path, types: dict[str, Any], names: list[str] | None = None) -> Table:
    """Return columns of a file, each an Arrow array.

    types  : column -> Arrow type, None where it is to be found
    names  : of all columns, when the file has no header
    errors : DataError with the line where the file is not of this form
    """
    import pyarrow as pa
    from pyarrow import csv

    try:
        with pa.input_stream(str(path), compression=COMPRESSIONS.get(path.suffix)) as stream:
            table = csv.read_csv(
                stream,
                # One thread: only then does an error know its line.
                csv.ReadOptions(use_threads=False, column_names=names),
                csv.ParseOptions(ignore_empty_lines=False, newlines_in_values=False),
                csv.ConvertOptions(
                    column_types={name: kind for name, kind in types.items() if kind is not None},
                    include_columns=list(types),
                    strings_can_be_null=True,
                ),
            )
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (OSError, pa.ArrowException, KeyError) as error:
        # Arrow counts from 1 with the header: its rows are lines.
        text = first_line(error).replace("Row #", "line ")
        raise DataError(f"{path}: cannot be read as CSV ({text})") from None
    begin = FIRST_LINE + (names is None)
    if table.num_rows == 0:
        raise DataError(f"{path}: the file has no rows")
    for name in types:
        if table.column(name).null_count:
            row = int(np.argmax(table.column(name).is_null().to_numpy()))
            raise DataError(f"{path}: line {begin + row}: {name} is empty")
    columns = {name: table.column(name) for name in types}
    return Table(path, columns, np.arange(begin, begin + table.num_rows, dtype=np.int64), word="line")
