"""What a sweep says: every trial's ratios, whether the best is more than luck, and what choosing is worth."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside import __version__
from makerside.model.units import E8, NS_PER_S
from makerside.research.performance import Performance, moments, performance
from makerside.research.selection import Verdict, judge, probabilistic_sharpe, sharpes_of
from makerside.research.sweep import results_sha256, returns_matrix
from makerside.research.trial import SharedMarket, Trial
from makerside.research.walk import BOTH, Walk, walk

SHOWN = 20
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Activity:
    """What a set did for its money; NaN where it did not trade.

    turnover_daily : volume over the equity at the start, per day
    fill_ratio     : orders that were filled, at least in part, of those placed
    spread_bps, inventory_bps, fees_bps, net_bps : parts of the result, per volume
    markout_bps, markout_ci_bps : 5 s after the fill, and half its 95 % interval
    holding_s      : mean time that a position was held;  inventory_usd : mean position, without its sign
    """

    turnover_daily: float
    fill_ratio: float
    spread_bps: float
    inventory_bps: float
    fees_bps: float
    net_bps: float
    markout_bps: float
    markout_ci_bps: float
    holding_s: float
    inventory_usd: float
    position_usd_max: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """A trial with its ratios.

    performance  : None where it lost everything
    drawdown_usd : deepest fall of the equity
    probability  : that it is better than what luck reaches in as many trials
    """

    trial: Trial
    performance: Performance | None
    activity: Activity
    drawdown_usd: float
    probability: float

    @property
    def net(self) -> float:
        """Net PnL, as a float for charts."""
        return float(self.trial.figures["net"])


@dataclass(frozen=True, slots=True)
class SweepFacts:
    """A sweep, worked out.

    ranked : by Sharpe ratio, best first; the verdict's best is the first of them
    walks  : rolling and anchored
    varying: settings that differ between sets, in the order of the grid
    drawn  : how the sets were drawn from the grid, None when all of it was run
    """

    market: SharedMarket
    trials: list[Trial]
    ranked: list[Ranked]
    verdict: Verdict
    walks: tuple[Walk, ...]
    varying: tuple[str, ...]
    drawn: dict[str, int] | None = None


def sweep_facts(
    trials: Sequence[Trial], market: SharedMarket, drawn: dict[str, int] | None = None
) -> SweepFacts:
    """Return what a complete sweep says."""
    returns = returns_matrix(trials)
    verdict = judge(returns)
    equity_usd = np.column_stack([trial.equity_e8 for trial in trials]) / E8
    held = np.array([int(trial.figures["holding_ns_mean"]) / NS_PER_S for trial in trials]) / market.period_s
    walks = tuple(walk(returns, equity_usd, held, is_anchored) for is_anchored in BOTH)
    reasons = dict.fromkeys((*verdict.reasons, *(one.reason for one in walks if one.reason)))
    verdict = replace(verdict, reasons=tuple(reasons))
    probabilities = _probabilities(returns, verdict.threshold)
    ranked = [_ranked(one, market, chance) for one, chance in zip(trials, probabilities, strict=True)]
    order = sorted(range(len(trials)), key=lambda i: (i != verdict.best, -_sharpe(ranked[i]), i))
    return SweepFacts(market, list(trials), [ranked[i] for i in order], verdict, walks, _varying(trials), drawn)


def _varying(trials: Sequence[Trial]) -> tuple[str, ...]:
    return tuple(key for key in trials[0].settings if len({trial.settings[key] for trial in trials}) > 1)


def _probabilities(returns: NDArray[np.float64], threshold: float) -> list[float]:
    """Return the probability of each trial to be better than luck; the deflated Sharpe ratio of the best."""
    sharpes = sharpes_of(returns).tolist()
    return [
        probabilistic_sharpe(sharpe, threshold, len(returns), *moments(returns[:, i]))
        for i, sharpe in enumerate(sharpes)
    ]


def _ranked(trial: Trial, market: SharedMarket, probability: float) -> Ranked:
    equity = trial.equity_e8 / E8
    found = performance(equity, market.period_s) if equity.min() > 0 else None
    drawdown_usd = float(np.max(np.maximum.accumulate(equity) - equity))
    return Ranked(trial, found, activity_of(trial, market), drawdown_usd, probability)


def activity_of(trial: Trial, market: SharedMarket) -> Activity:
    """Return what a trial did for its money."""
    figures = trial.figures
    volume, placed = float(figures["volume"]), int(figures["orders_placed"])
    days = float(market.sample_ns[-1] - market.sample_ns[0]) / NS_PER_S / DAY_S
    parts = {
        f"{name}_bps": 1e4 * float(figures[name]) / volume if volume else math.nan
        for name in ("spread", "inventory", "fees", "net")
    }
    return Activity(
        turnover_daily=volume / (trial.equity_e8[0] / E8) / days,
        fill_ratio=int(figures["orders_filled"]) / placed if placed else math.nan,
        **parts,
        markout_bps=trial.markouts.get("5", math.nan),
        markout_ci_bps=float(figures.get("markout_ci_bps_5s", math.nan)),
        holding_s=int(figures["holding_ns_mean"]) / NS_PER_S if volume else math.nan,
        inventory_usd=float(figures["inventory_usd_mean"]),
        position_usd_max=float(figures["position_usd_max"]),
    )


def _sharpe(one: Ranked) -> float:
    """Return what trials are ranked by; a trial without a ratio did nothing (0) or lost everything."""
    if one.performance is None:
        return -np.inf
    value = one.performance.sharpe_annual
    return 0.0 if np.isnan(value) else value


def summarize_sweep(facts: SweepFacts, config_of_best: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return the sweep's summary.json. seconds : what it took, this call alone"""
    verdict, tape = facts.verdict, facts.market.tape
    judged = asdict(verdict)
    judged["has_winner"] = verdict.has_winner
    return {
        "makerside": __version__,
        "mode": "sweep",
        "symbols": [instrument.symbol for instrument in tape.instruments],
        "rows": len(tape.events),
        "sets": len(facts.trials),
        "drawn": facts.drawn,
        "seconds": round(seconds, 3),
        "period_s": facts.market.period_s,
        "verdict": plain(judged),
        "walk_forward": [_walk_values(one, facts) for one in facts.walks],
        "best": [_row(one) for one in facts.ranked[:SHOWN]],
        "configuration_of_best": config_of_best,
        "results_sha256": results_sha256(facts.trials),
    }


def _row(one: Ranked) -> dict[str, Any]:
    ratios = one.performance.as_dict() if one.performance is not None else None
    row = {
        "index": one.trial.index,
        "settings": one.trial.settings,
        "probability": one.probability,
        "figures": one.trial.figures,
        "markouts_bps": one.trial.markouts,
        "activity": asdict(one.activity),
        "drawdown_usd": one.drawdown_usd,
        "performance": ratios,
    }
    found: dict[str, Any] = plain(row)
    return found


def _walk_values(one: Walk, facts: SweepFacts) -> dict[str, Any]:
    period_s = facts.market.period_s
    values = asdict(one)
    del values["is_anchored"], values["purge"], values["embargo"], values["held"]
    steps = [
        {
            **step,
            "chosen": facts.trials[step["chosen"]].index,
            "settings": facts.trials[step["chosen"]].settings,
        }
        for step in values["steps"]
    ]
    times = {
        "purge_s": one.purge * period_s,
        "embargo_s": one.embargo * period_s,
        "held_s": one.held * period_s,
    }
    found: dict[str, Any] = plain({"name": one.name, **times, **values, "steps": steps})
    return found


def plain(value: Any) -> Any:
    """Return JSON values: NaN becomes null, infinity a text."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(value)
    return value
