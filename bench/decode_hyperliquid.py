"""Time from the bytes of a Hyperliquid frame to event rows in the buffer.

    python bench/decode_hyperliquid.py [rounds]

Checks first that the rows hold the frame's numbers. Books are a seeded series in which some levels
change from frame to frame, as a live book does; "unseen texts" empties the number cache before each
frame, the worst case. Medians over the rounds.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date

import numpy as np

from makerside.model.event import event_t
from makerside.model.instrument import Instrument
from makerside.venues.hyperliquid import render
from makerside.venues.hyperliquid import wire_frames as frames
from makerside.venues.hyperliquid.codec import to_json
from makerside.venues.hyperliquid.meta import Universe
from makerside.venues.hyperliquid.rows import BUFFER_BYTES_MIN
from makerside.venues.hyperliquid.rules import rules_at
from makerside.venues.hyperliquid.session import Session
from makerside.venues.hyperliquid.wire_market import Meta, PerpAsset

SEED = 7
FRAMES = 500
NOW_NS = 1_758_800_001_000_000_000
T = 1_758_800_000_123
USER = "0x" + "5e" * 20
META = Meta(universe=(PerpAsset(sz_decimals=5, name="BTC", max_leverage=40),))
Levels = list[tuple[int, int]]


def seeded() -> random.Random:
    """Return numbers that are the same in every run."""
    return random.Random(SEED)  # noqa: S311 - a benchmark's sizes protect nothing


def book_frames(instrument: Instrument, depth: int) -> tuple[list[bytes], list[Levels]]:
    """Return frames of a book that changes a fifth of its sizes each time, and their numbers."""
    rng = seeded()
    bids = [[837_570 - 10 * i, rng.randrange(1, 10**6)] for i in range(depth)]
    asks = [[837_580 + 10 * i, rng.randrange(1, 10**6)] for i in range(depth)]
    found, numbers = [], []
    for i in range(FRAMES):
        for level in rng.sample(bids + asks, max(1, depth * 2 // 5)):
            level[1] = rng.randrange(1, 10**6)
        sides = [(p, s) for p, s in bids], [(p, s) for p, s in asks]
        found.append(to_json(render.book_frame(instrument, T + i, *sides, is_fast=True)))
        numbers.append(sides[0] + sides[1])
    return found, numbers


def other_frames(instrument: Instrument) -> dict[str, list[bytes]]:
    """Return frames of the other channels, by name."""
    rng = seeded()
    sizes = [rng.randrange(1, 10**6) for _ in range(FRAMES)]
    cloid = "0x6d616b657273" + "0" * 20
    order = render.open_order(instrument, True, 837_570, 120, 120, 191, T, cloid)
    told = render.fill(instrument, T, True, 837_570, 120, 0, 0, 191, 17, False, 1_507_600, cloid)
    users = ("0x" + "0" * 40, "0x" + "1" * 40)
    return {
        "bbo": [to_json(render.bbo_frame(instrument, T, (837_570, s), (837_580, 7))) for s in sizes],
        "one trade": [
            to_json(frames.TradesFrame((render.trade(instrument, T, True, 837_580, s, 17, users),)))
            for s in sizes
        ],
        "one order update": [to_json(frames.OrderUpdatesFrame((render.order_update(order, "open", T),)))]
        * FRAMES,
        "one fill": [to_json(frames.UserFillsFrame(frames.UserFills(USER, (told,))))] * FRAMES,
    }


def per_frame_us(run: Callable[[bytes], object], data: Sequence[bytes], rounds: int) -> float:
    """Return the median over the rounds of microseconds per frame."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for frame in data:
            run(frame)
        times.append((time.perf_counter() - begin) / len(data) * 1e6)
    return statistics.median(times)


def main() -> None:
    """Check, measure, print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    instrument = Universe.from_meta(META, rules_at(date(2026, 10, 1))).instrument("BTC")
    session = Session(Universe.from_meta(META, rules_at(date(2026, 10, 1))), [instrument], USER)
    buffer = memoryview(bytearray(BUFFER_BYTES_MIN))

    def run(frame: bytes) -> int:
        return session.on_frame(frame, NOW_NS, buffer)

    def unseen(frame: bytes) -> int:
        for followed in session._followed:
            followed.lots.clear()
            followed.ticks.clear()
        return session.on_frame(frame, NOW_NS, buffer)

    for depth in (5, 10, 20):
        data, numbers = book_frames(instrument, depth)
        for frame, expected in zip(data, numbers, strict=True):
            rows = np.frombuffer(buffer, event_t, run(frame))
            if list(zip(rows["price_ticks"].tolist(), rows["size_lots"].tolist(), strict=True)) != expected:
                raise SystemExit("the rows do not hold the frame's numbers")
        plain = per_frame_us(frames.decode_frame, data, rounds)
        warm, cold = per_frame_us(run, data, rounds), per_frame_us(unseen, data, rounds)
        print(
            f"l2Book {depth:2d} levels a side, {len(data[0])} B: JSON to structs {plain:5.2f} us, "
            f"to rows {warm:5.2f} us, unseen texts {cold:5.2f} us"
        )
    for name, data in other_frames(instrument).items():
        print(f"{name}, {len(data[0])} B: to rows {per_frame_us(run, data, rounds):5.2f} us")
    if session.statistics().n_malformed:
        raise SystemExit("a frame was not read")


if __name__ == "__main__":
    main()
