"""The configuration: one tree, every key with its default, range, unit and meaning.

Unknown keys are refused. Money is in the venue's collateral (USD for short), times and distances
carry their unit in the name. Defaults are careful: paper, testnet, isolated margin, small sizes.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny, field_validator

from makerside import strategies

USD_MAX = 1e10  # the ledger is exact up to there
DAY_S = 86_400
DAY_MS = 86_400_000


class Section(BaseModel):
    """Base of all sections: frozen, no unknown keys, no infinite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BotConfig(Section):
    """Who we are at the venue."""

    name: str = Field("maker", pattern=r"^[A-Za-z0-9_-]{1,32}$", description="names the run's folder")
    id: int = Field(1, ge=0, le=63, description="first bot id in client order ids; one per symbol from here on")


class VenueConfig(Section):
    """Where we trade."""

    name: Literal["hyperliquid"] = Field("hyperliquid", description="the venue")
    network: Literal["local", "testnet", "mainnet"] = Field("testnet", description="which network")
    url: str = Field("", description="base URL of a local exchange, e.g. http://127.0.0.1:3001")
    symbols: tuple[str, ...] = Field(("BTC",), min_length=1, max_length=16, description="what to trade")
    account: str = Field(
        "", pattern=r"^(0x[0-9a-fA-F]{40})?$", description="the account an API wallet acts for"
    )
    key_file: str = Field("", description="file with the private key, mode 0600; else MAKERSIDE_KEY")
    margin: Literal["isolated", "cross"] = Field("isolated", description="margin mode")
    leverage: int = Field(3, ge=1, le=50, description="leverage that is set at the start")

    @field_validator("symbols")
    @classmethod
    def _each_once(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        for symbol in symbols:
            if symbols.count(symbol) > 1:
                raise ValueError(f"{symbol} is given twice; give each symbol once")
        return symbols


class RiskConfig(Section):
    """Limits; they hold if every working order of a side filled at once."""

    position_max_usd: float = Field(1_000, gt=0, le=USD_MAX, description="largest position per symbol [USD]")
    order_max_usd: float = Field(1_000, gt=0, le=USD_MAX, description="largest order [USD]")
    total_max_usd: float = Field(
        10_000, gt=0, le=USD_MAX, description="largest sum of positions of the account [USD]"
    )
    price_band_bps: float = Field(
        500, gt=0, le=10_000, description="largest distance of a quote from mid [bps]"
    )
    stale_s: float = Field(
        5.0, ge=0.001, le=DAY_S, description="no quotes when the market was silent for longer [s]"
    )


class PacingConfig(Section):
    """How often we may act."""

    decide_on: Literal["news", "timer"] = Field(
        "news", description="when to decide: on every piece of news, or on timer events only"
    )
    flush_ms: float = Field(250.0, ge=0, le=60_000, description="least time between two sending decisions [ms]")
    hysteresis_bps: float = Field(
        0.3, ge=0, le=1_000, description="an order this near to its quote stays [bps]"
    )
    timeout_ms: float = Field(5_000, ge=1, le=60_000, description="an unanswered action is unknown after [ms]")
    budget_actions: float = Field(10_000, gt=0, le=1e9, description="actions that may be saved up")
    budget_per_s: float = Field(20.0, ge=0, le=1e6, description="actions that time brings back [1/s]")
    reserve_actions: float = Field(100.0, ge=0, le=1e9, description="actions kept for cancels")
    timer_ms: float = Field(100.0, ge=1, le=10_000, description="time between two timer events [ms]")


class EstimatorConfig(Section):
    """Memory of the estimators."""

    volatility_sample_ms: float = Field(
        1_000, ge=1, le=DAY_MS, description="time between two sampled mids [ms]"
    )
    volatility_half_life_s: float = Field(
        120.0, ge=0.001, le=30 * DAY_S, description="memory of the volatility [s]"
    )
    intensity_window_ms: float = Field(500.0, ge=1, le=DAY_MS, description="window of arrivals [ms]")
    intensity_half_life_s: float = Field(
        300.0, ge=0.001, le=30 * DAY_S, description="memory of the arrivals [s]"
    )
    intensity_refit_s: float = Field(
        5.0, ge=0.001, le=DAY_S, description="time between two fits of A and k [s]"
    )
    intensity_range_bps: float = Field(
        8.0, gt=0, le=10_000, description="arrivals are told apart up to here [bps]"
    )


class SimulationConfig(Section):
    """The simulated exchange of backtest and paper."""

    queue: Literal["risk_averse", "log_prob", "log2", "power", "power2", "power3"] = Field(
        "log_prob", description="queue model"
    )
    queue_exponent: float = Field(
        3.0, gt=0, le=100, description="exponent of queue models power, power2, power3; the others ignore it"
    )
    feed_ms: float = Field(
        0.0, ge=0, le=60_000, description="added to the recording's own time from venue to us [ms]"
    )
    entry_ms: float = Field(100.0, ge=0, le=60_000, description="from decision to exchange [ms]")
    response_ms: float = Field(100.0, ge=0, le=60_000, description="from exchange back to us [ms]")
    cash_usd: float = Field(10_000, gt=0, le=USD_MAX, description="cash at the start [USD]")
    maker_fee_bps: float = Field(1.5, ge=-10, le=100, description="maker fee, negative for a rebate [bps]")
    taker_fee_bps: float = Field(4.5, ge=-10, le=100, description="taker fee [bps]")


def _strategy(value: Any) -> Any:
    """Validate a strategy's section with the model in the strategy's own file."""
    if isinstance(value, BaseModel):
        return value
    if not isinstance(value, dict):
        raise ValueError("must be a table with a name")
    return strategies.load(str(value.get("name", "glft"))).Config(**{"name": "glft", **value})


class Config(Section):
    """The whole configuration of a bot."""

    bot: BotConfig = Field(default_factory=BotConfig)
    venue: VenueConfig = Field(default_factory=VenueConfig)
    strategy: Annotated[SerializeAsAny[BaseModel], BeforeValidator(_strategy)] = Field(
        default_factory=lambda: _strategy({})
    )
    risk: RiskConfig = Field(default_factory=RiskConfig)
    pacing: PacingConfig = Field(default_factory=PacingConfig)
    estimators: EstimatorConfig = Field(default_factory=EstimatorConfig)
    simulation: SimulationConfig = Field(default_factory=SimulationConfig)
