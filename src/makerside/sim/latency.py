"""Latency laws: how long market data, orders and answers travel, and how long the venue holds an order back.

Three legs: FEED (venue to us), ENTRY (us to the venue) and RESPONSE (venue to us, our own reports). A leg is
constant, or drawn from a table of quantiles with a generator of its own, so that what one leg draws does not
depend on how often another one is asked. What is sent at the same time is one message and arrives together.
On the connection nothing overtakes: what arrives is never earlier than what was sent before it. Behind the
connection the venue adds its speed bump by the class of the order, and executes in blocks where it has them;
orders of different classes may change places there, as they do at the venue: a cancel without a bump ends a
quote before a taker that came earlier reaches it.

Where the walk (`loop.py`) calls `delay_ns`, each once per thing that travels:

- an action that `step` has decided: `ts_ns` is its `ts_decided_ns`, `what` is `what_of(kind, flags)`; the sum
  is the time at which the exchange executes it. It may be earlier than that of an action decided before
  (another class), so it goes into the queue of actions by time, behind those of the same time.
- a report: `ts_ns` is the exchange's time of it, `what` is RESPONSE; the sum is its `ts_arrival_ns`.
- market rows: once for all parameter sets, by `delay_feed` over the whole tape before the walk.

A law whose delays are all the same (`is_plain`) needs no call: `least_ns` is what it adds. A `latency_t` is
state of one parameter set, like its orders. Where it is wrong: delays of one leg are
independent of each other and of the market; in truth they are long together, and longest when it moves.

Source of the bumps: the venues' rules (Lighter, account types, 2026-07: 200 ms for makers and cancels, 300 ms
for takers on Standard; 0 and 140 to 200 ms on Premium; any order that is not post-only counts as a taker's).
Order inside a block: Hyperliquid, optimizing latency: what sends no taker, then cancels, then takers. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
from numba import types

from makerside.core.kernel import Record, kernel, records
from makerside.model.action import ActionKind
from makerside.model.event import Flag, Kind, event_t
from makerside.model.layout import row_type
from makerside.model.units import NS_PER_MS
from makerside.sim.random import random_t, seed_random, uniform

POINTS_CAPACITY = 64  # of a table of quantiles
_LAST = int(Flag.LAST)
_POST_ONLY = int(Flag.POST_ONLY)
_PLACE = int(ActionKind.PLACE)
_PRICES = int(Kind.PRICES)


class Leg(IntEnum):
    """Ways that something travels."""

    FEED = 0
    ENTRY = 1
    RESPONSE = 2


class What(IntEnum):
    """What travels: the class decides the leg and the venue's speed bump."""

    PLACE_POST_ONLY = 0
    PLACE_TAKER = 1  # any order that could take
    CANCEL = 2
    RESPONSE = 3
    FEED = 4


FEED_LEG, ENTRY_LEG, RESPONSE_LEG = int(Leg.FEED), int(Leg.ENTRY), int(Leg.RESPONSE)
PLACE_POST_ONLY, PLACE_TAKER, CANCEL = int(What.PLACE_POST_ONLY), int(What.PLACE_TAKER), int(What.CANCEL)
RESPONSE, FEED = int(What.RESPONSE), int(What.FEED)
CLASSES = 3  # of orders: the first of `What`

latency_t = row_type(
    [
        ("constant_ns", "i8", (len(Leg),)),
        ("n_points", "i8", (len(Leg),)),  # of the leg's table; 0: the leg is constant
        ("share", "f8", (len(Leg), POINTS_CAPACITY)),  # from 0 to 1, increasing
        ("quantile_ns", "i8", (len(Leg), POINTS_CAPACITY)),
        ("bump_ns", "i8", (len(What),)),
        ("rank", "i8", (len(What),)),  # place inside a block
        ("block_ns", "i8"),  # time between two blocks; 0: no blocks
        ("ts_sent_ns", "i8", (len(Leg),)),  # of what was sent last
        ("ts_arrival_ns", "i8", (len(Leg),)),
        ("random", random_t, (len(Leg),)),
    ]
)


