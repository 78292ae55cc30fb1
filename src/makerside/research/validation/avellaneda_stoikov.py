"""The six rows that Avellaneda and Stoikov published, through our `step` and an exchange of intensities.

Every path is an account and a trader of the engine: event rows go to the compiled `step`, its actions are
executed by `sim/intensity_market.py`, and the profit is what the account's own ledger says. What had to be set
so that nothing of the platform stands in the paper's way:

- lambda dt is taken literally as a probability: the published numbers need it (the exact Poisson form is a
  row of its own). A dt is 0.7, and lambda dt exceeds 1 beyond the mid.
- quotes may pass the mid: the published touch is far away, on a tick so fine that rounding is no matter. The
  last row shows the published touch one tick from the mid instead: then post-only bounds clip the quotes.
- the symmetric strategy quotes the constant time average of the other's spread.

Source: Quantitative Finance 8(3), 2008, tables 1 to 3; formulas d-2, which says why not the working paper's.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from makerside.config.load import validate
from makerside.core.signature import address_of
from makerside.engine import Engine
from makerside.model.event import event_t
from makerside.model.instrument import Instrument
from makerside.model.units import E8, NS_PER_S
from makerside.research.validation.rows import (
    Chart,
    Finding,
    Progress,
    Row,
    Scale,
    deviation_and_half,
    mean_and_half,
    near,
)
from makerside.sim.intensity_market import (
    INBOX_ROWS,
    FillModel,
    intensity_market_t,
    path_t,
    period_t,
    run_paths,
)
from makerside.sim.random import seed_random
from makerside.strategies import finite_horizon

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SEED = 2008
PATHS, PATHS_QUICK = 20_000, 2_000
CHUNK = 500  # paths between two looks at Ctrl-C, a tenth of a second
# The paper's numbers; its unit of time is a second here.
PRICE, SIGMA, A_PER_S, K, HORIZON_S, PERIODS = 100.0, 2.0, 140.0, 1.5, 1.0, 200
# The mid moves by sigma sqrt(dt) = 0.14142: 56 ticks of this size, to six digits.
TICK, MOVE_TICKS = Decimal("0.0025254"), 56
TICK_SIZE = float(TICK)
FAR_TICKS = 4_096  # the published touch, 10.3 away from the mid
AT_MID_TICKS = 1
CASH_E8 = 10_000 * E8
PROFIT_TOLERANCE, DEVIATION_TOLERANCE, SPREAD_TOLERANCE = 0.02, 0.15, 0.02
ABOUT = (
    "Every decision is the compiled step's, every profit its ledger's. Set so that nothing stands in the "
    "paper's way: a fine tick, the published touch so far away that quotes may pass the mid (but in the "
    "last simulation), a constant spread for the symmetric strategy, and lambda dt taken literally as the "
    "probability of a fill."
)
KNOWN = "printed too low: every re-run, here and elsewhere, is 5 to 7 % higher (d-2)"


@dataclass(frozen=True, slots=True)
class Case:
    """One simulation. Printed numbers: None where there is none; source : where they are from."""

    gamma: float
    is_symmetric: bool
    profit: float
    source: str = "published 2008"
    spread: float | None = None
    profit_deviation: float | None = None
    position_deviation: float | None = None
    fills: FillModel = FillModel.LINEAR
    half_width_ticks: int = FAR_TICKS

    @property
    def name(self) -> str:
        """Return a short name."""
        strategy = "symmetric" if self.is_symmetric else "inventory"
        more = ", exact fills" if self.fills == FillModel.EXACT else ""
        clipped = ", clipped at the mid" if self.half_width_ticks == AT_MID_TICKS else ""
        return f"gamma {self.gamma:g} {strategy}{more}{clipped}"


CASES = (
    Case(0.1, False, 65.0, spread=1.49, profit_deviation=6.6, position_deviation=2.9),
    Case(0.1, True, 68.4, spread=1.49, profit_deviation=12.7, position_deviation=8.4),
    Case(0.01, False, 68.6, spread=1.35, profit_deviation=8.7, position_deviation=5.1),
    Case(0.01, True, 68.8, spread=1.35, profit_deviation=12.8, position_deviation=8.7),
    Case(1.0, False, 31.4, spread=3.02, profit_deviation=5.0, position_deviation=1.7),
    Case(1.0, True, 44.0, spread=3.02, profit_deviation=11.0, position_deviation=5.1),
    Case(0.1, False, 57.17, "d-2, independent run", fills=FillModel.EXACT),
    Case(1.0, False, 38.2, "d-2, independent run", half_width_ticks=AT_MID_TICKS),
)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Paths of one case: (n,) arrays in the paper's units; periods : (200,) period_t of the first path."""

    profit: NDArray[np.float64]
    position: NDArray[np.float64]
    spread: NDArray[np.float64]
    fills_per_path: float
    n_bound: int
    n_beyond: int
    n_refused: int
    periods: NDArray[Any]


