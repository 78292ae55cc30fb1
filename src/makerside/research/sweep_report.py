"""The report of a sweep: one HTML file; the honest probability stands next to every best."""

import html
from collections.abc import Iterator, Sequence
from pathlib import Path

from makerside.research.charts import to_html
from makerside.research.report import write_page
from makerside.research.sweep_charts import (
    effects,
    equity_chart,
    facet_keys,
    heat_maps,
    markout_chart,
    one_setting,
    pareto_chart,
)
from makerside.research.sweep_summary import SHOWN, SweepFacts
from makerside.research.sweep_words import (
    COLUMNS,
    headline,
    number,
    sets_text,
    settings_text,
    short,
    verdict_lines,
)
from makerside.research.walk import Walk
from makerside.research.walk_charts import walk_bands, walk_curves

WIDE_STYLE = (
    "<style>.wide{overflow-x:auto} .wide table{font-size:13px} .wide th,.wide td{padding:3px 12px 3px 0;"
    "text-align:right;white-space:nowrap} td.strong{font-weight:600} tr.first td{background:var(--tile)}"
    " details{margin:10px 0} summary{cursor:pointer;color:var(--soft)}</style>"
)


def write_sweep_report(path: Path, facts: SweepFacts, title: str, results_sha256: str) -> None:
    """Write the report of a complete sweep."""
    write_page(path, title, WIDE_STYLE + "\n".join(_sections(facts, results_sha256)))


def _sections(facts: SweepFacts, results_sha256: str) -> Iterator[str]:
    yield _note(
        f"{sets_text(facts)}; {len(facts.market.sample_ns) - 1:,} periods of {facts.market.period_s:,.1f} s; "
        f"results sha256 {results_sha256[:16]}"
    )
    yield from _verdict(facts)
    yield "<h2>Best sets</h2>"
    yield _note(
        "By Sharpe ratio. The order is that of one stretch of data: mind the second figure of each row."
    )
    yield _best(facts)
    yield _words()
    yield "<h2>Equity of the best</h2>"
    yield to_html(equity_chart(facts))
    yield "<h2>After their fills</h2>"
    yield _note(
        "Markouts: mean move of the mid after a fill, in our favour, weighted by size, before fees, with its "
        "95 % interval. Below zero: the set is picked off."
    )
    yield to_html(markout_chart(facts))
    yield from _walks(facts)
    yield from _maps(facts)
    yield "<h2>What was risked for it</h2>"
    yield _note(
        "Each point is a set, the darker the better than luck. Left: the deepest fall of its equity. Right: "
        "its mean position. On the line, none is better in both."
    )
    yield to_html(pareto_chart(facts))


def _verdict(facts: SweepFacts) -> Iterator[str]:
    verdict = facts.verdict
    css = "good" if verdict.has_winner else "bad"
    yield f"<h2 class='{css}'>{html.escape(headline(verdict))}</h2>"
    yield "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in verdict_lines(facts)[1:]) + "</ul>"
    overfitting = verdict.overfitting.probability if verdict.overfitting is not None else None
    tiles = [
        ("net USD of the best", f"{facts.ranked[0].net:+,.2f}"),
        ("better than luck", number(verdict.deflated, ".3f")),
        ("probability of overfitting", number(overfitting, ".2f")),
        *((f"walk-forward, {one.name}, USD", number(one.net_usd, "+,.2f")) for one in facts.walks),
        ("sets tried", f"{verdict.trials:,}"),
    ]
    cells = "".join(
        f"<div class='tile'><b>{html.escape(v)}</b><span>{html.escape(k)}</span></div>" for k, v in tiles
    )
    yield f"<div class='tiles'>{cells}</div>"


def _best(facts: SweepFacts) -> str:
    keys = facts.varying or list(facts.trials[0].settings)
    head = [*(short(key) for key in keys), *(column.word for column in COLUMNS)]
    rows = []
    for one in facts.ranked[:SHOWN]:
        cells = [(one.trial.settings[key], "") for key in keys]
        rows.append(cells + [(column.text(one), column.css) for column in COLUMNS])
    return _table(head, rows)


def _words() -> str:
    rows = [[(column.word, ""), (column.meaning, "")] for column in COLUMNS]
    return f"<details><summary>What the words mean</summary>{_table(['word', 'meaning'], rows, '')}</details>"


def _walks(facts: SweepFacts) -> Iterator[str]:
    yield "<h2>Walk-forward: what choosing is worth</h2>"
    walks = [one for one in facts.walks if one.steps]
    if not walks:
        yield _note(f"None: {facts.walks[0].reason}.")
        return
    yield _note(
        "The best set of each stretch is traded in the test that follows it. Left out between them: the time "
        "that positions are held (purge), and as much again (embargo)."
    )
    yield to_html(walk_bands(walks, facts))
    yield to_html(walk_curves(walks, facts))
    for one in walks:
        yield f"<details><summary>What was chosen, {one.name}</summary>{_steps(one, facts)}</details>"


def _steps(one: Walk, facts: SweepFacts) -> str:
    by_index = {ranked.trial.index: ranked for ranked in facts.ranked}
    rows = []
    for i, step in enumerate(one.steps, 1):
        chosen = by_index[facts.trials[step.chosen].index]
        texts = [f"{i}", settings_text(chosen, facts), f"{step.net_usd:+,.2f}", f"{step.median_usd:+,.2f}"]
        rows.append([(text, "") for text in [*texts, f"{step.better_than:.0%}"]])
    words = [
        "test",
        "chosen by the past",
        "net USD",
        "middle one of all sets, USD",
        "better than, of the others",
    ]
    chance = number(one.probability, ".2f")
    note = _note(f"Probability that the Sharpe ratio of all tests together is above 0: {chance}.")
    return _table(words, rows) + note


def _maps(facts: SweepFacts) -> Iterator[str]:
    shares = effects(facts)
    if not shares:
        return
    keys = [key for key, _ in shares]
    yield f"<h2>Net PnL by {html.escape(' and '.join(short(key) for key in keys[:2]))}</h2>"
    told = ", ".join(f"{short(key)} {share:.0%}" for key, share in shares)
    yield _note(f"Share of the differences in net PnL that each setting explains by itself: {told}.")
    if len(keys) == 1:
        yield to_html(one_setting(facts, keys[0]))
        return
    averaged = [key for key in keys[2:] if key not in facet_keys(facts, keys[2:])]
    mean = f" Mean over {', '.join(short(key) for key in averaged)}." if averaged else ""
    chance = number(facts.ranked[0].probability, ".3f")
    yield _note(
        f"USD. Islands are luck; a good region is wide.{mean} Outlined: the best, better than luck {chance}."
    )
    yield to_html(heat_maps(facts))


def _note(text: str) -> str:
    return f"<p class='note'>{html.escape(text)}</p>"


def _table(head: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]], css: str = "wide") -> str:
    """Return a table. rows : cells as (text, css class)"""
    body = "".join(
        "<tr>" + "".join(f"<td class='{name}'>{html.escape(text)}</td>" for text, name in row) + "</tr>"
        for row in rows
    )
    heads = "".join(f"<th>{html.escape(text)}</th>" for text in head)
    return f"<div class='{css}'><table><tr>{heads}</tr>{body}</table></div>"
