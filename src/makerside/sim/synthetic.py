"""The synthetic market: order flow from a fitted model, as market rows of any instrument.

A latent price moves by trades and by jumps; quotes follow it with a delay; orders come and go around it at
fitted rates; market orders come in bursts and remember their sign. `open_market` makes the state of one
instrument, `generate` writes its rows: an opening snapshot, then messages of prints and changed sizes.
The flow does not react to our orders: that is the simulated exchange's part.

What it assumes and where it is wrong: docs/synthetic-market.md. Pure: numpy, model and core only.
Next: `synthetic_flow.py` (the events), `synthetic_book.py` (the book), `market_model.py` (the numbers).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.core.kernel import Record, kernel
from makerside.core.prices import price_step
from makerside.model.errors import ConfigError
from makerside.model.instrument import Instrument
from makerside.model.units import ASK, BID, NS_PER_MS, NS_PER_S
from makerside.sim.market_model import FLOWS_MAX, KNOTS, MarketModel, knot_shares
from makerside.sim.random import seed_random, uniform
from makerside.sim.synthetic_book import (
    allowed_place,
    begin_message,
    close_message,
    forward,
    give_row,
    lots_at,
    note_all,
    rows_left,
    set_lots,
)
from makerside.sim.synthetic_flow import happen, ideal_place, reprice, schedule
from makerside.sim.synthetic_records import NO_PLACE, REACH_MAX, synthetic_t

PENDING_MAX = 64  # rows that a message collects before it is closed
STEPS_MIN = 24  # levels that each side of a book should have
TRIM_REACH = 1.5  # levels stay until they are this many times the reach behind the touch
WARM_UP_S = 30  # several life times of the slowest band that matters
_TICKS_MAX = (1 << 31) - 1
_NEVER_NS = 1 << 62
_BPS = 1e-4


@kernel
def _open(state: Record) -> None:
    """Fill the book near its stationary state."""
    params, random = state["params"], state["random"]
    for side in range(2):
        touch = ideal_place(state, side)
        set_lots(state, side, touch, max(1, int(params["depth_lots"][0])))
        for band in range(1, params["n_flows"]):
            for behind in range(int(params["edges"][band - 1]) + 1, int(params["edges"][band]) + 1):
                place = allowed_place(state, touch - forward(side) * behind, side)
                lots = int(params["depth_lots"][band] * (0.2 + 1.6 * uniform(random)))
                set_lots(state, side, place, lots_at(state, side, place) + lots)
    begin_message(state)


@kernel
def _should_close(state: Record) -> bool:
    return state["is_touch_changed"] == 1 or state["n_prints"] > 0 or state["n_pending"] >= PENDING_MAX


@kernel
def next_message(state: Record, until_ns: int) -> bool:
    """Let events happen until a message is closed; returns False when none is before or at `until_ns`."""
    while True:
        if state["is_open"] == 0 and state["ts_next_ns"] > state["ts_open_ns"]:
            if state["ts_open_ns"] > until_ns:
                return False
            begin_message(state)
            note_all(state)
            close_message(state, state["ts_open_ns"])
            return True
        due_ns = state["ts_pending_ns"] + state["params"]["message_ns"] if state["n_pending"] > 0 else _NEVER_NS
        if min(due_ns, state["ts_next_ns"]) > until_ns:
            return False
        if due_ns < state["ts_next_ns"]:
            close_message(state, due_ns)
            return True
        happen(state)
        schedule(state)
        if _should_close(state):
            close_message(state, state["ts_ns"])
            return True


@kernel
def generate(state: Record, until_ns: int, out: Any, n_max: int) -> int:
    """Write the rows up to and including a time; returns how many were written.

    state   : synthetic_t; advanced. Rows depend on the state alone, not on how the calls cut them
    out     : (>= n_max,) event_t; message times rise strictly, both times of a row are the same
    n_max   : rows at most. A message that does not fit waits for the next call; one that is longer than
              `n_max` itself is continued there
    """
    n = 0
    while n < n_max:
        if state["is_closed"] == 0 and not next_message(state, until_ns):
            return n
        if n > 0 and n + rows_left(state) > n_max:
            return n
        while n < n_max and rows_left(state) > 0:
            give_row(state, out[n])
            n += 1
        if rows_left(state) == 0:
            state["is_open"] = 1
            begin_message(state)
    return n


@kernel
def _warm_up(states: Any) -> None:
    """Run the market up to its opening without giving out rows."""
    state = states[0]
    _open(state)
    reprice(state)
    begin_message(state)
    schedule(state)
    while state["ts_next_ns"] <= state["ts_open_ns"]:
        happen(state)
        begin_message(state)
        schedule(state)


def open_market(
    model: MarketModel,
    instrument: Instrument,
    start_price: float,
    seed: int,
    *,
    stream: int = 0,
    start_ns: int = NS_PER_S,
    rate_scale: float = 1.0,
    size_scale: float = 1.0,
    volatility_scale: float = 1.0,
) -> NDArray[Any]:
    """Return a market that opens at `start_ns`, warmed up, near a price: (1,) synthetic_t.

    seed, stream     : the numbers that determine it; give each instrument of a world its own stream
    stream           : also the instrument index of the rows
    rate_scale       : activity: orders, trades and jumps per second
    size_scale       : money of orders and trades
    volatility_scale : moves of the latent price, per event
    errors           : ConfigError when the price is off the instrument's grid or range

    Distances and moves are bps, sizes money, whatever the instrument: a coarse price step gathers what the
    model spreads over several. Where the step is so coarse that fewer than 24 levels (or than the recording
    showed) would lie within the model's reach, distances are stretched to that many steps: the money then
    is spread over them.
    """
    states = np.zeros(1, synthetic_t)
    state = states[0]
    if min(rate_scale, size_scale, volatility_scale) <= 0:
        raise ConfigError(f"{instrument.symbol}: scales of a synthetic market must be above 0")
    _set_prices(state, instrument, start_price)
    seed_random(state["random"], seed, stream)
    steps_per_bps = state["latent"] * _BPS
    steps_min = min(STEPS_MIN, model.reach_bps / model.step_bps)
    stretch = max(1.0, steps_min / (model.reach_bps * steps_per_bps))
    unit = float(instrument.tick_size * instrument.lot_size * instrument.multiplier)
    lots_per_usd = size_scale / (state["latent"] * state["step_ticks"] * unit)
    _set_flows(state, model, steps_per_bps * stretch, lots_per_usd, rate_scale)
    _set_trades(state, model, lots_per_usd, rate_scale)
    params = state["params"]
    params["wide_share"] = model.wide_share
    params["half_spread"] = model.half_spread_bps * steps_per_bps
    params["tolerance"] = model.tolerance_bps * steps_per_bps
    params["impact"] = model.impact_bps * steps_per_bps * volatility_scale
    params["impact_expected_share"] = model.impact_expected_share
    params["jumps_per_s"] = model.jumps_per_s * rate_scale
    params["jump"] = model.jump_bps * steps_per_bps * volatility_scale
    params["reprice_per_s"], params["refill_per_s"] = model.reprice_per_s, model.refill_per_s
    params["message_ns"] = int(model.message_ms * NS_PER_MS)
    state["instrument"] = stream
    state["ts_open_ns"] = start_ns
    state["ts_ns"] = state["ts_excited_ns"] = start_ns - WARM_UP_S * NS_PER_S
    state["ts_message_ns"] = -_NEVER_NS
    state["message"] = 1
    state["best"] = (-NO_PLACE, NO_PLACE)
    state["far"] = (NO_PLACE, -NO_PLACE)
    _warm_up(states)
    return states


def _set_prices(state: Record, instrument: Instrument, start_price: float) -> None:
    """Choose the place: the finest step within reach of the price, so that all allowed prices are places."""
    instrument.fill_record(state["rules"])
    start = start_price / float(instrument.tick_size)
    if not 100 <= start <= _TICKS_MAX / 4:
        raise ConfigError(
            f"{instrument.symbol}: a start price of {start_price} is {start:.0f} ticks; 100 to 5e8 fit"
        )
    step = int(price_step(state["rules"], int(0.75 * start)))
    limit = 1
    while limit <= _TICKS_MAX and price_step(state["rules"], limit) <= step:
        limit *= 10
    state["step_ticks"] = step
    state["limit_place"] = limit // step
    # Not on a price: there the first bid and ask would be two steps apart.
    state["latent"] = state["seen"] = np.floor(start / step) + 0.5


def _set_flows(
    state: Record, model: MarketModel, steps_per_bps: float, lots_per_usd: float, rate_scale: float
) -> None:
    params = state["params"]
    flows = len(model.edges_bps)
    edges = np.array(model.edges_bps) * steps_per_bps
    # Levels beyond the ring's reach have no place; their share of the flow is left out with them.
    inside = int(np.searchsorted(edges, REACH_MAX, side="right"))
    flows = min(flows, max(2, inside))
    rates = np.zeros((flows, 2))
    rates[:, 0], rates[:, 1] = model.arrivals_per_s[:flows], model.cancels_per_s[:flows]
    # A cancel takes at most the level. Where levels gather more (or less) money than in the recording, the
    # same cancels would take more (or less): keep what they take at the mean size.
    for band in range(1, flows):
        table, depth_usd = np.array(model.cancel_usd[band]), model.depth_usd[band]
        rates[band, 1] *= _mean_of(table, depth_usd * model.step_bps) / _mean_of(
            table, depth_usd / steps_per_bps
        )
    params["n_flows"] = flows
    params["edges"][:flows] = np.minimum(edges[:flows], REACH_MAX)
    params["flow_sums"][: 2 * flows] = np.cumsum(2.0 * rate_scale * rates.ravel())
    per_step = np.append(1.0, np.full(flows - 1, 1.0 / steps_per_bps))
    params["level_lots"][:flows] = np.maximum(1.0, np.array(model.level_usd[:flows]) * per_step * lots_per_usd)
    params["depth_lots"][:flows] = np.array(model.depth_usd[:flows]) * per_step * lots_per_usd
    params["arrival_lots"][:flows] = np.array(model.arrival_usd[:flows]) * lots_per_usd
    params["cancel_lots"][:flows] = np.array(model.cancel_usd[:flows]) * lots_per_usd
    params["other_lots"] = np.array([model.improve_usd, model.trade_usd]) * lots_per_usd
    params["trim"] = int(TRIM_REACH * params["edges"][flows - 1]) + 1
    assert flows <= FLOWS_MAX


def _set_trades(state: Record, model: MarketModel, lots_per_usd: float, rate_scale: float) -> None:
    params = state["params"]
    branching = np.array(model.branching)
    params["rush_per_s"] = model.rush_per_s
    params["base_per_s"] = model.trades_per_s * rate_scale * (1.0 - branching.sum())
    params["branching"] = branching
    params["excitation_per_s"] = np.array(model.excitation_per_s) * rate_scale
    params["more_prints"] = 1.0 - 1.0 / model.prints_per_trade
    params["sign_weights"], params["sign_keeps"] = model.sign_weights, model.sign_keeps
    state["excitation"] = branching * model.trades_per_s * rate_scale


def _spread_out(table: tuple[float, ...] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return equally likely sizes of a size table."""
    assert len(table) == KNOTS
    return np.interp((np.arange(4096) + 0.5) / 4096, knot_shares(), table)


def _mean_of(table: NDArray[np.float64], limit: float) -> float:
    """Return the mean size of a table where none may be above a limit."""
    return max(1e-12, float(np.mean(np.minimum(_spread_out(table), limit))))


def book_of(states: NDArray[Any]) -> dict[int, dict[int, int]]:
    """Return the market's own book, {side: {price in ticks: lots}}; for tests and displays.

    It is ahead of the rows by the changes whose message has not been closed.
    """
    state = states[0]
    book: dict[int, dict[int, int]] = {BID: {}, ASK: {}}
    ring = state["lots"].shape[1]
    for side in (BID, ASK):
        for i in range(ring):
            place = int(state["best"][side]) - (i if side == BID else -i)
            lots = int(state["lots"][side, place % ring])
            if lots:
                book[side][place * int(state["step_ticks"])] = lots
    return book
