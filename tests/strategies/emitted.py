"""Quotes as they leave: a market, a position and settings in, PLACE actions of `step` out."""

import math
from dataclasses import dataclass, field
from decimal import Decimal

from builders import START_NS, feed, make_engine, plain, side_of, timer, touch
from makerside import strategies
from makerside.model.action import ActionKind
from makerside.model.units import BUY
from reference import formulas

STRATEGIES = strategies.NAMES
# 100.0000 in ticks of 0.0001: a bps is 100 ticks, a lot of 0.01 is 1 USD. Rounding is small beside quotes.
FINE = plain("FINE", tick_size=Decimal("0.0001"))
MID = 1_000_000
UNIT_USD = 1e-6  # of one lot at one tick
BASE = {
    "strategy.name": "glft",
    "strategy.levels": 3,
    "strategy.size_usd": 50,
    "strategy.size_step": 1.2,
    "strategy.spacing_bps": 3.0,
    "strategy.spacing_ratio": 1.5,
    "strategy.half_spread_min_bps": 0.1,
    "strategy.half_spread_max_bps": 500.0,
    "strategy.gamma_per_usd": 0.02,
    "strategy.intensity_a_per_s": 0.4,
    "strategy.intensity_k_per_bps": 0.3,
}


def settings_of(changes):
    """Return BASE with changes; what has no place in the formula (an A) only when it is asked for."""
    known = strategies.load({**BASE, **changes}["strategy.name"]).Config.model_fields
    base = {path: value for path, value in BASE.items() if path.removeprefix("strategy.") in known}
    return {**base, **changes}


@dataclass
class Scene:
    """What a decision looks at."""

    bid: int = MID - 200
    ask: int = MID + 200
    bid_lots: int = 700
    ask_lots: int = 500
    variance: float = 90_000.0  # (3 bps)^2 per second
    position: int = 0
    fitted: tuple | None = None  # (A, k) that the trades have shown
    settings: dict = field(default_factory=dict)

    def engine(self):
        """Return the engine in this scene, nothing decided yet; it explains its quotes."""
        engine = make_engine(settings_of(self.settings), [FINE], [MID], is_scripted=False)
        engine.desks["is_explaining"] = 1
        market = engine.markets[0]
        vol = market["volatility"]
        vol["n_samples"], vol["ts_sample_ns"], vol["variance"] = 1_000, START_NS, self.variance
        if self.fitted is not None:
            market["intensity"]["is_ready"] = 1
            market["intensity"]["a_per_s"], market["intensity"]["k_per_tick"] = self.fitted
        engine.accounts[0]["positions"][0]["position_lots"] = self.position
        return engine

    def emit(self):
        """Return ({level: (price, lots)} of bids, of asks), nearest first, and the engine."""
        engine = self.engine()
        actions = feed(
            engine,
            touch(self.bid, self.ask, START_NS, bid_lots=self.bid_lots, ask_lots=self.ask_lots),
            timer(START_NS),
        )
        assert (actions["kind"] == ActionKind.PLACE).all()
        sides = ([], [])
        for action in actions:
            sides[0 if side_of(action) == BUY else 1].append(
                (int(action["price_ticks"]), int(action["size_lots"]))
            )
        return *sides, engine

    def prices(self):
        """Return (bid prices, ask prices), nearest first."""
        bids, asks, _ = self.emit()
        return [price for price, _ in bids], [price for price, _ in asks]


def expected(scene):
    """Return ([bids], [asks]) as exact model prices, from the published formulas and the settings alone."""
    settings = {**BASE, **scene.settings}
    get = {path.removeprefix("strategy."): value for path, value in settings.items()}
    mid = (scene.bid + scene.ask) / 2
    micro = (scene.bid * scene.ask_lots + scene.ask * scene.bid_lots) / (scene.bid_lots + scene.ask_lots)
    reference = micro if get.get("reference") == "micro" else mid
    a, k = get["intensity_a_per_s"], get["intensity_k_per_bps"] / (MID * 1e-4)
    if scene.fitted is not None and get.get("intensity", "fit") == "fit":
        a, k = scene.fitted
    lots = math.floor(get["size_usd"] / 1.0)
    gamma = get["gamma_per_usd"] * UNIT_USD
    sigma = math.sqrt(scene.variance)
    if get["name"] == "glft":
        xi = get.get("xi_per_usd", get["gamma_per_usd"]) * UNIT_USD
        one = formulas.glft_depths(0, gamma, xi, a, k, lots, sigma)[0]
        shift = formulas.glft_depths(scene.position, gamma, xi, a, k, lots, sigma)[0] - one
        shift *= get.get("skew", 1.0)
        half = one
    else:
        # d-1 counts in units of one quote: gamma' = gamma x lots, q' = q / lots.
        horizon = get.get("horizon_s", 60.0)
        r, spread = formulas.avellaneda_stoikov(
            0.0, scene.position / lots, gamma * lots, scene.variance, horizon, k
        )
        shift, half = -r, spread / 2
    bps = reference * 1e-4
    half = min(max(half, get["half_spread_min_bps"] * bps), get["half_spread_max_bps"] * bps)
    distances, deeper, spacing = [], 0.0, get["spacing_bps"] * bps
    for _ in range(get["levels"]):
        distances.append(half + deeper)
        deeper += spacing
        spacing *= get["spacing_ratio"]
    return [reference - shift - d for d in distances], [reference - shift + d for d in distances]
