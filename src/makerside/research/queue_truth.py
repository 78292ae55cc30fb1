"""Queue models against the truth: when would an order have filled, and when do the models say so?

Virtual orders of no size join the best levels of an order-by-order market. The truth fills one when a print
reaches an order that came after it; a model sees the sums of the levels and the prints only. Prints through
the price, and opposite orders that arrive at it, fill both alike (formulas d-16).

Where it flatters the models: they see every change of a level in its order; a venue that conflates its book
tells them less. Where it is blind: nobody reacts to the virtual order.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.errors import DataError
from makerside.model.units import BUY, NS_PER_S, SELL
from makerside.research.order_flow import OrderFlow, OrderKind
from makerside.sim.queue import queue_on_level, queue_on_trade
from makerside.sim.records import QueueModel, client_order_t

NEVER = np.iinfo(np.int64).max
BATCHES = 20
T_95 = 2.093  # Student's t, two-sided 95 %, BATCHES - 1 degrees of freedom
_POWERS = (QueueModel.POWER, QueueModel.POWER2, QueueModel.POWER3)
_ADD, _FILL = int(OrderKind.ADD), int(OrderKind.FILL)


@dataclass(frozen=True, slots=True)
class Trial:
    """How virtual orders are placed.

    every_s   : time between two placements
    horizon_s : an order that has not filled by then has not filled
    levels    : best levels per side that get an order
    warmup_s  : of the market, before the first
    """

    every_s: float = 30.0
    horizon_s: float = 60.0
    levels: int = 3
    warmup_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with the half width of its 95 % interval."""

    value: float
    half_width: float


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model beside the truth.

    filled_truth, filled_model : share of orders
    differs                    : share of orders that fill in one of the two only
    error_s, error_abs_s       : model's time to fill less the truth's, mean over orders that fill in either;
                                 what does not fill counts as the horizon
    """

    model: str
    filled_truth: Estimate
    filled_model: Estimate
    differs: Estimate
    error_s: Estimate
    error_abs_s: Estimate


@dataclass(slots=True, eq=False)
class Probe:
    """A virtual order. orders : (m,) client_order_t, one per model; fills_ns : (m + 1,) the truth first"""

    ts_ns: int
    side: int
    price_ticks: int
    older: frozenset[int]
    orders: NDArray[Any]
    fills_ns: list[int]

    def fill_all(self, ts_ns: int) -> None:
        """Fill in truth and in every model that has not filled."""
        self.fills_ns = [min(ts_ns, at) for at in self.fills_ns]


def models_of(exponents: tuple[float, ...]) -> list[tuple[str, int, float]]:
    """Return (name, model, exponent) of all models, the power family once per exponent."""
    plain = [(model.name.lower(), int(model), 1.0) for model in QueueModel if model not in _POWERS]
    powers = [(f"{model.name.lower()}({n:g})", int(model), n) for n in exponents for model in _POWERS]
    return plain + powers


@dataclass(slots=True)
class Race:
    """Truth and models side by side over one market."""

    models: list[tuple[str, int, float]]
    trial: Trial
    levels: dict[int, dict[int, dict[int, int]]] = field(default_factory=lambda: {BUY: {}, SELL: {}})
    probes: list[Probe] = field(default_factory=list)
    open: dict[tuple[int, int], list[Probe]] = field(default_factory=dict)

    def run(self, rows: NDArray[Any]) -> None:
        """Run over order_row_t."""
        every_ns, horizon_ns = (
            round(seconds * NS_PER_S) for seconds in (self.trial.every_s, self.trial.horizon_s)
        )
        next_ns = int(rows["ts_ns"][0]) + round(self.trial.warmup_s * NS_PER_S)
        last_ns = int(rows["ts_ns"][-1]) - horizon_ns
        for ts_ns, kind, order, side, price_ticks, lots in rows.tolist():
            if next_ns <= min(ts_ns - 1, last_ns):
                self._expire(ts_ns - horizon_ns)
                self.place(ts_ns - 1)  # in the book as it stood before this row
                next_ns += every_ns * (1 + (ts_ns - 1 - next_ns) // every_ns)
            self.on_row(ts_ns, kind, order, side, price_ticks, lots)

    def place(self, ts_ns: int) -> None:
        """Put a virtual order behind everybody on the best levels of both sides, unless the book is crossed."""
        bids, asks = sorted(self.levels[BUY], reverse=True), sorted(self.levels[SELL])
        if not bids or not asks or bids[0] >= asks[0]:
            return
        for side, prices in ((BUY, bids), (SELL, asks)):
            for price in prices[: self.trial.levels]:
                level = self.levels[side][price]
                orders = np.zeros(len(self.models), client_order_t)
                orders["ahead_lots"] = sum(level.values())
                fills = [NEVER] * (1 + len(self.models))
                probe = Probe(ts_ns, side, price, frozenset(level), orders, fills)
                self.probes.append(probe)
                self.open.setdefault((side, price), []).append(probe)

    def on_row(self, ts_ns: int, kind: int, order: int, side: int, price_ticks: int, lots: int) -> None:
        """Let one thing happen in the market, in truth and to every model."""
        if kind == _FILL:
            self._fill_through(ts_ns, side, price_ticks + side)
        elif kind == _ADD:
            self._fill_through(ts_ns, -side, price_ticks)
        before = sum(self.levels[side].get(price_ticks, {}).values())
        self._change(kind, order, side, price_ticks, lots)
        after = sum(self.levels[side].get(price_ticks, {}).values())
        for probe in self.open.get((side, price_ticks), ()):
            if kind == _FILL and order not in probe.older:
                probe.fills_ns[0] = min(ts_ns, probe.fills_ns[0])
            for i, (_, model, exponent) in enumerate(self.models):
                if probe.fills_ns[1 + i] != NEVER:
                    continue
                if kind == _FILL and queue_on_trade(probe.orders[i], float(lots)) > 0:
                    probe.fills_ns[1 + i] = ts_ns
                queue_on_level(probe.orders[i], float(before), float(after), model, exponent)
        self._close(side, price_ticks)

    def ahead_lots(self, probe: Probe) -> int:
        """Return what truly stands before a virtual order."""
        level = self.levels[probe.side].get(probe.price_ticks, {})
        return sum(lots for order, lots in level.items() if order in probe.older)

    def _change(self, kind: int, order: int, side: int, price_ticks: int, lots: int) -> None:
        levels = self.levels[side]
        level = levels.setdefault(price_ticks, {})
        if kind == _ADD:
            level[order] = level.get(order, 0) + lots
        elif order in level:
            level[order] -= lots
            if level[order] <= 0:
                del level[order]
        if not level:
            del levels[price_ticks]

    def _fill_through(self, ts_ns: int, side: int, limit_ticks: int) -> None:
        """Fill virtual orders of a side whose price is `limit_ticks` or better."""
        for key in [key for key in self.open if key[0] == side and (key[1] - limit_ticks) * side >= 0]:
            for probe in self.open[key]:
                probe.fill_all(ts_ns)
            del self.open[key]

    def _close(self, side: int, price_ticks: int) -> None:
        """Forget virtual orders that have filled everywhere."""
        probes = self.open.get((side, price_ticks))
        if probes and any(NEVER not in probe.fills_ns for probe in probes):
            self.open[side, price_ticks] = [probe for probe in probes if NEVER in probe.fills_ns]

    def _expire(self, placed_before_ns: int) -> None:
        """Forget virtual orders whose horizon is over."""
        for key, probes in list(self.open.items()):
            self.open[key] = [probe for probe in probes if probe.ts_ns >= placed_before_ns]
            if not self.open[key]:
                del self.open[key]


def queue_truth(flow: OrderFlow, exponents: tuple[float, ...], trial: Trial) -> tuple[int, list[ModelRow]]:
    """Return the number of virtual orders and a row per model.

    exponents : of the power models, above 0
    errors    : DataError when the market is too short for `BATCHES` virtual orders
    """
    models = models_of(exponents)
    race = Race(models, trial)
    race.run(flow.rows)
    if len(race.probes) < BATCHES:
        raise DataError(
            f"{flow.name}: only {len(race.probes)} virtual orders fit in, {BATCHES} are needed; "
            "place them more often or give them less time"
        )
    return len(race.probes), [
        _model_row(name, *_times_s(race, 1 + i), trial.horizon_s) for i, (name, _, _) in enumerate(models)
    ]


def _times_s(race: Race, column: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the truth's and a model's times to fill, the horizon for what did not fill."""
    placed = np.array([probe.ts_ns for probe in race.probes])
    horizon_ns = round(race.trial.horizon_s * NS_PER_S)
    both = []
    for i in (0, column):
        fills = np.array([probe.fills_ns[i] for probe in race.probes])
        both.append(np.minimum(fills - placed, horizon_ns) / NS_PER_S)
    return both[0], both[1]


