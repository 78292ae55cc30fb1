"""Raw wire messages of Hyperliquid become the columns of a recording, through the codec of the client.

A file of JSON lines (plain, or compressed with zstd or gzip), one message each: recv_ns, dir ("in" for
what the venue sent over the socket; others are skipped), raw (the text). It is read twice: for the
decimals of prices and sizes, then for the rows. What `Session` does to a live feed happens here as well:
prints of long before, which a venue repeats on subscribing, are left out and counted.

May import venues and journal. Next: `data_import.py`.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.recording import to_floats
from makerside.journal.recording_file import KINDS, Table
from makerside.journal.whole_file import first_line
from makerside.model.errors import ConfigError, DataError
from makerside.model.event import Flag, Kind, event_t
from makerside.model.instrument import Instrument
from makerside.venues.hyperliquid import wire_frames as frames
from makerside.venues.hyperliquid.codec import Malformed
from makerside.venues.hyperliquid.meta import VENUE, Asset, Universe, step_of
from makerside.venues.hyperliquid.rows import BUFFER_BYTES_MIN
from makerside.venues.hyperliquid.session import Session
from makerside.venues.hyperliquid.wire_market import Bbo, Book, Level, Trade

COMPRESSIONS = {".zst": "zstd", ".gz": "gzip"}
_BLOCK_BYTES = 1 << 16  # small, so that a damaged file tells where
_EXCERPT = 60  # characters of a message that an error shows
_FILE_KINDS = {Kind.DELTA: 1, Kind.SNAPSHOT: 2, Kind.TRADE: 3, Kind.BBO: 4, Kind.GAP: 5}
assert set(_FILE_KINDS.values()) == set(KINDS)


def read_wire(path: Path, symbol: str | None = None) -> tuple[Table, str, dict[str, int]]:
    """Return the rows of one coin as columns, the coin, and counts of what was left out.

    symbol : needed when the file has several coins
    errors : DataError with the line of what is damaged or no message of this venue
    """
    decimals = _decimals(path)
    if not decimals:
        raise DataError(f"{path}: no book, best price or trade of {VENUE} in it")
    if symbol is None and len(decimals) > 1:
        raise DataError(f"{path}: the file has {', '.join(sorted(decimals))}; choose one with --symbol")
    chosen = symbol or next(iter(decimals))
    if chosen not in decimals:
        raise DataError(f"{path}: no {chosen} in it; the file has {', '.join(sorted(decimals))}")
    price_decimals, size_decimals = decimals[chosen]
    try:
        # The finest grid that the texts need: rows are exact whatever grid is chosen for the file.
        instrument = Instrument(VENUE, chosen, step_of(price_decimals), step_of(size_decimals))
    except ConfigError as error:
        raise DataError(f"{path}: {error}") from None
    events, numbers, notes = _events(path, instrument)
    return _table(path, events, numbers, instrument), chosen, notes


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file; DataError when it is damaged, with the line that was reached."""
    import pyarrow as pa

    number = 0
    try:
        with pa.input_stream(str(path), compression=COMPRESSIONS.get(path.suffix)) as stream:
            rest = b""
            while block := stream.read(_BLOCK_BYTES):
                *whole, rest = (rest + block).split(b"\n")
                for line in whole:
                    number += 1
                    yield line
            if rest:
                yield rest
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{path}: the file is damaged at or after line {number + 1} ({first_line(error)})"
        ) from None


