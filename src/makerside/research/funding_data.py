"""Recorded funding payments from Parquet: what a position really paid, for the simulation's `recorded` funding.

Columns: ts_ms (when it was paid), rate (fraction of the notional that longs paid for the interval that ended),
and perhaps index_price and mark_price, empty where the source has none. May import sim. Next: `backtest.py`.
"""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from makerside.model.errors import DataError
from makerside.model.instrument import Instrument
from makerside.model.units import NS_PER_MS
from makerside.sim.perp_build import make_rates

NEEDED = ("ts_ms", "rate")
PRICES = ("index_price", "mark_price")  # the first that is there is what the payment was due on
RATE_MAX = 1.0  # of the notional in one interval: more is a wrong unit, percent for example


def find_rates(place: Path, instrument: Instrument) -> Path:
    """Return the file of an instrument's payments: `place` itself, or <venue>-<symbol>.parquet in that folder.

    errors : DataError when there is none
    """
    if not place.is_dir():
        return place
    path = place / f"{instrument.venue}-{instrument.symbol}.parquet"
    if not path.is_file():
        raise DataError(f"{place}: no {path.name} in it; funding of {instrument.symbol} needs that file")
    return path


def read_rates(path: Path) -> NDArray[Any]:
    """Return recorded payments by time: (n,) funding_rate_t.

    errors : DataError with the row for a file that is unreadable, lacks a column, has an impossible rate or
             two payments of one time
    """
    columns = _columns(path)
    times, rates = columns["ts_ms"], columns["rate"]
    prices = next((columns[name] for name in PRICES if any(columns.get(name) or ())), [None] * len(times))
    payments = []
    for row, (ts_ms, rate, price) in enumerate(zip(times, rates, prices, strict=True), 1):
        if ts_ms is None or rate is None or not math.isfinite(rate) or abs(rate) > RATE_MAX:
            raise DataError(
                f"{path}: row {row}: rate {rate} at {ts_ms} ms is none; a rate is a fraction of the notional, "
                f"-{RATE_MAX:g} to {RATE_MAX:g}"
            )
        if price is not None and not price > 0:
            raise DataError(
                f"{path}: row {row}: price {price} is not above 0; leave it empty if it is not known"
            )
        payments.append((int(ts_ms) * NS_PER_MS, float(rate), None if price is None else Decimal(repr(price))))
    found = make_rates(payments)
    same = (found["ts_ns"][1:] == found["ts_ns"][:-1]).nonzero()[0]
    if len(same):
        raise DataError(
            f"{path}: two payments at {int(found['ts_ns'][same[0]]) // NS_PER_MS} ms; each is paid once"
        )
    return found


def _columns(path: Path) -> dict[str, list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        first = str(error).splitlines()[0][:200]
        raise DataError(f"{path}: not a readable Parquet file of funding payments ({first})") from None
    missing = [name for name in NEEDED if name not in table.column_names]
    if missing:
        raise DataError(
            f"{path}: column {missing[0]} is missing; funding payments have {', '.join(NEEDED)} and perhaps "
            f"{' or '.join(PRICES)}"
        )
    if table.num_rows == 0:
        raise DataError(f"{path}: the file has no rows")
    return {name: table[name].to_pylist() for name in (*NEEDED, *PRICES) if name in table.column_names}