def make_engine(case: Case) -> Engine:
    """Return an engine of one instrument of the paper, the strategy of a case on its desk."""
    config = validate(
        {
            "strategy": {"name": "avellaneda_stoikov", "size_usd": 1.5 * PRICE},
            "risk": {
                "position_max_usd": 1e6,
                "order_max_usd": 1e6,
                "total_max_usd": 1e7,
                "price_band_bps": 10_000,
            },
            "pacing": {"flush_ms": 0, "hysteresis_bps": 0, "budget_actions": 1e6, "reserve_actions": 0},
            # One period's move is all of the variance's memory: it is exactly sigma^2 then.
            "estimators": {
                "volatility_sample_ms": 1_000 * HORIZON_S / PERIODS,
                "volatility_half_life_s": 0.001,
                "intensity_refit_s": 86_400,
            },
        }
    )
    engine = Engine(config, [Instrument("paper", "AS", TICK, Decimal(1))], [_start_ticks()], False)
    engine.desks["targets"][0, 0] = address_of(finite_horizon.targets)
    params: dict[int, float] = {}
    finite_horizon.fill_params(case.gamma * TICK_SIZE, K * TICK_SIZE, HORIZON_S, case.is_symmetric, params)
    values = engine.traders[0]["params"]
    values[:] = 0.0
    for key, value in params.items():
        values[key] = value
    return engine


def make_house(case: Case, seed: int) -> NDArray[Any]:
    """Return the exchange of a case: (1,) intensity_market_t."""
    houses = np.zeros(1, intensity_market_t)
    houses["a_per_s"], houses["k_per_tick"] = A_PER_S, K * TICK_SIZE
    houses["fill_model"], houses["half_width_ticks"] = int(case.fills), case.half_width_ticks
    houses["dt_ns"], houses["n_periods"] = round(HORIZON_S * NS_PER_S / PERIODS), PERIODS
    houses["move_ticks"], houses["start_ticks"] = MOVE_TICKS, _start_ticks()
    houses["cash_e8"] = CASH_E8
    seed_random(houses[0]["random"], seed)
    return houses


def _start_ticks() -> int:
    return round(PRICE / TICK_SIZE)


def run_case(case: Case, paths: int, seed: int, on_progress: Progress | None = None) -> Outcome:
    """Run the paths of a case. on_progress : called with (paths done, paths)"""
    engine, houses = make_engine(case), make_house(case, seed)
    fresh_accounts, fresh_traders = engine.accounts.copy(), engine.traders.copy()
    inbox = np.zeros(INBOX_ROWS, event_t)
    rows, periods = np.zeros(paths, path_t), np.zeros(PERIODS, period_t)
    for start in range(0, paths, CHUNK):
        run_paths(
            houses,
            engine.markets,
            engine.accounts,
            engine.traders,
            engine.desks,
            fresh_accounts,
            fresh_traders,
            inbox,
            rows[start : start + CHUNK],
            periods if start == 0 else periods[:0],
        )
        if on_progress is not None:
            on_progress(min(paths, start + CHUNK), paths)
    assert houses["n_strange"][0] == 0
    return Outcome(
        profit=rows["profit_e8"] / E8,
        position=rows["position_lots"].astype(float),
        spread=rows["spread_ticks"] * TICK_SIZE,
        fills_per_path=float(rows["n_fills"].mean()),
        n_bound=int(houses["n_bound"][0]),
        n_beyond=int(houses["n_beyond"][0]),
        n_refused=int(houses["n_refused"][0]),
        periods=periods,
    )


def check(scale: Scale, on_progress: Progress) -> Finding:
    """Run all cases and compare them with what is printed."""
    paths = scale.of(PATHS, PATHS_QUICK)
    outcomes: list[Outcome] = []
    rows: list[Row] = []
    for i, case in enumerate(CASES):
        found = run_case(
            case,
            paths,
            SEED + i,
            lambda done, n, i=i: on_progress(i * n + done, len(CASES) * n),  # type: ignore[misc]
        )
        outcomes.append(found)
        rows += _rows(case, found)
    far = [found for case, found in zip(CASES, outcomes, strict=True) if case.half_width_ticks == FAR_TICKS]
    held = sum(found.n_bound + found.n_refused for found in far)
    rows.append(
        Row("quotes that a bound or a limit changed, rows above but the last", "0", held, 0.0, 0, 0, ".0f")
    )
    settings = {
        "seed": SEED,
        "paths": paths,
        "periods": PERIODS,
        "fill_model": "linear: min(1, lambda dt), taken literally; exact: 1 - exp(-lambda dt)",
        "tick": str(TICK),
        "published_touch_from_mid": round(FAR_TICKS * TICK_SIZE, 4),
        "mid_move": round(MOVE_TICKS * TICK_SIZE, 7),
        "sigma": round(MOVE_TICKS * TICK_SIZE / math.sqrt(HORIZON_S / PERIODS), 6),
        "fills_per_path": {
            case.name: found.fills_per_path for case, found in zip(CASES, outcomes, strict=True)
        },
        "final_position_mean": {
            case.name: mean_and_half(found.position) for case, found in zip(CASES, outcomes, strict=True)
        },
    }
    charts = (
        Chart(
            "One path",
            "Inventory strategy, gamma 0.1: the quotes lean against the position.",
            lambda: _path_chart(outcomes[0]),
        ),
        Chart(
            "Profit of all paths",
            "Gamma 0.1. The symmetric strategy earns a little more, and has twice the risk.",
            lambda: _profit_chart(outcomes[0], outcomes[1]),
        ),
    )
    return Finding(
        "Avellaneda-Stoikov's published simulation, through step",
        ABOUT,
        "Quantitative Finance 8(3), 2008; formulas d-1, d-2",
        settings,
        rows,
        charts,
    )