@dataclass(frozen=True, slots=True)
class SpeedBumps:
    """What a venue adds behind the connection, by class of order and account tier. All in ns.

    block_ns : time between two blocks, in which orders are executed; 0 where they are executed one by one
    """

    post_only_ns: int = 0
    taker_ns: int = 0
    cancel_ns: int = 0
    block_ns: int = 0


class LatencySettings(Protocol):
    """The settings that make a latency law: section `simulation` of the configuration.

    *_ms           : constants
    *_quantiles_ms : (share, ms) pairs from share 0 to 1, both not decreasing; empty: the constant counts
    """

    @property
    def feed_ms(self) -> float: ...
    @property
    def entry_ms(self) -> float: ...
    @property
    def response_ms(self) -> float: ...
    @property
    def feed_quantiles_ms(self) -> Sequence[tuple[float, float]]: ...
    @property
    def entry_quantiles_ms(self) -> Sequence[tuple[float, float]]: ...
    @property
    def response_quantiles_ms(self) -> Sequence[tuple[float, float]]: ...
    @property
    def post_only_bump_ms(self) -> float: ...
    @property
    def taker_bump_ms(self) -> float: ...
    @property
    def cancel_bump_ms(self) -> float: ...
    @property
    def block_ms(self) -> float: ...
    @property
    def latency_seed(self) -> int: ...


def fill_latency(
    record: Any, section: LatencySettings, rules: SpeedBumps | None = None, stream: int = 0
) -> None:
    """Write a latency law into a zeroed latency_t scalar record.

    section : see `LatencySettings`
    rules   : the venue's bumps for the account's tier; None: those of the section
    stream  : which draws of the seed. It must come from the parameter set itself, not from its place in a
              sweep, so that a set draws the same alone and among others
    """
    bumps = rules or _bumps_of(section)
    laws = {
        Leg.FEED: (section.feed_ms, section.feed_quantiles_ms),
        Leg.ENTRY: (section.entry_ms, section.entry_quantiles_ms),
        Leg.RESPONSE: (section.response_ms, section.response_quantiles_ms),
    }
    for leg, (constant_ms, quantiles_ms) in laws.items():
        assert len(quantiles_ms) <= POINTS_CAPACITY
        record["constant_ns"][leg] = round(constant_ms * NS_PER_MS)
        record["n_points"][leg] = len(quantiles_ms)
        for i, (share, ms) in enumerate(quantiles_ms):
            record["share"][leg, i] = share
            record["quantile_ns"][leg, i] = round(ms * NS_PER_MS)
        record["ts_sent_ns"][leg] = -1
        seed_random(record["random"][leg], section.latency_seed, stream * len(Leg) + leg)
    record["bump_ns"][What.PLACE_POST_ONLY] = bumps.post_only_ns
    record["bump_ns"][What.PLACE_TAKER] = bumps.taker_ns
    record["bump_ns"][What.CANCEL] = bumps.cancel_ns
    record["block_ns"] = bumps.block_ns
    record["rank"][What.CANCEL], record["rank"][What.PLACE_TAKER] = 1, 2


def make_latency(section: LatencySettings, rules: SpeedBumps | None = None, stream: int = 0) -> Any:
    """Return one latency law: (1,) latency_t. Parameters: see `fill_latency`."""
    latencies = np.zeros(1, latency_t)
    fill_latency(latencies[0], section, rules, stream)
    return latencies


def _bumps_of(section: LatencySettings) -> SpeedBumps:
    names = ("post_only_bump_ms", "taker_bump_ms", "cancel_bump_ms", "block_ms")
    return SpeedBumps(*(round(getattr(section, name) * NS_PER_MS) for name in names))


