"""What happens in the synthetic market, one event at a time.

    orders come and go   at the touch and in bands behind it, as Poisson streams
    jump                 the latent price moves
    trade                a market order: its sign remembers, it excites others, it moves the latent price
    rush                 a market order against quotes that have not followed the latent price yet
    reprice              quotes follow the latent price: stale ones go, the touch is quoted anew
    refill               a best price that was emptied is quoted again

Rates are constant between events (trade excitation decays, and is thinned), so the time to the next event
is exponential. Formulas: docs/synthetic-market.md. Pure.
"""

import math

from makerside.core.kernel import Record, kernel
from makerside.core.numbers import exp
from makerside.model.units import ASK, BID, BUY, NS_PER_S, SELL
from makerside.sim.market_model import EXCITATIONS, KNOTS, SCALES
from makerside.sim.random import exponential, uniform
from makerside.sim.synthetic_book import (
    allowed_place,
    forward,
    lots_at,
    places_of_level,
    set_lots,
    take_lots,
    trim_far,
)
from makerside.sim.synthetic_records import RING

IMPROVE, MARKET = 0, 1  # rows of `other_lots`
TIER = 16
EXPECTED_SIGN_MAX = 0.95
JUMP_MAX = RING / 8.0  # places between two repricings: the ring keeps both books
HALF_MAX = RING / 8.0
EXCITATION_MAX = 100.0  # times the base rate of trades
QUIET_S = 60.0  # excitation is nothing after this; keeps exp in range


@kernel
def draw_lots(random: Record, table: Record) -> int:
    """Return a size of at least one lot from a table of KNOTS quantiles; see `market_model.knot_shares`."""
    x = uniform(random) * TIER
    i = int(x)
    if i == TIER - 1:
        x = (x - i) * TIER
        i = TIER - 1 + int(x)
        x = x - int(x) + i
    assert 0 <= i < KNOTS - 1
    return max(1, int(table[i] + (x - i) * (table[i + 1] - table[i]) + 0.5))


@kernel
def ideal_place(state: Record, side: int) -> int:
    """Return where the best price of a side would be quoted now."""
    if side == BID:
        return allowed_place(state, math.floor(state["seen"] - state["half"][BID]), BID)
    return allowed_place(state, math.ceil(state["seen"] + state["half"][ASK]), ASK)


@kernel
def _place_before(state: Record, side: int, place: int) -> int:
    """Return `place`, moved back where it would meet the other side."""
    other = state["best"][1 - side]
    if (other - place) * forward(side) > 0:
        return place
    return allowed_place(state, other - forward(side), side)


@kernel
def quote_touch(state: Record, side: int) -> None:
    """Quote the best price of a side where it has fallen behind the ideal one."""
    place = _place_before(state, side, ideal_place(state, side))
    if (place - state["best"][side]) * forward(side) > 0:
        set_lots(state, side, place, draw_lots(state["random"], state["params"]["other_lots"][IMPROVE]))


@kernel
def _draw_half(state: Record, side: int) -> None:
    """Draw how far from the seen price the next best price will be quoted."""
    is_wide = uniform(state["random"]) < state["params"]["wide_share"]
    distance = min(HALF_MAX, state["params"]["half_spread"] * exponential(state["random"]))
    state["half"][side] = distance if is_wide else 0.0


@kernel
def _flow(state: Record) -> None:
    """An order comes or goes, at the touch (band 0) or in a band behind it."""
    params, random = state["params"], state["random"]
    n = 2 * params["n_flows"]
    x = uniform(random) * params["flow_sums"][n - 1]
    i = 0
    while i < n - 1 and params["flow_sums"][i] <= x:
        i += 1
    side = BID if uniform(random) < 0.5 else ASK
    band = i >> 1
    if band == 0:
        place = state["best"][side]
    else:
        edges = params["edges"]
        behind = math.ceil(edges[band - 1] + uniform(random) * (edges[band] - edges[band - 1]))
        place = ideal_place(state, side) - forward(side) * int(behind)
        place = _place_before(state, side, allowed_place(state, place, side))
    if i & 1:
        _cancel(state, side, place, band)
    else:
        lots = draw_lots(random, params["arrival_lots"][band])
        set_lots(state, side, place, lots_at(state, side, place) + lots)


@kernel
def _cancel(state: Record, side: int, place: int, band: int) -> None:
    """Orders go: proportionally to the size of the level, by thinning below the usual size, else by size."""
    params, random = state["params"], state["random"]
    lots = lots_at(state, side, place)
    share = lots / (params["level_lots"][band] * (1 if band == 0 else places_of_level(state, place)))
    gone = draw_lots(random, params["cancel_lots"][band])
    if share < 1.0:
        if uniform(random) >= share:
            return
    else:
        gone = int(gone * share)
    if gone < lots:
        set_lots(state, side, place, lots - gone)
    elif state["n_levels"][side] > 1:
        set_lots(state, side, place, 0)


@kernel
def _move(state: Record, places: float) -> None:
    """Move the latent price; quotes follow once it is too far from where they saw it."""
    state["latent"] += places
    state["is_stale"] = 1 if abs(state["latent"] - state["seen"]) > state["params"]["tolerance"] else 0


