"""The report of a sweep: what its pictures show is what the trials say."""

import json
import re

import numpy as np
import pytest

from makerside.research.charts import POINTS_MAX
from makerside.research.sweep_charts import (
    effects,
    equity_chart,
    facet_keys,
    heat_maps,
    markout_chart,
    pareto,
    pareto_chart,
    time_unit,
)
from makerside.research.sweep_report import write_sweep_report
from makerside.research.sweep_summary import activity_of, sweep_facts
from makerside.research.sweep_words import COLUMNS, number, table_lines
from makerside.research.walk_charts import walk_bands, walk_curves
from research.test_sweep import market, recordings, sets, trials  # noqa: F401


@pytest.fixture(scope="module")
def facts(trials, market):  # noqa: F811
    return sweep_facts(trials, market)


def test_the_axes_are_what_matters_most(facts):
    """The share that a setting explains, by the sums of squares of its groups."""
    nets = np.array([float(trial.figures["net"]) for trial in facts.trials])
    shares = effects(facts)
    assert [share for _, share in shares] == sorted((share for _, share in shares), reverse=True)
    assert {key for key, _ in shares} == {"strategy.gamma_per_usd", "strategy.levels", "pacing.flush_ms"}
    for key, share in shares:
        values = np.array([trial.settings[key] for trial in facts.trials])
        within = sum(float(((nets[values == v] - nets[values == v].mean()) ** 2).sum()) for v in set(values))
        assert share == pytest.approx(1.0 - within / float(((nets - nets.mean()) ** 2).sum()))


def test_every_set_is_in_the_cell_of_its_settings(facts):
    figure = heat_maps(facts)
    keys = [key for key, _ in effects(facts)]
    facets = facet_keys(facts, keys[2:])
    assert facets == keys[2:]  # few enough: nothing is averaged
    titles = [one.text for one in figure.layout.annotations]
    assert len(titles) == len(figure.data)
    shown = {}
    for title, part in zip(titles, figure.data, strict=True):
        for row, y in zip(part.z, part.y, strict=True):
            for net, x in zip(row, part.x, strict=True):
                shown[title, x, y] = float(net)
    x_key, y_key = (
        next(key for key in keys if key.endswith(str(axis.title.text)))
        for axis in (figure.layout[f"xaxis{len(figure.data)}"], figure.layout.yaxis)
    )
    for trial in facts.trials:
        title = ", ".join(f"{key.removeprefix('strategy.')} {trial.settings[key]}" for key in facets)
        cell = shown.pop((title, trial.settings[x_key], trial.settings[y_key]))
        assert cell == pytest.approx(float(trial.figures["net"]), abs=1e-6)
    assert shown == {}


def test_the_best_of_every_picture_has_its_probability(facts):
    chance = f"better than luck {number(facts.ranked[0].probability, '.3f')}"
    assert facts.ranked[0].probability == pytest.approx(facts.verdict.deflated, nan_ok=True)
    assert equity_chart(facts).data[0].name.endswith(chance)
    points = [trace for trace in pareto_chart(facts).data if trace.mode == "markers"]
    assert len(points) == 2
    for trace in points:
        assert len(trace.x) == len(facts.trials) <= POINTS_MAX
        assert chance in trace.text[0]
    assert table_lines(facts, 1)[0].split()[-1] == "bps"
    assert number(facts.ranked[0].probability, ".3f") in table_lines(facts, 1)[1]


def test_markouts_are_those_of_the_best(facts):
    for one, trace in zip(facts.ranked, markout_chart(facts).data, strict=False):
        shown = {f"{x:g}": y for x, y in zip(trace.x, trace.y, strict=True)}
        assert shown == pytest.approx(one.trial.markouts, abs=1e-4)
        widths = [float(one.trial.figures[f"markout_ci_bps_{x:g}s"]) for x in trace.x]
        assert list(trace.error_y.array) == widths
        assert min(widths) > 0


def test_fronts_are_drawn_as_they_are(facts):
    lines = [trace for trace in pareto_chart(facts).data if trace.mode == "lines"]
    points = [(one.net, one.drawdown_usd) for one in facts.ranked]
    assert list(zip(lines[0].y, lines[0].x, strict=True)) == [points[i] for i in pareto(points)]


def test_the_walk_is_drawn_as_it_went(facts):
    walks = [one for one in facts.walks if one.steps]
    if not walks:
        pytest.fail(f"the data of this test are meant to have room for a walk: {facts.walks[0].reason}")
    tests = [trace for trace in walk_bands(walks, facts).data if trace.name == "test"]
    seconds = time_unit(facts)[1]
    for one, trace in zip(walks, tests, strict=True):
        starts = [step.fold.test_start * facts.market.period_s / seconds for step in one.steps]
        assert list(trace.base) == pytest.approx(starts)
        assert list(trace.text) == [f"{step.net_usd:+,.2f}" for step in one.steps]
    for one, trace in zip(walks, walk_curves(walks, facts).data, strict=False):
        assert trace.y[-1] == pytest.approx(one.net_usd, abs=1e-3)


def test_figures_of_a_set_are_those_of_its_trial(facts):
    for one in facts.ranked:
        figures, did = one.trial.figures, activity_of(one.trial, facts.market)
        volume = float(figures["volume"])
        parts = did.spread_bps + did.inventory_bps - did.fees_bps
        assert did.net_bps == pytest.approx(parts, abs=1e-6)  # no funding here
        assert did.net_bps == pytest.approx(1e4 * float(figures["net"]) / volume)
        assert 0 < figures["orders_filled"] <= min(figures["fills"], figures["orders_placed"])
        assert did.fill_ratio == figures["orders_filled"] / figures["orders_placed"]
        assert 0 < did.inventory_usd <= did.position_usd_max
        assert one.drawdown_usd >= -one.net


def test_the_page_holds_every_column_and_no_foreign_markup(facts, tmp_path):
    write_sweep_report(tmp_path / "report.html", facts, "<b>title</b>", "0" * 64)
    page = (tmp_path / "report.html").read_text()
    assert "<b>title</b>" not in page
    for column in COLUMNS:
        assert f"<th>{column.word}</th>" in page
        assert column.text(facts.ranked[0]).replace("&", "&amp;") in page
    for text in re.findall(r"<script type='application/json'>(.*?)</script>", page):
        assert {"data", "layout"} <= set(json.loads(text))
