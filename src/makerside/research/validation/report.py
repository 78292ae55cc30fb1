"""The page of a validation: what was compared, what was found, and the pictures worth seeing."""

import html
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from makerside.research.charts import to_html
from makerside.research.report import write_page
from makerside.research.validation.rows import Row
from makerside.research.validation.suite import Result

ABOUT = (
    "Known results, run again: each row is a number that is published, exact or proven, and what this version "
    "finds, with 95 % intervals where something is random."
)
QUICK = "Quick: fewer paths, wider intervals; a row passes when its interval reaches the accepted range."


def write_validation(path: Path, results: Sequence[Result], is_quick: bool) -> None:
    """Write the page; it opens without a network."""
    write_page(path, "Validation", "\n".join(_sections(results, is_quick)))


def accepted(row: Row) -> str:
    """Return the accepted range as text."""
    if math.isinf(row.low):
        return f"up to {row.high:{row.form}}"
    if math.isinf(row.high):
        return f"from {row.low:{row.form}}"
    return f"{row.low:{row.form}} to {row.high:{row.form}}" if row.low < row.high else f"{row.low:{row.form}}"


def found(row: Row) -> str:
    """Return what was found, with its interval, as text."""
    if row.half_width == 0.0:
        return f"{row.found:{row.form}}"
    return f"{row.found:{row.form}} \u00b1 {row.half_width:{row.form}}"


def _sections(results: Sequence[Result], is_quick: bool) -> Iterator[str]:
    total = sum(len(result.finding.rows) for result in results)
    failed = sum(result.failures(is_quick) for result in results)
    css = "bad" if failed else "good"
    words = f"{failed} of {total} rows fail" if failed else f"all {total} rows pass"
    yield f"<h2 class='{css}'>{words}</h2>"
    yield f"<p class='note'>{ABOUT}</p>"
    if is_quick:
        yield f"<p class='note'>{QUICK}</p>"
    yield _tiles(results, is_quick)
    for result in results:
        yield f"<h2>{html.escape(result.finding.title)}</h2>"
        yield f"<p class='note'>{html.escape(result.finding.about)}</p>"
        yield f"<p class='note'>Source: {html.escape(result.finding.source)}. {result.taken_s:,.1f} s.</p>"
        yield _table(result.finding.rows, is_quick)
        for chart in result.finding.charts:
            yield f"<h2>{html.escape(chart.title)}</h2><p class='note'>{html.escape(chart.note)}</p>"
            yield to_html(chart.draw())
        yield _settings(result)


def _tiles(results: Sequence[Result], is_quick: bool) -> str:
    cells = []
    for result in results:
        rows, failed = len(result.finding.rows), result.failures(is_quick)
        css = "bad" if failed else "good"
        name = result.name.replace("_", " ")
        cells.append(
            f"<div class='tile'><b class='{css}'>{rows - failed} / {rows}</b><span>{name}</span></div>"
        )
    return f"<div class='tiles'>{''.join(cells)}</div>"


def _table(rows: Sequence[Row], is_quick: bool) -> str:
    lines = []
    for row in rows:
        is_passed = row.is_passed(is_quick)
        note = f"<br><span style='color:var(--soft)'>{html.escape(row.note)}</span>" if row.note else ""
        cells = (
            f"{html.escape(row.what)}{note}",
            html.escape(row.reference),
            html.escape(found(row)),
            html.escape(accepted(row)),
            f"<span class='{'good' if is_passed else 'bad'}'>{'pass' if is_passed else 'FAIL'}</span>",
        )
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("what", "known", "found", "accepted", ""))
    return f"<table class='figures'><tr>{head}</tr>{''.join(lines)}</table>"


def _settings(result: Result) -> str:
    parts = []
    for name, value in result.finding.settings.items():
        if isinstance(value, dict | list):
            continue  # in validation.json
        parts.append(f"{name.replace('_', ' ')}: {value}")
    return f"<p class='note'>{html.escape('; '.join(parts))}</p>" if parts else ""
