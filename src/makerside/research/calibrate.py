"""Calibration: what our own runs say about the exchange that a backtest should simulate.

    folders -> own orders -> queue exponent, latency law, A and k, slippage -> profile

Each figure has its interval and the number of observations behind it. Where these are too few the figure says
how many are missing, and the setting keeps its default. The profile's three levels are the ends of the band of
everything that was found, all on the careful side, or all on the other, and its middle.

Next: `queue_fit.py`, `own_latency.py`, `own_intensity.py`; the file itself is written by `profile_text.py`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.config.profile import LEVELS
from makerside.model.errors import UserError
from makerside.research.own_intensity import FILLS_NEEDED, fit_own_intensity
from makerside.research.own_latency import CLASSES, NEEDED, Z_95, OwnLatency, law_of, own_latency
from makerside.research.own_orders import OwnRun, read_run
from makerside.research.queue_fit import DROP_95, INFORMATIVE_NEEDED, Paths, QueueFit, fit_queue
from makerside.research.queue_paths import distance_bps, paths_of, slack_of

TAKERS_NEEDED = 20
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured, or was not.

    setting           : dotted path that it belongs to, "" where it is only for readers
    low, middle, high : value with its 95 % interval; None when there is not enough to go by
    n, needed         : observations behind it, and how many it takes
    note              : what else there is to say
    """

    name: str
    unit: str
    setting: str
    n: int
    needed: int
    low: float | None = None
    middle: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def is_known(self) -> bool:
        """Whether there was enough to go by."""
        return self.middle is not None


@dataclass(frozen=True, slots=True)
class Calibration:
    """What runs say. settings : section `simulation` by level: low fills us less, high more"""

    runs: list[str]
    figures: list[Figure]
    settings: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Walked:
    """Everything that the paths of all runs and instruments give."""

    markets: list[Paths]
    fills_bps: NDArray[np.float64]
    exposure_s: NDArray[np.float64]


def calibrate(folders: list[Path], seed: int = 1, on_progress: Progress | None = None) -> Calibration:
    """Return what the runs in some folders say.

    on_progress : called with (what, done, in all); Ctrl-C inside or between calls ends it, nothing is written
    errors      : UserError for a folder that is given twice, JournalError for one that holds no usable run
    """
    for folder in folders:
        if sum(other.resolve() == folder.resolve() for other in folders) > 1:
            raise UserError(f"{folder}: is given twice; its orders would count twice")
    runs = []
    for done, folder in enumerate(folders):
        _tell(on_progress, "read", done, len(folders))
        runs.append(read_run(folder))
    return calibrate_runs(runs, seed, on_progress)


def calibrate_runs(runs: list[OwnRun], seed: int = 1, on_progress: Progress | None = None) -> Calibration:
    """Return what some runs say. Parameters: see `calibrate`."""
    walked = _walk(runs, on_progress)
    fit, n_informative = fit_queue(
        walked.markets, seed, lambda done, total: _tell(on_progress, "queue", done, total)
    )
    latency = own_latency(runs)
    settings: dict[str, dict[str, Any]] = {level: {} for level in LEVELS}
    figures = [_queue_figure(fit, n_informative)]
    if fit is not None:
        exponents = {"low": fit.slow, "middle": fit.middle, "high": fit.fast}
        for level, exponent in exponents.items():
            settings[level] |= {"queue": fit.family.name.lower(), "queue_exponent": round(exponent, 4)}
    figures += _latency_figures(latency, settings)
    figures += _intensity_figures(walked, seed)
    figures.append(_slippage_figure(runs))
    return Calibration([run.name for run in runs], figures, settings)


def _tell(on_progress: Progress | None, what: str, done: int, total: int) -> None:
    if on_progress is not None:
        on_progress(what, done, total)


def _walk(runs: list[OwnRun], on_progress: Progress | None) -> _Walked:
    todo = [(run, i) for run in runs for i in range(len(run.record.instruments))]
    markets, fills = [], []
    exposure_s = np.zeros(len(distance_bps()))
    for done, (run, instrument) in enumerate(todo):
        _tell(on_progress, "paths", done, len(todo))
        orders, path, stood_s = paths_of(run, instrument)
        lot_size = float(run.record.instruments[instrument].lot_size)
        markets.append(Paths(orders, path, slack_of(run), lot_size))
        filled = orders[orders["fill_mid_x2_ticks"] > 0]
        mid_x2 = filled["fill_mid_x2_ticks"]
        fills.append(filled["side"] * (mid_x2 - 2 * filled["price_ticks"]) / mid_x2 * 1e4)
        exposure_s += stood_s
    return _Walked(markets, np.concatenate(fills), exposure_s)


