"""The market model: the numbers that drive synthetic order flow, in units that fit any instrument.

Distances are in bps of the price behind the touch, sizes in money (USD, the quote currency), rates per
second and side unless said. `synthetic.py` turns them into steps and lots of one instrument;
`research/fit_market.py` estimates them from a recording; docs/synthetic-market.md has the formulas.

Pure: model only.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from makerside.model.errors import ConfigError

FLOWS_MAX = 16  # the touch and up to fifteen bands of distance
KNOTS = 32  # of a size distribution: see `knot_shares`
SCALES = 3  # of the memory of trade signs
EXCITATIONS = 2  # time scales of trade clustering
BRANCHING_MAX = 0.95  # above this, bursts of trades hardly end


def knot_shares() -> list[float]:
    """Return the shares of the quantiles of a size table: sixteenths, the last one in sixteenths again."""
    return [i / 16 for i in range(15)] + [15 / 16 + j / 256 for j in range(17)]


@dataclass(frozen=True, slots=True)
class MarketModel:
    """Fitted numbers and where they come from.

    Flow tables have one entry for the touch, then one per band of `edges_bps`; size tables hold
    `KNOTS` quantiles. `level_usd` is the size at which cancels come at their stated rate: for the
    touch its size, for a band the money per bps of price; `depth_usd` is the mean size, likewise.
    """

    name: str
    venue: str  # of the recording
    symbol: str
    source: str  # which recording, its owner and licence, on which grid: text for people
    date: str  # of its first row
    duration_s: float
    n_rows: int
    price: float  # median mid of the recording
    step_bps: float  # its price step there
    edges_bps: tuple[float, ...]
    arrivals_per_s: tuple[float, ...]
    cancels_per_s: tuple[float, ...]
    level_usd: tuple[float, ...]
    depth_usd: tuple[float, ...]  # the mean size that was counted: what a book opens with
    arrival_usd: tuple[tuple[float, ...], ...]
    cancel_usd: tuple[tuple[float, ...], ...]
    improve_usd: tuple[float, ...]  # size of an order that makes a new best price
    wide_share: float  # probability that a new best price keeps a distance from the seen price
    half_spread_bps: float  # mean of that distance
    tolerance_bps: float  # how far the latent price may leave the seen price before quotes follow
    reprice_per_s: float  # how fast they follow then
    refill_per_s: float  # how fast an emptied best price is quoted again
    trades_per_s: float  # both sides; the long-run mean
    branching: tuple[float, ...]  # trades that one trade brings about, by time scale
    excitation_per_s: tuple[float, ...]  # decay of each
    rush_per_s: float  # trades against quotes that have not followed the latent price yet, while that lasts
    trade_usd: tuple[float, ...]
    prints_per_trade: float  # per level met
    sign_weights: tuple[float, ...]
    sign_keeps: tuple[float, ...]  # memory per trade, by scale
    impact_bps: float  # move of the latent price by a trade that empties the best level
    impact_expected_share: (
        float  # share of the expected sign that is in the price already; below 0 it moves it more
    )
    jumps_per_s: float
    jump_bps: float  # mean absolute size
    message_ms: float  # how long a change behind the touch may wait for its message
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        flows = len(self.edges_bps)
        if not 2 <= flows <= FLOWS_MAX:
            raise ConfigError(f"market model {self.name}: {flows} edges; 2 to {FLOWS_MAX} are possible")
        for name in ("arrivals_per_s", "cancels_per_s", "level_usd", "depth_usd", "arrival_usd", "cancel_usd"):
            if len(getattr(self, name)) != flows:
                raise ConfigError(f"market model {self.name}: {name} needs {flows} entries")
        tables = (*self.arrival_usd, *self.cancel_usd, self.improve_usd, self.trade_usd)
        if any(len(table) != KNOTS or list(table) != sorted(table) or table[0] < 0 for table in tables):
            raise ConfigError(f"market model {self.name}: a size table needs {KNOTS} rising numbers from 0 up")
        if self.edges_bps[0] != 0 or list(self.edges_bps) != sorted(set(self.edges_bps)):
            raise ConfigError(f"market model {self.name}: edges_bps must rise from 0")
        if len(self.sign_weights) != SCALES or len(self.sign_keeps) != SCALES:
            raise ConfigError(f"market model {self.name}: sign memory needs {SCALES} scales")
        if len(self.branching) != EXCITATIONS or len(self.excitation_per_s) != EXCITATIONS:
            raise ConfigError(f"market model {self.name}: trade clustering needs {EXCITATIONS} scales")
        if not 0 <= sum(self.branching) <= BRANCHING_MAX:
            raise ConfigError(f"market model {self.name}: branching must sum to at most {BRANCHING_MAX}")
        self._check_positive()

    def _check_positive(self) -> None:
        above = ("price", "step_bps", "trades_per_s", "reprice_per_s", "refill_per_s", "message_ms")
        for name in above:
            if not getattr(self, name) > 0:
                raise ConfigError(f"market model {self.name}: {name} must be above 0")
        rates = (
            *self.arrivals_per_s,
            *self.cancels_per_s,
            self.jumps_per_s,
            self.rush_per_s,
            self.jump_bps,
            self.half_spread_bps,
            self.tolerance_bps,
        )
        if any(not rate >= 0 for rate in rates):
            raise ConfigError(f"market model {self.name}: rates, jumps and spreads must not be negative")
        if any(not level > 0 for level in (*self.level_usd, *self.depth_usd)):
            raise ConfigError(f"market model {self.name}: level_usd and depth_usd must be above 0")
        if self.prints_per_trade < 1:
            raise ConfigError(f"market model {self.name}: prints_per_trade must be at least 1")

    def rounded(self, digits: int = 5) -> "MarketModel":
        """Return the model with numbers of a few significant digits, as it is kept in a file."""
        return MarketModel(**{item.name: _rounded(getattr(self, item.name), digits) for item in fields(self)})

    @property
    def reach_bps(self) -> float:
        """Distance behind the touch up to which orders come and go."""
        return self.edges_bps[-1]

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "MarketModel":
        """Return the model that `as_dict` described; ConfigError names what is missing or unknown."""
        known = {item.name for item in fields(cls)}
        unknown, missing = sorted(set(values) - known), sorted(known - set(values) - {"notes"})
        if unknown or missing:
            raise ConfigError(f"market model: unknown keys {unknown}, missing keys {missing}")
        return cls(**{name: _as_tuple(value) for name, value in values.items()})


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, tuple):
        return tuple(_rounded(item, digits) for item in value)
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, (list, tuple)) else value