def _rows(case: Case, found: Outcome) -> list[Row]:
    rows = []
    if case.spread is not None:
        value, half = mean_and_half(found.spread)
        rows.append(
            near(f"{case.name}: spread", case.spread, SPREAD_TOLERANCE, value, half, case.source, form=".3f")
        )
    value, half = mean_and_half(found.profit)
    tolerance = PROFIT_TOLERANCE * case.profit
    rows.append(near(f"{case.name}: profit", case.profit, tolerance, value, half, case.source))
    for what, printed, values in (
        ("std(profit)", case.profit_deviation, found.profit),
        ("std(final q)", case.position_deviation, found.position),
    ):
        if printed is None:
            continue
        value, half = deviation_and_half(values)
        note = KNOWN if case.is_symmetric and what == "std(profit)" and case.gamma < 1.0 else ""
        tolerance = DEVIATION_TOLERANCE * printed
        rows.append(near(f"{case.name}: {what}", printed, tolerance, value, half, case.source, note=note))
    return rows


def _path_chart(found: Outcome) -> "Figure":
    import plotly.graph_objects as go

    from makerside.research.charts import BUY_COLOUR, INK, SELL_COLOUR, new_figure

    periods = found.periods
    seconds = np.arange(len(periods)) * HORIZON_S / PERIODS
    figure = new_figure(380, "price", "time (T = 1)")
    figure.update_layout(
        yaxis2={"title": "position", "overlaying": "y", "side": "right", "showgrid": False, "dtick": 2}
    )
    for name, column, colour in (
        ("our bid", "bid_ticks", BUY_COLOUR),
        ("our ask", "ask_ticks", SELL_COLOUR),
        ("mid", "mid_ticks", INK),
    ):
        prices = np.where(periods[column] > 0, periods[column] * TICK_SIZE, np.nan)
        line = {"color": colour, "width": 1.3, "shape": "hv"}
        figure.add_trace(go.Scatter(x=seconds, y=prices, name=name, mode="lines", line=line))
    for side, name, column, colour, symbol in (
        (1, "we bought", "bid_ticks", BUY_COLOUR, "triangle-up"),
        (-1, "we sold", "ask_ticks", SELL_COLOUR, "triangle-down"),
    ):
        at = np.isin(periods["filled"], (side, 2))
        marker = {"color": colour, "symbol": symbol, "size": 8}
        prices = periods[column][at] * TICK_SIZE
        figure.add_trace(go.Scatter(x=seconds[at], y=prices, name=name, mode="markers", marker=marker))
    line = {"color": "#b9c2cb", "width": 1, "shape": "hv"}
    position = go.Scatter(
        x=seconds, y=periods["position_lots"], name="position (right)", mode="lines", line=line, yaxis="y2"
    )
    figure.add_trace(position)
    return figure


def _profit_chart(inventory: Outcome, symmetric: Outcome) -> "Figure":
    import plotly.graph_objects as go

    from makerside.research.charts import BUY_COLOUR, SELL_COLOUR, new_figure

    figure = new_figure(320, "share of paths", "profit")
    edges = np.linspace(0, 130, 131)
    middle = 0.5 * (edges[1:] + edges[:-1])
    for name, found, colour in (("inventory", inventory, BUY_COLOUR), ("symmetric", symmetric, SELL_COLOUR)):
        counts, _ = np.histogram(found.profit, edges)
        label = f"{name}: {found.profit.mean():.1f} with a deviation of {found.profit.std(ddof=1):.1f}"
        line = {"color": colour, "shape": "hvh"}
        shares = counts / len(found.profit)
        figure.add_trace(go.Scatter(x=middle, y=shares, name=label, mode="lines", line=line, fill="tozeroy"))
    return figure
