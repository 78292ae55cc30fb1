"""Queue models against the true place in a first-in-first-out queue, where the right answer is known.

Seeded order-by-order markets in which orders cancel by their rank. Let u be the share of the queue in front of
an order. When the next to cancel has u distributed as U^(1/(1 + b)), U uniform, a cancel is in front of us
with probability (F / (F + B))^(1 + b): the model power3(1 + b) is that very law, and for b = 0, when anybody
cancels, so are power(1) and power2(1). The other models lean to the side that the law says.

Source: formulas d-16; `research/queue_truth.py` for truth and intervals.
"""

import math
from typing import TYPE_CHECKING

from makerside.research.order_flow import FlowLaw, fills_out_of_order, synthetic_flow
from makerside.research.queue_truth import ModelRow, Trial, queue_truth
from makerside.research.validation.rows import Chart, Finding, Progress, Row, Scale, near

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SEED = 16
HOURS, HOURS_QUICK = 8, 2
TRIAL = Trial(every_s=20.0, horizon_s=60.0, levels=1, warmup_s=200.0)
BIAS_TOLERANCE_S = 0.5  # of 60
LATE, EARLY = 3.0, -0.5
LAWS = {
    "nobody cancels": FlowLaw(adds_per_s=0.5, cancels_per_s=0.0, takers_per_s=0.25),
    "anybody cancels": FlowLaw(),
    "the late cancel": FlowLaw(back_bias=LATE),
    "the early cancel": FlowLaw(back_bias=EARLY),
}
EXPONENTS = (1.0 + EARLY, 1.0, 3.0, 1.0 + LATE)
ABOUT = (
    "Virtual orders in markets whose cancels follow a law of the rank: for each law one model is the law "
    "itself. A fill time is not linear in the place, so that an unbiased place still leaves some tenths "
    "of a second."
)


def check(scale: Scale, on_progress: Progress) -> Finding:
    """Race all models against the truth in four markets."""
    seconds = 3_600.0 * scale.of(HOURS, HOURS_QUICK)
    found: dict[str, dict[str, ModelRow]] = {}
    orders: dict[str, int] = {}
    jumped = 0
    for i, (name, law) in enumerate(LAWS.items()):
        on_progress(i, len(LAWS))
        flow = synthetic_flow(law, seconds, SEED + i)
        jumped += fills_out_of_order(flow.rows)
        orders[name], models = queue_truth(flow, EXPONENTS, TRIAL)
        found[name] = {row.model: row for row in models}
    on_progress(len(LAWS), len(LAWS))
    settings = {
        "seed": SEED,
        "hours": seconds / 3_600.0,
        "virtual_orders": orders,
        "horizon_s": TRIAL.horizon_s,
        "back_bias": {"late": LATE, "early": EARLY},
    }
    rows = [
        Row("fills that were not of the first order in the queue", "0", jumped, 0.0, 0.0, 0.0, ".0f"),
        *_rows(found),
    ]
    charts = (
        Chart(
            "How far the models' fill times are from the truth",
            "Mean error in seconds of 60, with 95 % intervals; above 0 the model is late.",
            lambda: _chart(found),
        ),
    )
    return Finding(
        "Queue models against the true place in the queue", ABOUT, "formulas d-16", settings, rows, charts
    )


def _rows(found: dict[str, dict[str, ModelRow]]) -> list[Row]:
    still = found["nobody cancels"].values()
    worst = max(row.error_abs_s.value for row in still)
    rows = [Row("nobody cancels: largest error of any model, s", "all are the truth", worst, 0.0, 0.0, 0.0)]
    for law, model in (
        ("anybody cancels", "power(1)"),
        ("the late cancel", f"power3({1.0 + LATE:g})"),
        ("the early cancel", f"power3({1.0 + EARLY:g})"),
    ):
        error = found[law][model].error_s
        what = f"{law}: bias of {model}, s"
        rows.append(near(what, 0.0, BIAS_TOLERANCE_S, error.value, error.half_width, "it is the law"))
    for law, low, high, words in (
        ("the late cancel", -math.inf, -BIAS_TOLERANCE_S, "too early"),
        ("the early cancel", BIAS_TOLERANCE_S, math.inf, "too late"),
    ):
        error = found[law]["power(1)"].error_s
        rows.append(Row(f"{law}: bias of power(1), s", words, error.value, error.half_width, low, high))
    # Mean error and mean absolute error are the same number when no order was early.
    early = max(
        models["risk_averse"].error_abs_s.value - models["risk_averse"].error_s.value
        for models in found.values()
    )
    rows.append(Row("all: how early the risk-averse model ever is, s", "never", early, 0.0, 0.0, 1e-9))
    return rows


def _chart(found: dict[str, dict[str, ModelRow]]) -> "Figure":
    import plotly.graph_objects as go

    from makerside.research.charts import BUY_COLOUR, INK, SELL_COLOUR, new_figure

    figure = new_figure(380, "error, s", "")
    laws = [law for law in found if law != "nobody cancels"]
    for law, colour in zip(laws, (INK, BUY_COLOUR, SELL_COLOUR), strict=True):
        rows = found[law].values()
        bars = {"type": "data", "array": [row.error_s.half_width for row in rows]}
        x, y = [row.model for row in rows], [row.error_s.value for row in rows]
        marker = {"color": colour, "size": 9}
        figure.add_trace(go.Scatter(x=x, y=y, error_y=bars, name=law, mode="markers", marker=marker))
    return figure