def _model_row(
    name: str, truth_s: NDArray[np.float64], model_s: NDArray[np.float64], horizon_s: float
) -> ModelRow:
    in_truth, in_model = truth_s < horizon_s, model_s < horizon_s
    everybody = np.ones(len(truth_s), bool)
    either = in_truth | in_model
    error_s = model_s - truth_s
    return ModelRow(
        name,
        mean_of(in_truth.astype(float), everybody),
        mean_of(in_model.astype(float), everybody),
        mean_of((in_truth != in_model).astype(float), everybody),
        mean_of(error_s, either),
        mean_of(np.abs(error_s), either),
    )


def mean_of(values: NDArray[np.float64], is_counted: NDArray[np.bool_]) -> Estimate:
    """Return a mean over the counted values, NaN when there is none.

    The interval is a jackknife over batches of consecutive orders: orders that stand in the queue together
    share their luck, and an interval for independent ones would be too narrow.
    """
    sums = np.array([part.sum() for part in np.array_split(values * is_counted, BATCHES)])
    counts = np.array([part.sum() for part in np.array_split(is_counted, BATCHES)])
    if counts.sum() == 0 or (counts.sum() == counts).any():
        mean = float(sums.sum() / counts.sum()) if counts.sum() else math.nan
        return Estimate(mean, math.nan)
    without = (sums.sum() - sums) / (counts.sum() - counts)
    variance = (BATCHES - 1) / BATCHES * float(((without - without.mean()) ** 2).sum())
    return Estimate(float(sums.sum() / counts.sum()), T_95 * math.sqrt(variance))
