"""The words of a sweep: one set of columns and sentences for the terminal and the report."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from makerside.research.performance import Performance
from makerside.research.selection import Verdict
from makerside.research.sweep_summary import Ranked, SweepFacts
from makerside.research.walk import Walk

NOT_KNOWN = "n/a"
CALMAR_MAX = 10_000.0


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of a set. is_short : shown in the terminal too;  css : of its cells in the report"""

    word: str
    meaning: str
    text: Callable[[Ranked], str]
    is_short: bool = False
    css: str = ""


def number(value: float | None, form: str) -> str:
    """Return a number as text, n/a where there is none."""
    return NOT_KNOWN if value is None or not math.isfinite(value) else format(value, form)


def short(key: str) -> str:
    """Return a setting's name without the room that most of them are in."""
    return key.removeprefix("strategy.")


def settings_text(one: Ranked, facts: SweepFacts, separator: str = ", ") -> str:
    """Return the settings that vary in this sweep."""
    keys = facts.varying or list(one.trial.settings)
    return separator.join(f"{short(key)} {one.trial.settings[key]}" for key in keys)


def _ratio(name: str, form: str) -> Callable[[Ranked], str]:
    return lambda one: number(getattr(one.performance, name, None), form)


def _calmar(one: Ranked) -> str:
    """Return the ratio where a year can be told from the data: growth of minutes to its power is no number."""
    value = one.performance.calmar if one.performance is not None else math.nan
    return number(value, ",.1f") if abs(value) < CALMAR_MAX else NOT_KNOWN


def _did(name: str, form: str) -> Callable[[Ranked], str]:
    return lambda one: number(getattr(one.activity, name), form)


def _win_rate(one: Ranked) -> str:
    found: Performance | None = one.performance
    if found is None or math.isnan(found.win_rate):
        return NOT_KNOWN
    return f"{found.win_rate:.0%} ({found.win_rate_low:.0%} to {found.win_rate_high:.0%})"


def _markout(one: Ranked) -> str:
    text = number(one.activity.markout_bps, "+.2f")
    ci = one.activity.markout_ci_bps
    return text if math.isnan(ci) else f"{text} ± {ci:.2f}"


COLUMNS = (
    Column("net USD", "what the set made, everything included", lambda one: f"{one.net:+,.2f}", True, "strong"),
    Column(
        "better than luck",
        "probability that its Sharpe ratio is above what the best of as many sets without skill would show "
        "(deflated Sharpe ratio); 0.95 is asked for",
        lambda one: number(one.probability, ".3f"),
        True,
        "strong",
    ),
    Column("Sharpe", "mean over deviation of returns, a year", _ratio("sharpe_annual", ",.1f"), True),
    Column("Sortino", "mean over downside deviation, a year", _ratio("sortino_annual", ",.1f")),
    Column(
        "Calmar",
        "yearly growth over drawdown; n/a where so short a time says nothing",
        _calmar,
    ),
    Column("drawdown USD", "deepest fall of the equity", lambda one: f"{one.drawdown_usd:,.2f}", True),
    Column("profit factor", "gains over losses, by periods", _ratio("profit_factor", ".2f")),
    Column("win rate", "share of the periods that gained, with its 95 % interval", _win_rate),
    Column("fills", "executions", lambda one: f"{one.trial.figures['fills']:,}", True),
    Column(
        "fill ratio",
        "orders that were filled, at least in part, of those placed",
        _did("fill_ratio", ".1%"),
        True,
    ),
    Column("turnover", "volume over the equity at the start, a day", _did("turnover_daily", ",.2f")),
    Column("net bps", "net per volume", _did("net_bps", "+.2f")),
    Column(
        "spread bps",
        "spread captured: distance of fills from the mid before them",
        _did("spread_bps", "+.2f"),
        True,
    ),
    Column("inventory bps", "what holding gained or lost, per volume", _did("inventory_bps", "+.2f")),
    Column("fees bps", "fees per volume", _did("fees_bps", ".2f")),
    Column("markout 5 s bps", "move of the mid after fills, with its 95 % interval", _markout, True),
    Column("holding s", "mean time that a position was held", _did("holding_s", ",.1f")),
    Column("inventory USD", "mean position, without its sign", _did("inventory_usd", ",.2f")),
    Column("largest position USD", "of one symbol", _did("position_usd_max", ",.2f")),
)


def table_lines(facts: SweepFacts, rows: int) -> list[str]:
    """Return the best sets as a table of plain text, the short columns."""
    columns = [column for column in COLUMNS if column.is_short]
    keys = facts.varying
    cells = [[short(key) for key in keys] + [column.word for column in columns]]
    for one in facts.ranked[:rows]:
        cells.append([one.trial.settings[key] for key in keys] + [column.text(one) for column in columns])
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in cells]


def headline(verdict: Verdict) -> str:
    """Return the answer."""
    return "There is a winner." if verdict.has_winner else "No winner."


def verdict_lines(facts: SweepFacts) -> list[str]:
    """Return what is to be said of the best, one sentence each; the answer first."""
    verdict = facts.verdict
    lines = [headline(verdict), *(f"Because {reason}." for reason in verdict.reasons)]
    if np.isfinite(verdict.deflated):
        lines.append(
            f"Probability that the best is better than luck among {verdict.trials:,} trials: "
            f"{verdict.deflated:.3f}. They are as unlike as {verdict.trials_effective:.1f} independent ones."
        )
    if verdict.overfitting is not None:
        lines.append(
            f"Probability of overfitting: {verdict.overfitting.probability:.2f} "
            f"({verdict.overfitting.splits:,} ways to cut the time in halves); of a loss in the other half: "
            f"{verdict.overfitting.loss_probability:.2f}."
        )
    if np.isfinite(verdict.periods_min):
        lines.append(
            f"It takes {verdict.periods_min:,.0f} periods like these to be sure at 95 %; there are "
            f"{verdict.periods:,}."
        )
    return lines + [walk_line(one, facts) for one in facts.walks if one.steps]


def walk_line(one: Walk, facts: SweepFacts) -> str:
    """Return a walk-forward in a sentence."""
    period_s = facts.market.period_s
    wins = sum(step.net_usd > 0 for step in one.steps)
    return (
        f"Walk-forward, {one.name}: the best by the past made {one.net_usd:+,.2f} USD in {len(one.steps)} "
        f"tests, {wins} of them with a gain; purge {_time(one.purge * period_s)}, embargo "
        f"{_time(one.embargo * period_s)}, positions were held {_time(one.held * period_s)} on average."
    )


def _time(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds < 120 else f"{seconds / 60:,.1f} min"


def sets_text(facts: SweepFacts) -> str:
    """Return how many sets there are, and how they were drawn."""
    text = f"{len(facts.trials):,} sets over {len(facts.market.tape.events):,} rows"
    if facts.drawn is not None:
        text += f", drawn from {facts.drawn['of']:,} with seed {facts.drawn['seed']}"
    return text