@kernel
def delay_ns(latency: Record, what: int, ts_ns: int) -> int:
    """Return how long what is sent now travels, and remember that it is on its way.

    latency : latency_t, scalar record; moves on
    what    : of `What`
    ts_ns   : when it is sent; not below that of the call before on the same leg
    returns : ns, at least 0; for an order until the venue executes it: bump and block are in it
    """
    leg = ENTRY_LEG
    if what == RESPONSE:
        leg = RESPONSE_LEG
    elif what == FEED:
        leg = FEED_LEG
    arrival_ns = latency["ts_arrival_ns"][leg]
    if ts_ns != latency["ts_sent_ns"][leg]:
        is_constant = latency["n_points"][leg] == 0
        drawn_ns = latency["constant_ns"][leg] if is_constant else _drawn_ns(latency, leg)
        arrival_ns = max(ts_ns + drawn_ns, arrival_ns)
        latency["ts_sent_ns"][leg] = ts_ns
        latency["ts_arrival_ns"][leg] = arrival_ns
    if leg != ENTRY_LEG:
        return arrival_ns - ts_ns
    executed_ns = arrival_ns + latency["bump_ns"][what]
    block_ns = latency["block_ns"]
    if block_ns > 0:
        executed_ns = -(-executed_ns // block_ns) * block_ns + latency["rank"][what]
    return executed_ns - ts_ns


@kernel
def _drawn_ns(latency: Record, leg: int) -> int:
    """Return a draw from a leg's table: linear between two quantiles."""
    drawn = uniform(latency["random"][leg])
    last = latency["n_points"][leg] - 1
    i = 1
    while i < last and latency["share"][leg, i] < drawn:
        i += 1
    low, high = latency["share"][leg, i - 1], latency["share"][leg, i]
    low_ns, high_ns = latency["quantile_ns"][leg, i - 1], latency["quantile_ns"][leg, i]
    return low_ns + int((high_ns - low_ns) * min(1.0, (drawn - low) / (high - low)) + 0.5)


@kernel(types.int64(types.int64, types.int64))
def what_of(kind: int, flags: int) -> int:
    """Return the class of an action. kind : an `ActionKind`; flags : of `event.Flag`"""
    if kind != _PLACE:
        return CANCEL
    return PLACE_POST_ONLY if flags & _POST_ONLY else PLACE_TAKER


def least_ns(latency: Any, leg: Leg) -> int:
    """Return the shortest delay that a leg of a latency_t can give, of the fastest class."""
    drawn = latency["n_points"][leg] > 0
    least = int(latency["quantile_ns"][leg, 0] if drawn else latency["constant_ns"][leg])
    return least + (int(latency["bump_ns"][:CLASSES].min()) if leg == Leg.ENTRY else 0)


def is_plain(latency: Any) -> bool:
    """Return whether orders and answers always take the same time, whatever their class."""
    bump_ns = latency["bump_ns"][:CLASSES]
    n_points = latency["n_points"]
    is_constant = n_points[Leg.ENTRY] == 0 and n_points[Leg.RESPONSE] == 0
    return bool(is_constant and latency["block_ns"] == 0 and bump_ns.min() == bump_ns.max())


@kernel(types.int64(records(latency_t), types.int64, types.int64))
def next_delay_ns(latencies: Record, what: int, ts_ns: int) -> int:
    """Return `delay_ns` of the first of (n,) latency_t, for callers outside compiled loops."""
    return delay_ns(latencies[0], what, ts_ns)


@kernel(types.void(records(latency_t), records(event_t)))
def delay_feed(latencies: Record, tape: Record) -> None:
    """Let every message of a tape reach us later by a draw of the FEED leg; messages keep their order.

    latencies : (1,) latency_t;  tape : (n,) event_t by local time, its `ts_local_ns` are changed
    """
    latency = latencies[0]
    arrival_ns = 0
    is_first = True
    i = 0
    while i < len(tape):
        row = tape[i]
        if is_first:
            sent_ns = row["ts_local_ns"]
            arrival_ns = sent_ns + delay_ns(latency, FEED, sent_ns)
        row["ts_local_ns"] = arrival_ns
        is_first = (int(row["flags"]) & _LAST) != 0
        i += 2 if int(row["kind"]) == _PRICES else 1  # its second row has no time
