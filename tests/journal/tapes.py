"""Recordings and hftbacktest tapes made up for tests."""

import numpy as np

from makerside.journal import hftbacktest as hft
from makerside.journal.recording_file import COLUMNS, NUMPY_TYPES

START_NS = 1_767_225_600 * 10**9
DELTA, SNAPSHOT, TRADE, BBO = 1, 2, 3, 4
SORT = {DELTA: hft.DEPTH, SNAPSHOT: hft.SNAPSHOT, TRADE: hft.TRADE, BBO: hft.BBO}
BOTH = hft.EXCH | hft.LOCAL
SIDE_BIT = {1: hft.BUY, -1: hft.SELL, 0: 0}


def columns_from(rows):
    """Return the columns of rows (ts_exchange, ts_local, kind, side, price, size, msg)."""
    values = zip(*rows, strict=True)
    return {
        name: np.array(one, NUMPY_TYPES[kind])
        for (name, kind), one in zip(COLUMNS.items(), values, strict=True)
    }


def random_rows(n_messages, seed, step_ns=20_000_000):
    """Return rows of a sound recording: every message has a local time of its own, books never cross."""
    rng = np.random.default_rng(seed)
    rows, mid = [], 60_000.0
    for msg in range(n_messages):
        local = START_NS + (msg + 1) * step_ns + int(rng.integers(0, step_ns // 2))
        venue = START_NS + (msg + 1) * step_ns - 3_000_000
        mid += 0.5 * int(rng.integers(-1, 2))
        kind = SNAPSHOT if msg % 50 == 0 else int(rng.choice([DELTA, TRADE, BBO]))
        size = 0.001 * int(rng.integers(1, 500))
        if kind == TRADE:
            for _ in range(int(rng.integers(1, 3))):
                rows.append((venue, local, kind, int(rng.choice([-1, 1])), mid, size, msg))
            continue
        if kind == SNAPSHOT:
            offsets = [(side, 0.5 * level) for side in (1, -1) for level in range(1, 6)]
        elif kind == BBO:
            offsets = [(1, 0.5), (-1, 0.5)]
        else:
            offsets = [(int(rng.choice([-1, 1])), 500.0 + 0.5 * int(rng.integers(0, 40)))]
            size = float(rng.choice([0.0, size]))
        rows += [(venue, local, kind, side, mid - side * offset, size, msg) for side, offset in offsets]
    return rows


def to_tape(columns):
    """Return the events of hftbacktest, and the number of the message of each, that say what columns say.

    Both sides are cleared before a snapshot, as the format wants it.
    """
    events, msgs = [], []
    before = None
    for values in zip(*(columns[name].tolist() for name in COLUMNS), strict=True):
        venue, local, kind, side, price, size, msg = values
        if kind == SNAPSHOT and msg != before:
            events.append((hft.CLEAR | BOTH, venue, local, 0.0, 0.0, 0, 0, 0.0))
            msgs.append(msg)
        before = msg
        events.append((SORT[kind] | SIDE_BIT[side] | BOTH, venue, local, price, size, 0, 0, 0.0))
        msgs.append(msg)
    return np.array(events, hft.event_dtype), np.array(msgs, np.int32)


def save_tape(path, events, msgs=None):
    """Write a tape, with or without its messages."""
    np.savez_compressed(path, data=events, **({} if msgs is None else {"msg": msgs}))
    return path