@kernel
def _jump(state: Record) -> None:
    random = state["random"]
    size = state["params"]["jump"] * exponential(random)
    _move(state, size if uniform(random) < 0.5 else -size)


@kernel
def excite(state: Record) -> float:
    """Let the excitation decay to the present; returns the rate of trades per s."""
    params = state["params"]
    elapsed_s = min(QUIET_S, (state["ts_ns"] - state["ts_excited_ns"]) / NS_PER_S)
    state["ts_excited_ns"] = state["ts_ns"]
    rate = params["base_per_s"]
    for k in range(EXCITATIONS):
        state["excitation"][k] *= exp(-params["excitation_per_s"][k] * elapsed_s)
        rate += state["excitation"][k]
    return rate


@kernel
def _rush(state: Record) -> None:
    """A market order of somebody who knows where quotes will go, before they have gone there.

    It brings no news, so it moves nothing. Only the long memory takes note: what it says for the next
    trades is gone once the quotes have followed.
    """
    params, random = state["params"], state["random"]
    other = ASK if state["latent"] > state["seen"] else BID
    sign = BUY if other == ASK else SELL
    keep = params["sign_keeps"][SCALES - 1]
    state["memory"][SCALES - 1] = keep * state["memory"][SCALES - 1] + (1.0 - keep) * sign
    lots = draw_lots(random, params["other_lots"][MARKET])
    take_lots(state, other, lots, params["more_prints"], random)
    state["n_trades"] += 1


@kernel
def _trade(state: Record, bound_per_s: float) -> None:
    """A market order, if the decayed excitation still says so."""
    params, random = state["params"], state["random"]
    rush = params["rush_per_s"] * state["is_stale"]
    rate = rush + excite(state)
    x = uniform(random) * bound_per_s
    if x >= rate:
        return
    if x < rush:
        _rush(state)
        return
    expected = 0.0
    for k in range(SCALES):
        expected += params["sign_weights"][k] * state["memory"][k]
    expected = min(EXPECTED_SIGN_MAX, max(-EXPECTED_SIGN_MAX, expected))
    sign = BUY if 2.0 * uniform(random) < 1.0 + expected else SELL
    for k in range(SCALES):
        keep = params["sign_keeps"][k]
        state["memory"][k] = keep * state["memory"][k] + (1.0 - keep) * sign
    if rate < EXCITATION_MAX * params["base_per_s"]:
        for k in range(EXCITATIONS):
            state["excitation"][k] += params["branching"][k] * params["excitation_per_s"][k]
    lots = draw_lots(random, params["other_lots"][MARKET])
    other = ASK if sign == BUY else BID
    there = lots_at(state, other, state["best"][other])
    take_lots(state, ASK if sign == BUY else BID, lots, params["more_prints"], random)
    root = math.sqrt(min(1.0, lots / there))
    _move(state, params["impact"] * root * (sign - params["impact_expected_share"] * expected))
    state["n_trades"] += 1


@kernel
def reprice(state: Record) -> None:
    """Quotes follow the latent price: what it has passed is withdrawn, the touch is quoted anew."""
    move = state["latent"] - state["seen"]
    state["seen"] += min(JUMP_MAX, max(-JUMP_MAX, move))
    state["is_stale"] = 1 if abs(move) > JUMP_MAX else 0
    for side in range(2):
        _draw_half(state, side)
        ahead = forward(side)
        while (state["best"][side] - state["seen"]) * ahead >= 0.0 and state["n_levels"][side] > 0:
            set_lots(state, side, state["best"][side], 0)
    for side in range(2):
        quote_touch(state, side)
        trim_far(state, side, ideal_place(state, side) - forward(side) * state["params"]["trim"])


@kernel
def schedule(state: Record) -> None:
    """Draw the time of the next event from the present rates."""
    params, rates = state["params"], state["rates"]
    total = params["flow_sums"][2 * params["n_flows"] - 1]
    rates[0] = total
    total += params["jumps_per_s"]
    rates[1] = total
    total += params["base_per_s"]
    for k in range(EXCITATIONS):
        total += state["excitation"][k]
    total += params["rush_per_s"] * state["is_stale"]
    rates[2] = total
    total += params["reprice_per_s"] * state["is_stale"]
    rates[3] = total
    for side in range(2):
        behind = (ideal_place(state, side) - state["best"][side]) * forward(side)
        total += params["refill_per_s"] if behind > 0 else 0.0
        rates[4 + side] = total
    wait_s = exponential(state["random"]) / total
    state["ts_next_ns"] = state["ts_ns"] + 1 + int(wait_s * NS_PER_S)


@kernel
def happen(state: Record) -> None:
    """Let the scheduled event happen."""
    rates = state["rates"]
    state["ts_ns"] = state["ts_next_ns"]
    state["n_events"] += 1
    x = uniform(state["random"]) * rates[5]
    if x < rates[0]:
        _flow(state)
    elif x < rates[1]:
        _jump(state)
    elif x < rates[2]:
        _trade(state, rates[2] - rates[1])
    elif x < rates[3]:
        reprice(state)
    else:
        side = BID if x < rates[4] else ASK
        _draw_half(state, side)
        quote_touch(state, side)
