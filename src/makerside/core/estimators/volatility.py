"""Volatility: exponentially weighted variance of mid changes, sampled in time (formulas d-7, d-3).

Unit: ticks^2 per second, so that sigma over tau seconds is sqrt(variance * tau) ticks. Sampling at
least `sample_ns` apart keeps the bid-ask bounce of single messages out. Pure.
"""

from makerside.core.kernel import Record, kernel
from makerside.core.numbers import exp
from makerside.model.units import NS_PER_S

SAMPLES_NEEDED = 10
LN2 = 0.6931471805599453


@kernel
def update_volatility(market: Record) -> None:
    """Take the present mid as a sample when one is due; call it only when the status is OK."""
    vol = market["volatility"]
    now_ns = market["ts_local_ns"]
    mid = market["mid_ticks"]
    if vol["n_samples"] == 0:
        vol["ts_sample_ns"] = now_ns
        vol["mid_ticks"] = mid
        vol["n_samples"] = 1
        return
    elapsed_ns = now_ns - vol["ts_sample_ns"]
    if elapsed_ns < vol["sample_ns"]:
        return
    elapsed_s = elapsed_ns / NS_PER_S
    change = mid - vol["mid_ticks"]
    # During warm-up every sample has the same weight; afterwards the half-life decides.
    keep = exp(-LN2 * elapsed_s / vol["half_life_s"])
    plain = 1.0 - 1.0 / vol["n_samples"]
    keep = min(keep, plain)
    vol["variance"] = keep * vol["variance"] + (1.0 - keep) * change * change / elapsed_s
    vol["ts_sample_ns"] = now_ns
    vol["mid_ticks"] = mid
    vol["n_samples"] += 1
    market["is_dirty"] = 1  # quotes depend on it


@kernel
def is_volatility_ready(market: Record) -> bool:
    """Return whether enough samples have been seen."""
    return market["volatility"]["n_samples"] > SAMPLES_NEEDED
