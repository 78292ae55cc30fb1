"""What a sweep says: every trial's ratios, and whether the best is more than luck."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from makerside import __version__
from makerside.model.units import E8
from makerside.research.performance import Performance, performance
from makerside.research.selection import Verdict, judge
from makerside.research.sweep import results_sha256, returns_matrix
from makerside.research.trial import SharedMarket, Trial

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Ranked:
    """A trial with its ratios; None where it lost everything. drawdown_usd : deepest fall of the equity"""

    trial: Trial
    performance: Performance | None
    drawdown_usd: float

    @property
    def net(self) -> float:
        """Net PnL, as a float for charts."""
        return float(self.trial.figures["net"])


@dataclass(frozen=True, slots=True)
class SweepFacts:
    """A sweep, worked out. ranked : by Sharpe ratio, best first; the verdict's best is the first of them"""

    market: SharedMarket
    trials: list[Trial]
    ranked: list[Ranked]
    verdict: Verdict


def sweep_facts(trials: Sequence[Trial], market: SharedMarket) -> SweepFacts:
    """Return what a complete sweep says."""
    verdict = judge(returns_matrix(trials))
    ranked = [_ranked(trial, market.period_s) for trial in trials]
    order = sorted(range(len(trials)), key=lambda i: (i != verdict.best, -_sharpe(ranked[i]), i))
    return SweepFacts(market, list(trials), [ranked[i] for i in order], verdict)


def _ranked(trial: Trial, period_s: float) -> Ranked:
    equity = trial.equity_e8 / E8
    found = performance(equity, period_s) if equity.min() > 0 else None
    return Ranked(trial, found, float(np.max(np.maximum.accumulate(equity) - equity)))


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
        "seconds": round(seconds, 3),
        "period_s": facts.market.period_s,
        "verdict": _plain(judged),
        "best": [_row(one) for one in facts.ranked[:SHOWN]],
        "configuration_of_best": config_of_best,
        "results_sha256": results_sha256(facts.trials),
    }


def _row(one: Ranked) -> dict[str, Any]:
    ratios = one.performance.as_dict() if one.performance is not None else None
    return {
        "index": one.trial.index,
        "settings": one.trial.settings,
        "figures": one.trial.figures,
        "markouts_bps": one.trial.markouts,
        "performance": ratios,
    }


def _plain(value: Any) -> Any:
    """Return JSON values: what is not finite becomes a text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(value)
    return value


def verdict_lines(verdict: Verdict) -> list[str]:
    """Return what is to be said of the best, one sentence each."""
    lines = ["There is a winner." if verdict.has_winner else "No winner."]
    lines += [f"Because {reason}." for reason in verdict.reasons]
    if np.isfinite(verdict.deflated):
        lines.append(
            f"Probability that the best is better than luck among {verdict.trials} trials: "
            f"{verdict.deflated:.3f}. They are as unlike as {verdict.trials_effective:.1f} independent ones."
        )
    if verdict.overfitting is not None:
        lines.append(
            f"Probability of overfitting: {verdict.overfitting.probability:.2f} "
            f"({verdict.overfitting.splits:,} ways to cut the time in halves)."
        )
    if np.isfinite(verdict.periods_min):
        lines.append(
            f"It takes {verdict.periods_min:,.0f} periods like these to be sure at 95 %; there are "
            f"{verdict.periods:,}."
        )
    return lines