def _messages(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (line number from 1, receive time, text) of what came over the socket."""
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        place = f"{path}: line {number}"
        try:
            record = json.loads(line)
        except ValueError:
            excerpt = line[:_EXCERPT].decode(errors="replace")
            raise DataError(f"{place}: not a JSON object: {excerpt!r}") from None
        if not isinstance(record, dict) or not isinstance(record.get("raw"), str):
            raise DataError(f"{place}: not a record of recv_ns, dir and raw (text)")
        if record.get("dir") != "in":
            continue
        received = record.get("recv_ns")
        if not isinstance(received, int) or isinstance(received, bool):
            raise DataError(f"{place}: recv_ns is {received!r}; without receive times there is no recording")
        yield number, received, record["raw"].encode()


def _decimals(path: Path) -> dict[str, tuple[int, int]]:
    """Return the most decimals of the prices and of the sizes, by coin."""
    found: dict[str, tuple[int, int]] = {}
    for number, _, raw in _messages(path):
        try:
            frame = frames.decode_frame(raw)
        except Malformed as error:
            raise DataError(f"{path}: line {number}: no message of {VENUE} ({error})") from None
        for coin, levels in _levels(frame):
            prices, sizes = found.get(coin, (0, 0))
            for level in levels:
                prices = max(prices, _n_decimals(level.price))
                sizes = max(sizes, _n_decimals(level.size))
            found[coin] = (prices, sizes)
    return found


def _levels(frame: Any) -> Iterator[tuple[str, Iterable[Level | Trade]]]:
    if isinstance(frame, frames.BookFrame):
        book: Book = frame.data
        yield book.coin, [*book.levels[0], *book.levels[1]]
    elif isinstance(frame, frames.BboFrame):
        best: Bbo = frame.data
        yield best.coin, [level for level in best.bbo if level is not None]
    elif isinstance(frame, frames.TradesFrame):
        for trade in frame.data:
            yield trade.coin, [trade]


def _n_decimals(text: str) -> int:
    return len(text.partition(".")[2].rstrip("0"))


def _events(path: Path, instrument: Instrument) -> tuple[NDArray[Any], NDArray[np.int64], dict[str, int]]:
    """Return the market rows of the file and the line of each."""
    session = Session(Universe([Asset(instrument)]), [instrument])
    buffer = bytearray(BUFFER_BYTES_MIN)
    rows = np.frombuffer(buffer, event_t)
    parts, numbers = [], []
    for number, received, raw in _messages(path):
        n_rows = session.on_frame(raw, received, buffer)
        statistics = session.watch
        if statistics.n_malformed:
            raise DataError(f"{path}: line {number}: no message of {VENUE} ({statistics.errors[-1]})")
        if n_rows and rows["kind"][0] in _FILE_KINDS:
            parts.append(rows[:n_rows].copy())
            numbers.append(np.full(n_rows, number, np.int64))
    if not parts:
        raise DataError(f"{path}: no rows of {instrument.symbol}")
    notes = {"trades_of_long_before": session.watch.n_old_trades}
    left_out = {name: count for name, count in notes.items() if count}
    return np.concatenate(parts), np.concatenate(numbers), left_out


def _table(path: Path, events: NDArray[Any], numbers: NDArray[np.int64], instrument: Instrument) -> Table:
    events, numbers = _with_empty_books(events, numbers)
    is_first = np.append(True, (events["flags"][:-1] & Flag.LAST) != 0)
    kinds = np.zeros(int(max(_FILE_KINDS)) + 1, np.int8)
    kinds[list(_FILE_KINDS)] = list(_FILE_KINDS.values())
    columns = {
        "ts_exchange_ns": events["ts_venue_ns"],
        "ts_local_ns": events["ts_local_ns"],
        "kind": kinds[events["kind"]],
        "side": np.where(events["flags"] & Flag.SELL, -1, 1).astype(np.int8),
        "price": to_floats(events["price_ticks"], instrument.tick_size),
        "size": to_floats(events["size_lots"], instrument.lot_size),
        "msg": np.cumsum(is_first).astype(np.int32),
    }
    return Table(path, columns, numbers, word="line")


def _with_empty_books(
    events: NDArray[Any], numbers: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Tell an empty book as two empty best prices: a recording has no row for it otherwise."""
    is_empty = (events["kind"] == Kind.SNAPSHOT) & (events["size_lots"] == 0)
    if not is_empty.any():
        return events, numbers
    copies = np.where(is_empty, 2, 1)
    of_second = np.flatnonzero(is_empty) + np.arange(1, int(is_empty.sum()) + 1)
    events, numbers = np.repeat(events, copies), np.repeat(numbers, copies)
    for row in of_second:
        events["kind"][row - 1 : row + 1] = Kind.BBO
        events["flags"][row - 1 : row + 1] = (0, Flag.SELL | Flag.LAST)
    return events, numbers
