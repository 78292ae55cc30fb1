"""A and k from Poisson arrivals whose law is known: are they found, and do the intervals cover the truth?

The compiled estimator of `core/estimators/intensity.py` sees arrivals and messages of the book, from nothing,
thousands of times; `research/intensity_interval.py` says how sure its counts are. Once it remembers everything,
once with the half-life that it has by default.

Source: formulas d-3.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from makerside.config.tree import EstimatorConfig
from makerside.model.market import intensity_t, market_t
from makerside.model.units import NS_PER_MS, NS_PER_S
from makerside.research.intensity_interval import intensity_interval
from makerside.research.validation.rows import Chart, Finding, Progress, Row, Scale, near, share_and_half
from makerside.sim.arrivals import arrivals_t, run_arrivals
from makerside.sim.random import seed_random

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SEED = 33
REPEATS, REPEATS_QUICK = 2_000, 300
CHUNK = 50
DURATION_S, MESSAGE_MS = 3_600.0, 100.0
MID_TICKS = 100_000
NEVER_FORGETS_S = 1e18
COVERAGE_TOLERANCE, BIAS_TOLERANCE = 0.02, 0.02
ABOUT = (
    "The compiled estimator learns Poisson arrivals from nothing, thousands of times; its intervals come "
    "from the counts that it keeps."
)


@dataclass(frozen=True, slots=True)
class Law:
    """Arrivals, and what the estimator remembers. range_bps : over which it tells distances apart"""

    a_per_s: float
    k_per_tick: float
    range_bps: float
    half_life_s: float

    @property
    def name(self) -> str:
        """Return a short name."""
        memory = "an hour" if self.half_life_s == NEVER_FORGETS_S else f"half-life {self.half_life_s:g} s"
        return f"A {self.a_per_s:g}, k {self.k_per_tick:g}, {memory}"


_SETTINGS = EstimatorConfig()
# A few and many arrivals, short and long reach; the range is about six mean distances.
LAWS = tuple(
    Law(a, k, range_bps, half_life_s)
    for a, k, range_bps in ((0.3, 0.004, 160.0), (1.0, 0.05, 16.0), (3.0, 0.01, 60.0))
    for half_life_s in (NEVER_FORGETS_S, _SETTINGS.intensity_half_life_s)
)


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """What the repeats found: (n, 3) low, value, high; n_unfit : repeats without an answer"""

    a_per_s: NDArray[np.float64]
    k_per_tick: NDArray[np.float64]
    n_unfit: int


def run_law(law: Law, repeats: int, seed: int, on_progress: Progress | None = None) -> Estimates:
    """Let the estimator learn one law again and again. on_progress : called with (repeats done, repeats)"""
    laws, fresh = np.zeros(1, arrivals_t), np.zeros(1, market_t)
    laws["a_per_s"], laws["k_per_tick"] = law.a_per_s, law.k_per_tick
    laws["message_ns"], laws["duration_ns"] = round(MESSAGE_MS * NS_PER_MS), round(DURATION_S * NS_PER_S)
    laws["mid_ticks"] = MID_TICKS
    seed_random(laws[0]["random"], seed)
    flow = fresh[0]["intensity"]
    flow["window_ns"] = round(_SETTINGS.intensity_window_ms * NS_PER_MS)
    flow["refit_ns"] = round(_SETTINGS.intensity_refit_s * NS_PER_S)
    flow["half_life_s"], flow["range_bps"] = law.half_life_s, law.range_bps
    markets, flows = fresh.copy(), np.zeros(repeats, intensity_t)
    for start in range(0, repeats, CHUNK):
        run_arrivals(laws, markets, fresh, flows[start : start + CHUNK])
        if on_progress is not None:
            on_progress(min(repeats, start + CHUNK), repeats)
    return _estimates(flows)


def _estimates(flows: NDArray[Any]) -> Estimates:
    a, k = [], []
    n_unfit = 0
    for flow in flows:
        found = intensity_interval(flow)
        if found is None or flow["is_ready"] == 0:
            n_unfit += 1
            continue
        # The kernel's own numbers in the middle: it is they that are tested.
        a.append((found.a_per_s[0], flow["a_per_s"], found.a_per_s[2]))
        k.append((found.k_per_tick[0], flow["k_per_tick"], found.k_per_tick[2]))
    return Estimates(np.array(a), np.array(k), n_unfit)


def check(scale: Scale, on_progress: Progress) -> Finding:
    """Repeat every law, and count how often its numbers lie inside the intervals."""
    repeats = scale.of(REPEATS, REPEATS_QUICK)
    rows: list[Row] = []
    found: list[Estimates] = []
    for i, law in enumerate(LAWS):
        one = run_law(law, repeats, SEED + i, lambda done, n, i=i: on_progress(i * n + done, len(LAWS) * n))  # type: ignore[misc]
        found.append(one)
        rows += _rows(law, one, repeats)
    rows.append(Row("repeats without an answer", "0", sum(one.n_unfit for one in found), 0.0, 0.0, 0.0, ".0f"))
    settings = {
        "seed": SEED,
        "repeats": repeats,
        "duration_s": DURATION_S,
        "message_ms": MESSAGE_MS,
        "window_ms": _SETTINGS.intensity_window_ms,
        "laws": [law.name for law in LAWS],
    }
    charts = (
        Chart(
            "Estimates of k over its truth",
            "Each histogram is one law; forgetting makes them wider.",
            lambda: _chart(found),
        ),
    )
    return Finding("A and k of known arrivals", ABOUT, "formulas d-3", settings, rows, charts)


def _rows(law: Law, found: Estimates, repeats: int) -> list[Row]:
    rows = []
    for name, truth, values in (("A", law.a_per_s, found.a_per_s), ("k", law.k_per_tick, found.k_per_tick)):
        inside = int(((values[:, 0] <= truth) & (truth <= values[:, 2])).sum())
        ratio = values[:, 1] / truth
        middle = float(np.median(ratio))
        # The median's error is 1.2533 times the mean's, for a normal law.
        half = 1.96 * 1.2533 * float(ratio.std(ddof=1)) / len(ratio) ** 0.5
        what = f"{law.name}: median of {name} over the truth"
        rows.append(near(what, 1.0, BIAS_TOLERANCE, middle, half, "without bias", form=".4f"))
        coverage = share_and_half(inside, repeats)
        what = f"{law.name}: {name} inside its 95 % interval"
        rows.append(near(what, 0.95, COVERAGE_TOLERANCE, *coverage, "of repeats", form=".1%"))
    return rows


def _chart(found: list[Estimates]) -> "Figure":
    import plotly.graph_objects as go

    from makerside.research.charts import new_figure

    figure = new_figure(340, "share of repeats", "estimate over truth")
    edges = np.linspace(0.8, 1.25, 91)
    middle = 0.5 * (edges[1:] + edges[:-1])
    for law, one in zip(LAWS, found, strict=True):
        counts, _ = np.histogram(one.k_per_tick[:, 1] / law.k_per_tick, edges)
        shares = counts / len(one.k_per_tick)
        figure.add_trace(go.Scatter(x=middle, y=shares, name=law.name, mode="lines", line={"shape": "hvh"}))
    return figure
