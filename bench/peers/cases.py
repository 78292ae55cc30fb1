"""What is run: the strategy's settings, latencies and fees, in words that both sides understand."""

from typing import Any

MS = 1_000_000

# Decisions every 100 ms; 10 ms to the exchange and 10 ms back; Hyperliquid's lowest fee tier.
BASE: dict[str, Any] = {
    "queue": "log_prob",
    "entry_ns": 10 * MS,
    "response_ns": 10 * MS,
    "step_ns": 100 * MS,
    "maker_fee": 0.00015,
    "taker_fee": 0.00045,
    "levels": 1,
    "interval_ticks": 1,
    "half_spread_ticks": 2.0,
    "volatility_factor": 1.0,
    "skew_ticks": 0.3,
    "size_lots": 60,
    "position_max_lots": 1_000,
}
ONE_LEVEL = BASE
FIVE_LEVELS = {**BASE, "levels": 5, "interval_ticks": 2}

HALF_SPREADS = (1.0, 2.0, 3.0, 5.0, 8.0)
SKEWS = (0.1, 0.3, 0.6, 1.0)


def with_queue(case: dict[str, Any], queue: str) -> dict[str, Any]:
    """Return a case with another queue model."""
    return {**case, "queue": queue}


def sized(case: dict[str, Any], size_lots: int) -> dict[str, Any]:
    """Return a case with another size of one quote, and limits to match."""
    return {**case, "size_lots": size_lots, "position_max_lots": 16 * size_lots}


def sets_of(case: dict[str, Any], n: int) -> list[dict[str, Any]]:
    """Return n parameter sets around a case: half-spreads by skews, and finer between; n a multiple of 20."""
    steps = n // (len(HALF_SPREADS) * len(SKEWS))
    assert steps * len(HALF_SPREADS) * len(SKEWS) == n
    return [
        {**case, "half_spread_ticks": half + 0.2 * step, "skew_ticks": skew}
        for half in HALF_SPREADS
        for skew in SKEWS
        for step in range(steps)
    ]