def _queue_figure(fit: QueueFit | None, n_informative: int) -> Figure:
    name, setting = "queue_exponent", "simulation.queue_exponent"
    if fit is None:
        return Figure(name, "", setting, n_informative, INFORMATIVE_NEEDED, note="orders whose fill tells it")
    others = ", ".join(
        f"{other} {lost:.0f}" for other, lost in sorted(fit.behind.items(), key=lambda one: one[1])
    )
    note = (
        f"{fit.family.name.lower()}; {fit.n_orders} orders, {fit.n_filled} filled by a print at their price; "
        f"log-likelihood that others lose: {others}"
    )
    better = min(fit.behind, key=lambda other: fit.behind[other])
    if fit.behind[better] < -DROP_95:
        note += f"; {better} explains these orders better"
    if fit.is_open:
        note += "; the band ends where the search ends"
    return Figure(name, "", setting, n_informative, INFORMATIVE_NEEDED, fit.low, fit.middle, fit.high, note)


def _latency_figures(latency: OwnLatency, settings: dict[str, dict[str, Any]]) -> list[Figure]:
    """Return the figures of the latency law, and write its settings."""
    base = latency.base
    seen = max(len(ms) for ms in latency.entry_ms.values())
    counts = ", ".join(f"{len(latency.entry_ms[name])} {name}" for name in CLASSES)
    shift = f"; clocks shifted by {latency.shift_ms:.3f} ms" if latency.shift_ms else ""
    entry = latency.entry_ms[base] if base is not None else np.zeros(0)
    legs = (
        ("entry", entry, seen, f"{base or 'no class'} first; answers: {counts}{shift}"),
        ("response", latency.response_ms, len(latency.response_ms), f"reports{shift}"),
    )
    figures = []
    for leg, delays, n, note in legs:
        if len(delays) < NEEDED:
            figures.append(Figure(f"{leg}_ms", "ms", f"simulation.{leg}_ms", n, NEEDED, note=note))
            continue
        law = law_of(delays)
        shape = "constant" if not law.quantiles_ms else f"99 % {law.quantiles_ms[-3][1]:.1f} ms"
        for level in LEVELS:
            median, pairs = law.scaled(level)
            settings[level] |= {f"{leg}_ms": median, f"{leg}_quantiles_ms": pairs}
        note = f"median; {shape}; {note}"
        figures.append(Figure(f"{leg}_ms", "ms", f"simulation.{leg}_ms", law.n, NEEDED, *law.median_ms, note))
    for name, ms in latency.bumps_ms().items():
        for level in LEVELS:
            settings[level][f"{name}_bump_ms"] = ms
    return figures


def _intensity_figures(walked: _Walked, seed: int) -> list[Figure]:
    n = len(walked.fills_bps)
    names = (
        ("a_per_s", "1/s", "strategy.intensity_a_per_s"),
        ("k_per_bps", "1/bps", "strategy.intensity_k_per_bps"),
    )
    note = f"first fills of maker orders; {walked.exposure_s.sum():,.0f} s of exposure"
    if n < FILLS_NEEDED:
        return [Figure(name, unit, setting, n, FILLS_NEEDED, note=note) for name, unit, setting in names]
    fit = fit_own_intensity(walked.fills_bps, walked.exposure_s, distance_bps(), seed)
    if fit.is_open:
        note += "; the distances were too much alike to tell k"
        return [Figure(name, unit, setting, n, FILLS_NEEDED, note=note) for name, unit, setting in names]
    note += "; for readers: a profile sets no strategy"
    values = (fit.a_per_s, fit.k_per_bps)
    return [
        Figure(name, unit, setting, n, FILLS_NEEDED, *value, note)
        for (name, unit, setting), value in zip(names, values, strict=True)
    ]


def _slippage_figure(runs: list[OwnRun]) -> Figure:
    parts = [_slippages(run) for run in runs if len(run.taker_fills)]
    bps, lots = np.concatenate(parts, axis=1) if parts else np.zeros((2, 0))
    name, n = "slippage_bps", len(bps)
    note = "taker fills against the mid at the decision, weighted by size; positive costs"
    if n < TAKERS_NEEDED:
        return Figure(name, "bps", "", n, TAKERS_NEEDED, note=note)
    mean = float(np.average(bps, weights=lots))
    error = math.sqrt(float((lots**2 * (bps - mean) ** 2).sum())) / float(lots.sum())
    low, high = mean - Z_95 * error, mean + Z_95 * error
    return Figure(name, "bps", "", n, TAKERS_NEEDED, low, mean, high, note)


def _slippages(run: OwnRun) -> NDArray[np.float64]:
    """Return (bps, notional in lots) of taker fills against the mid that the bot saw when it decided."""
    from makerside.research.facts import facts_of

    trace = facts_of(run.record, run.journal).trace
    found = []
    for place, price, lots, side in run.taker_fills.tolist():
        order = run.orders[place]
        seen = trace[trace["instrument"] == order["instrument"]]
        at = int(np.searchsorted(seen["ts_local_ns"], order["decided_ns"], side="right")) - 1
        if at < 0:
            continue
        mid_x2 = int(seen["bid_ticks"][at] + seen["ask_ticks"][at])
        found.append((side * (2 * price - mid_x2) / mid_x2 * 1e4, float(lots)))
    return np.array(found, np.float64).reshape(-1, 2).T
