"""The report opens in a browser without a network, draws its charts and complains of nothing."""

import html
import re
import shutil
import subprocess

import pytest

from makerside.model.run import REPORT_NAME

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHARTS_OF_A_SYMBOL = 3  # market, inventory, result


@pytest.fixture(scope="session")
def text(demo):
    return (demo.folder / REPORT_NAME).read_text()


def browse(page, profile):
    """Return (document after its scripts have run, what the browser has logged)."""
    if CHROMIUM is None:
        pytest.skip("the report is not opened: there is no `chromium` on the path (apt-get install chromium)")
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={profile}",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--enable-logging=stderr",
        "--virtual-time-budget=20000",
        "--dump-dom",
        page.as_uri(),
    ]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert finished.returncode == 0, finished.stderr[-2_000:]
    return finished.stdout, finished.stderr


@pytest.fixture(scope="session")
def opened(demo, tmp_path_factory):
    """The demo's report in a browser; see `browse`."""
    return browse(demo.folder / REPORT_NAME, tmp_path_factory.mktemp("browser"))


def test_it_needs_nothing_from_elsewhere(text):
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)\s*=", text)
    assert "@import" not in text.split("</style>")[0]


def test_it_tells_what_the_summary_tells(text, demo):
    assert "glft on hyperliquid, demo</title>" in text
    assert "replay identical" in text
    assert demo.summary["config_hash"][:12] in text
    assert demo.summary["actions_sha256"] in text
    assert f"<b>{demo.summary['fills']:,}</b><span>fills</span>" in text
    for setting in ("risk.position_max_usd", "strategy.half_spread_min_bps", "pacing.hysteresis_bps"):
        assert setting in text


def test_names_from_outside_are_escaped(demo, tmp_path):
    """A file name goes into the report: it must not become a part of the page."""
    import json
    from dataclasses import replace

    from makerside.research.facts import read_facts
    from makerside.research.report import write_report

    facts = read_facts(demo.folder)
    nasty = "<script>alert(1)</script>"
    facts = replace(facts, record=replace(facts.record, facts={"data": [nasty]}))
    summary = json.loads(json.dumps(demo.summary))
    summary["facts"] = {"data": [nasty]}
    write_report(tmp_path / "report.html", facts, summary, {})
    page = (tmp_path / "report.html").read_text()
    assert nasty not in page
    assert html.escape(nasty) in page


def test_every_chart_is_drawn(opened, demo):
    document, _ = opened
    body = document.split("</head>", 1)[1]
    n_charts = CHARTS_OF_A_SYMBOL * len(demo.summary["symbols"]) + 1  # and the markouts
    n_charts += 1 if demo.summary["decision_us"] else 0
    drawn = len(re.findall(r'class="[^"]*\bjs-plotly-plot\b', body))
    assert drawn == n_charts
    assert len(re.findall(r'<svg[^>]+class="main-svg"', body)) >= n_charts
    assert body.count('class="trace scatter') + body.count('class="trace bars') >= n_charts


def test_the_browser_complains_of_nothing(opened):
    _, log = opened
    complaints = [line for line in log.splitlines() if "CONSOLE" in line or "Uncaught" in line]
    assert complaints == []
