"""Poisson arrivals of market orders with a known law, shown to the estimator of A and k.

Market orders of each side come at A per second and reach a distance that is exponential of mean 1/k: beyond d
they come at A exp(-k d). A print is told at the last price that an order reached, and the book speaks at a
constant pace, its mid on a price and still. Thousands of repeats, each from nothing. Pure.
"""

from numba import types

from makerside.core.estimators.intensity import on_trade, update_intensity
from makerside.core.kernel import Record, kernel, records
from makerside.model.layout import row_type
from makerside.model.market import intensity_t, market_t
from makerside.model.units import BUY, NS_PER_S, SELL
from makerside.sim.random import exponential, random_t, uniform

arrivals_t = row_type(
    [
        ("a_per_s", "f8"),  # per side
        ("k_per_tick", "f8"),
        ("message_ns", "i8"),  # between two messages of the book
        ("duration_ns", "i8"),
        ("mid_ticks", "i8"),
        ("random", random_t),
    ]
)


@kernel
def _show_book(market: Record, ts_ns: int, mid_ticks: int) -> None:
    market["ts_local_ns"] = ts_ns
    market["mid_ticks"] = float(mid_ticks)
    update_intensity(market)


@kernel
def _run_once(law: Record, market: Record) -> None:
    """Let arrivals and messages of the book happen in their order of time."""
    random = law["random"]
    ts_ns = law["message_ns"]  # 0 means that no window is open
    stop_ns = ts_ns + law["duration_ns"]
    per_ns = 2.0 * law["a_per_s"] / NS_PER_S
    due_ns = float(ts_ns) + exponential(random) / per_ns
    _show_book(market, ts_ns, law["mid_ticks"])
    while ts_ns < stop_ns:
        ts_ns += law["message_ns"]
        while due_ns < ts_ns:
            side = BUY if uniform(random) < 0.5 else SELL
            reached = int(exponential(random) / law["k_per_tick"])
            on_trade(market, side, law["mid_ticks"] + side * reached)
            due_ns += exponential(random) / per_ns
        _show_book(market, ts_ns, law["mid_ticks"])


@kernel(types.void(records(arrivals_t), records(market_t), records(market_t), records(intensity_t)))
def run_arrivals(laws: Record, markets: Record, fresh: Record, flows: Record) -> None:
    """Show the estimator one repeat after the other.

    laws    : (1,) arrivals_t, its random numbers go on
    markets : (1,) market_t, scratch;  fresh : (1,) market_t, the state in which a repeat begins
    flows   : (n,) intensity_t, the estimator's state at the end of each repeat
    """
    for i in range(len(flows)):
        markets[0] = fresh[0]
        _run_once(laws[0], markets[0])
        flows[i] = markets[0]["intensity"]
