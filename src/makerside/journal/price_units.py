"""Prices that change their unit inside a file (cents after dollars, ticks after prices) are told from markets
that move: no market moves by such a factor between two rows.

May import model only. Next: `recording_file.py`.
"""

import numpy as np
from numpy.typing import NDArray

from makerside.journal.recording_file import KIND_BBO, KIND_TRADE, Table
from makerside.model.errors import DataError

FACTOR_MAX = 5.0  # from one trade or best price to the next; a unit is off by 10 at least
CANDLE_FACTOR_MAX = 9.0  # from one close to the next: new markets may have wild first hours
_BLOCK_ROWS = 1_000  # of a book: far levels stand at any price, the middle of many does not


def check_price_units(table: Table) -> None:
    """Raise DataError with the first row of a recording whose price is of another unit than those before."""
    columns = table.columns
    near = np.flatnonzero(np.isin(columns["kind"], (KIND_TRADE, KIND_BBO)) & (columns["price"] > 0))
    if len(near) > 1:
        _check_steps(table, near, columns["price"][near], FACTOR_MAX)
    rows = np.flatnonzero(~np.isin(columns["kind"], (KIND_TRADE, KIND_BBO)) & (columns["price"] > 0))
    if len(rows):
        _check_blocks(table, rows)
    if len(near) and len(rows):
        _check_feeds(table, near, rows)


def check_candle_units(table: Table) -> None:
    """Raise DataError with the first candle whose close is of another unit than the one before."""
    closes = table.columns["close"]
    _check_steps(table, np.arange(len(closes)), closes, CANDLE_FACTOR_MAX)


def _check_steps(table: Table, rows: NDArray[np.int64], prices: NDArray[np.float64], factor: float) -> None:
    logs = np.log(prices)
    far = np.abs(np.diff(logs)) > np.log(factor)
    if far.any():
        i = int(np.argmax(far)) + 1
        raise _other_unit(table, int(rows[i]), prices[i], prices[i - 1])


def _check_blocks(table: Table, rows: NDArray[np.int64]) -> None:
    prices = table.columns["price"][rows]
    starts = range(0, len(rows), _BLOCK_ROWS)
    middles = np.array([np.median(prices[start : start + _BLOCK_ROWS]) for start in starts])
    # The last block may be a handful of far levels.
    far = np.abs(np.diff(np.log(middles[: len(rows) // _BLOCK_ROWS]))) > np.log(FACTOR_MAX)
    if far.any():
        block = int(np.argmax(far))
        before, after = float(middles[block]), float(middles[block + 1])
        # The first row from which on most are nearer to the new middle than to the old one.
        begin, end = block * _BLOCK_ROWS, (block + 2) * _BLOCK_ROWS
        is_new = np.abs(np.log(prices[begin:end] / after)) < np.abs(np.log(prices[begin:end] / before))
        i = begin + int(np.argmin(np.cumsum(np.where(is_new, 1, -1)))) + 1
        raise _other_unit(table, int(rows[i]), prices[i], before)


def _check_feeds(table: Table, near: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
    prices = table.columns["price"]
    trades, book = float(np.median(prices[near])), float(np.median(prices[rows]))
    if abs(np.log(trades / book)) > np.log(FACTOR_MAX):
        raise DataError(
            f"{table.at(int(near[0]))}: trades and best prices are around {trades:g}, "
            f"the levels of the book around {book:g}: other units"
        )


def _other_unit(table: Table, row: int, price: float, before: float) -> DataError:
    times = max(price / before, before / price)
    return DataError(
        f"{table.at(row)}: price {price:g} after prices of {before:g}, {times:,.4g} times as "
        f"{'much' if price > before else 'little'}: mixed units"
    )
