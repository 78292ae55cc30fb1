"""Trade intensity: lambda(d) = A exp(-k d), how often a market order reaches distance d (formulas d-3).

Time is cut into windows that end with messages of the book. Of each window and side only the deepest
arrival counts, measured from the mid at the window's start: that is what decides whether a resting
quote at distance d would have been reached. Decayed counts in buckets of distance give p(d), the share
of windows reached beyond d, and -ln(1 - p) over the mean length of a window is the rate. ln(rate) is
fitted by a line, weighted by counts. A bucket's arrivals stand for the nearest distance in it at which
there is a price. d is in ticks from the mid, A per second and side, k per tick. Queue position is not
in it: it is reached, not filled. Pure.
"""

import math

from makerside.core.kernel import Record, kernel
from makerside.core.numbers import exp, log
from makerside.core.prices import price_step
from makerside.model.market import INTENSITY_BUCKETS
from makerside.model.units import BUY, NS_PER_S

WINDOWS_NEEDED = 40
HITS_NEEDED = 3.0  # decayed count below which a bucket says nothing
POINTS_NEEDED = 3
SHARE_MAX = 0.999  # a bucket that every window reached has no finite rate
K_MIN_PER_BUCKET = 0.01  # flatter than this is no decay at all
LN2 = 0.6931471805599453
ROUNDING = 1e-9  # of a quotient that may be a whole number


@kernel
def on_trade(market: Record, side: int, tick: int) -> None:
    """Remember the deepest arrival of the window. side: BUY or SELL aggressor; tick: its price."""
    flow = market["intensity"]
    if flow["ts_window_ns"] == 0:
        return
    distance = (tick - flow["mid_ticks"]) * side
    if side == BUY:
        flow["deepest_buy"] = max(flow["deepest_buy"], distance)
    else:
        flow["deepest_sell"] = max(flow["deepest_sell"], distance)


@kernel
def update_intensity(market: Record) -> None:
    """Close windows that are over and refit when due; call it only when the status is OK."""
    flow = market["intensity"]
    now_ns = market["ts_local_ns"]
    if flow["ts_window_ns"] == 0:
        if flow["bucket_ticks"] == 0.0:
            width = market["mid_ticks"] * flow["range_bps"] * 1e-4 / INTENSITY_BUCKETS
            flow["bucket_ticks"] = max(1.0 * _step_ticks(market), width)
            flow["ts_fit_ns"] = now_ns
        _open_window(flow, market["mid_ticks"], now_ns)
        return
    elapsed_ns = now_ns - flow["ts_window_ns"]
    if elapsed_ns < flow["window_ns"]:
        return
    elapsed_s = elapsed_ns / NS_PER_S
    _decay(flow, exp(-LN2 * elapsed_s / flow["half_life_s"]))
    flow["weight"] += 2.0
    flow["half_weight"] += 2.0 * (math.floor(2.0 * flow["mid_ticks"] / _step_ticks(market) + 0.5) % 2)
    # A silence of hours is no more evidence than what is remembered of it.
    flow["seconds"] += min(elapsed_s, flow["half_life_s"] / LN2)
    flow["n_windows"] += 1
    _count(flow, flow["deepest_buy"])
    _count(flow, flow["deepest_sell"])
    _open_window(flow, market["mid_ticks"], now_ns)
    if now_ns - flow["ts_fit_ns"] >= flow["refit_ns"] and flow["n_windows"] >= WINDOWS_NEEDED:
        flow["ts_fit_ns"] = now_ns
        _fit(flow, _step_ticks(market))
        market["is_dirty"] = 1  # quotes depend on it


@kernel
def _step_ticks(market: Record) -> int:
    """Return the distance between two prices near the mid."""
    return price_step(market["rules"], int(market["mid_ticks"]))


@kernel
def _open_window(flow: Record, mid_ticks: float, now_ns: int) -> None:
    flow["ts_window_ns"] = now_ns
    flow["mid_ticks"] = mid_ticks
    flow["deepest_buy"] = -1.0
    flow["deepest_sell"] = -1.0


@kernel
def _decay(flow: Record, keep: float) -> None:
    flow["weight"] *= keep
    flow["half_weight"] *= keep
    flow["seconds"] *= keep
    for i in range(INTENSITY_BUCKETS):
        flow["hits"][i] *= keep


@kernel
def _count(flow: Record, distance: float) -> None:
    """Count an arrival in the bucket of its distance; arrivals behind the mid reached no quote."""
    if distance <= 0.0:
        return
    bucket = min(int(distance / flow["bucket_ticks"]), INTENSITY_BUCKETS - 1)
    flow["hits"][bucket] += 1.0


@kernel
def _nearest_ticks(flow: Record, bucket: int, step: int) -> float:
    """Return the distance from the mid of the nearest price in or beyond a bucket, the mean of all windows.

    With the mid on a price the distances are step, 2 step, ...; between two prices step / 2, 3 step / 2, ...
    """
    edge_steps = bucket * flow["bucket_ticks"] / step - ROUNDING
    share = flow["half_weight"] / flow["weight"]
    whole = max(1, math.ceil(edge_steps))
    half = max(0, math.ceil(edge_steps - 0.5)) + 0.5
    return step * (share * half + (1.0 - share) * whole)


@kernel
def _fit(flow: Record, step: int) -> None:
    """Fit ln(rate) = ln(A) - k d over the distances that were reached often enough. step : ticks"""
    weight_sum = x_sum = y_sum = xx_sum = xy_sum = 0.0
    points = 0
    beyond = 0.0
    window_s = 2.0 * flow["seconds"] / flow["weight"]
    # The last bucket also holds everything beyond the range: its nearest price is still a true distance.
    for i in range(INTENSITY_BUCKETS - 1, -1, -1):
        beyond += flow["hits"][i]
        share = beyond / flow["weight"]
        if beyond < HITS_NEEDED or share > SHARE_MAX:
            continue
        x = _nearest_ticks(flow, i, step)
        y = log(-log(1.0 - share) / window_s)
        weight_sum += beyond
        x_sum += beyond * x
        y_sum += beyond * y
        xx_sum += beyond * x * x
        xy_sum += beyond * x * y
        points += 1
    spread = weight_sum * xx_sum - x_sum * x_sum
    if points < POINTS_NEEDED or spread <= 0.0:
        return
    k = -(weight_sum * xy_sum - x_sum * y_sum) / spread
    if k * flow["bucket_ticks"] < K_MIN_PER_BUCKET:
        return
    flow["k_per_tick"] = k
    flow["a_per_s"] = exp((y_sum + k * x_sum) / weight_sum)
    flow["is_ready"] = 1
