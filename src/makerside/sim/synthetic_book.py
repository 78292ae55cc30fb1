"""The synthetic market's own book, and the message that its changes go into.

Levels are kept by place (price in steps) in a ring, bids and asks apart. Every change is noted once per
message; a closed message is turned into rows when they are asked for, from the book as it stands, so that
nothing is written twice. Pure.
"""

from makerside.core.kernel import Record, kernel
from makerside.core.prices import price_step, round_price
from makerside.model.event import Flag, Kind
from makerside.model.units import ASK, BID, BUY, SELL
from makerside.sim.random import uniform
from makerside.sim.synthetic_records import NO_PLACE, PRINTS_MAX, RING, RING_MASK

LAST, SELL_FLAG = int(Flag.LAST), int(Flag.SELL)
DELTA, SNAPSHOT, TRADE = int(Kind.DELTA), int(Kind.SNAPSHOT), int(Kind.TRADE)


@kernel
def forward(side: int) -> int:
    """Return the direction towards the market: +1 for bids, -1 for asks."""
    return 1 if side == BID else -1


@kernel
def allowed_place(state: Record, place: int, side: int) -> int:
    """Return the nearest allowed place that is not nearer to the market."""
    if place < state["limit_place"]:
        return place
    step = state["step_ticks"]
    tick = round_price(state["rules"], place * step, BUY if side == BID else SELL)
    return int(tick // step)


@kernel
def places_of_level(state: Record, place: int) -> int:
    """Return how many places one allowed price stands for: more than one where the price rule is coarser."""
    if place < state["limit_place"]:
        return 1
    step = state["step_ticks"]
    return int(price_step(state["rules"], place * step) // step)


@kernel
def lots_at(state: Record, side: int, place: int) -> int:
    """Return the size at a place inside the ring."""
    return int(state["lots"][side, place & RING_MASK])


@kernel
def set_lots(state: Record, side: int, place: int, lots: int) -> None:
    """Set the size at a place, keep the best place right and note the change for the message."""
    slot = place & RING_MASK
    before = state["lots"][side, slot]
    if before == lots:
        return
    assert lots >= 0
    state["lots"][side, slot] = lots
    best = state["best"][side]
    if place == best or (place - best) * forward(side) > 0:
        state["is_touch_changed"] = 1
    if before == 0:
        state["n_levels"][side] += 1
        if (place - best) * forward(side) > 0:
            state["best"][side] = place
        if (state["far"][side] - place) * forward(side) > 0:
            state["far"][side] = place
    elif lots == 0:
        state["n_levels"][side] -= 1
        if place == best:
            state["best"][side] = _next_level(state, side, place)
    _note(state, side, place)


@kernel
def _next_level(state: Record, side: int, place: int) -> int:
    """Return the first level behind a place."""
    if state["n_levels"][side] == 0:
        return -forward(side) * NO_PLACE
    for _ in range(RING):
        place -= forward(side)
        if state["lots"][side, place & RING_MASK] > 0:
            return place
    raise AssertionError("the count of levels says that there is one")


@kernel
def _note(state: Record, side: int, place: int) -> None:
    slot = place & RING_MASK
    if state["stamp"][side, slot] == state["message"]:
        return
    state["stamp"][side, slot] = state["message"]
    n = state["n_pending"]
    if n == 0:
        state["ts_pending_ns"] = state["ts_ns"]
    state["pending"][n] = place * 2 + side
    state["n_pending"] = n + 1


@kernel
def trim_far(state: Record, side: int, last: int) -> None:
    """Drop every level behind `last`, so that all levels fit into the ring."""
    ahead = forward(side)
    while (last - state["far"][side]) * ahead > 0 and state["n_levels"][side] > 1:
        set_lots(state, side, state["far"][side], 0)
        state["far"][side] += ahead


@kernel
def take_lots(state: Record, side: int, lots: int, more_prints: float, cuts: Record) -> None:
    """Execute a market order against a side, best price first; the last level is never emptied.

    more_prints : probability that a print is followed by another of the same level
    cuts        : random_t, says where a level's volume is cut into prints
    """
    while lots > 0 and state["n_prints"] < PRINTS_MAX:
        place = state["best"][side]
        there = lots_at(state, side, place)
        taken = min(lots, there)
        if taken == there and state["n_levels"][side] == 1:
            taken = there - 1
        if taken == 0:
            return
        printed = _print_lots(state, side, place, taken, more_prints, cuts)
        lots -= printed
        set_lots(state, side, place, there - printed)


@kernel
def _print_lots(state: Record, side: int, place: int, lots: int, more_prints: float, cuts: Record) -> int:
    """Note the prints of one level; returns the lots printed."""
    left = lots
    while left > 0 and state["n_prints"] < PRINTS_MAX:
        piece = left
        if left > 1 and state["n_prints"] < PRINTS_MAX - 1 and uniform(cuts) < more_prints:
            piece = max(1, int(uniform(cuts) * left))
        row = state["prints"][state["n_prints"]]
        row["place"] = place
        row["lots"] = piece
        row["side"] = side
        state["n_prints"] += 1
        left -= piece
    return lots - left


@kernel
def begin_message(state: Record) -> None:
    """Start an empty message."""
    state["message"] += 1
    state["is_closed"] = 0
    state["is_touch_changed"] = 0
    state["n_pending"] = 0
    state["n_prints"] = 0
    state["n_given"] = 0


@kernel
def close_message(state: Record, ts_ns: int) -> None:
    """Let the message wait to be given out; the book must not change until it is."""
    assert ts_ns > state["ts_message_ns"]
    assert state["best"][BID] < state["best"][ASK]
    state["ts_message_ns"] = ts_ns
    state["is_closed"] = 1


@kernel
def note_all(state: Record) -> None:
    """Put every level into the message, from the touch outwards: an opening snapshot."""
    for side in range(2):
        place = state["best"][side]
        for _ in range(state["n_levels"][side]):
            _note(state, side, place)
            place = _next_level(state, side, place)


@kernel
def rows_left(state: Record) -> int:
    """Return how many rows of the closed message have not been given out."""
    return int(state["n_prints"] + state["n_pending"] - state["n_given"])


@kernel
def give_row(state: Record, row: Record) -> None:
    """Write the next row of the closed message: prints first, then the sizes that are left."""
    i = state["n_given"]
    if i < state["n_prints"]:
        source = state["prints"][i]
        place, lots, kind = source["place"], source["lots"], TRADE
        flags = 0 if source["side"] == ASK else SELL_FLAG
    else:
        code = state["pending"][i - state["n_prints"]]
        side = code & 1
        place = code >> 1
        lots = state["lots"][side, place & RING_MASK]
        kind = SNAPSHOT if state["is_open"] == 0 else DELTA
        flags = SELL_FLAG if side == ASK else 0
    if rows_left(state) == 1:
        flags |= LAST
    row["ts_venue_ns"] = state["ts_message_ns"]
    row["ts_local_ns"] = state["ts_message_ns"]
    row["size_lots"] = lots
    row["price_ticks"] = place * state["step_ticks"]
    row["instrument"] = state["instrument"]
    row["kind"] = kind
    row["flags"] = flags
    state["n_given"] = i + 1
