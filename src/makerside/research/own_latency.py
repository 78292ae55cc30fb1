"""The latency law of our own orders: from a decision to the exchange, and from there back to us.

The entry leg is the exchange's time of the first answer less our time of the decision: the venue's speed bump
and its blocks are in it. The response leg is our time of a report less the exchange's. The two clocks need not
agree: their sum, the round trip, is certain; the split is shifted by as little as makes both legs possible.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from makerside.model.event import Flag
from makerside.model.units import NS_PER_MS
from makerside.research.own_orders import OwnRun

NEEDED = 50  # of one class
SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)
CONSTANT_MS = 0.01  # a law whose middle 98 % are nearer together is a constant
BUMP_MS_MIN = 1.0  # a smaller difference of two classes is no speed bump
CLASSES = ("post_only", "taker", "cancel")
Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Law:
    """A distribution of delays.

    median_ms    : (low, middle, high), the interval by order statistics
    quantiles_ms : (share, ms) pairs; empty when it is constant
    """

    median_ms: tuple[float, float, float]
    quantiles_ms: tuple[tuple[float, float], ...]
    n: int

    def scaled(self, level: str) -> tuple[float, tuple[tuple[float, float], ...]]:
        """Return median and quantiles for a level of the band: low is slow, since it fills less."""
        low, middle, high = self.median_ms
        factor = {"low": high, "middle": middle, "high": low}[level] / middle if middle > 0 else 1.0
        pairs = tuple((share, round(ms * factor, 6)) for share, ms in self.quantiles_ms)
        return round(middle * factor, 6), pairs


@dataclass(frozen=True, slots=True)
class OwnLatency:
    """What runs say about latencies.

    entry_ms, response_ms : observed delays by class of action, and of reports
    shift_ms              : largest shift between the clocks of a run that was needed
    """

    entry_ms: dict[str, NDArray[np.float64]]
    response_ms: NDArray[np.float64]
    shift_ms: float

    @property
    def base(self) -> str | None:
        """The class with the smallest median among those that were seen often enough."""
        enough = [name for name in CLASSES if len(self.entry_ms[name]) >= NEEDED]
        return min(enough, key=lambda name: float(np.median(self.entry_ms[name])), default=None)

    def bumps_ms(self) -> dict[str, float]:
        """Return what each class that was seen often enough is slower than the base."""
        base = self.base
        if base is None:
            return {}
        least = float(np.median(self.entry_ms[base]))
        more = {name: float(np.median(ms)) - least for name, ms in self.entry_ms.items() if len(ms) >= NEEDED}
        return {name: round(ms, 3) if ms >= BUMP_MS_MIN else 0.0 for name, ms in more.items()}


def own_latency(runs: list[OwnRun]) -> OwnLatency:
    """Return the delays of all runs together."""
    entry: dict[str, list[NDArray[np.float64]]] = {name: [] for name in CLASSES}
    responses, shift_max = [], 0.0
    for run in runs:
        found = {name: ns / NS_PER_MS for name, ns in _entries_ns(run).items()}
        response = run.responses_ns / NS_PER_MS
        shift = _shift_ms(np.concatenate(list(found.values())), response)
        shift_max = max(shift_max, shift, key=abs)
        for name, ms in found.items():
            entry[name].append(ms + shift)
        responses.append(response - shift)
    return OwnLatency(
        {name: np.concatenate(ms) for name, ms in entry.items()}, np.concatenate(responses), shift_max
    )


def _entries_ns(run: OwnRun) -> dict[str, NDArray[np.int64]]:
    orders = run.orders
    answered = orders[orders["answered_ns"] > 0]
    is_post_only = (answered["flags"] & Flag.POST_ONLY) != 0
    delay_ns = answered["answered_ns"] - answered["decided_ns"]
    ended = orders[(orders["cancel_decided_ns"] > 0) & (orders["canceled_ns"] > 0)]
    return {
        "post_only": delay_ns[is_post_only],
        "taker": delay_ns[~is_post_only],
        "cancel": ended["canceled_ns"] - ended["cancel_decided_ns"],
    }


def _shift_ms(entry: NDArray[np.float64], response: NDArray[np.float64]) -> float:
    """Return what must be added to the entry leg, and taken off the other, so that neither is negative."""
    if not len(entry) or not len(response):
        return 0.0
    return (
        float(min(max(0.0, -entry.min()), response.min()))
        if entry.min() < 0
        else float(min(0.0, response.min()))
    )


def law_of(delays_ms: NDArray[np.float64]) -> Law:
    """Return the law of observed delays. delays_ms : (n,), n at least 1"""
    ordered = np.sort(np.maximum(delays_ms, 0.0))
    n = len(ordered)
    half = 0.5 * Z_95 * math.sqrt(n)
    ends = [ordered[max(0, min(n - 1, math.floor(n / 2 + step)))] for step in (-half, half)]
    median = (float(ends[0]), float(np.median(ordered)), float(ends[1]))
    spread = float(np.quantile(ordered, 0.99) - np.quantile(ordered, 0.01))
    pairs = tuple((share, float(np.quantile(ordered, share))) for share in SHARES)
    return Law(median, () if spread < CONSTANT_MS else pairs, n)
