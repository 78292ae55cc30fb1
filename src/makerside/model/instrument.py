"""Instruments: what is traded, and the rules that its prices and sizes obey.

`Instrument` is the exact description with decimals; `instrument_t` the few integers that kernels
need. Pure; numpy and the standard library only.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from makerside.model.errors import ConfigError
from makerside.model.layout import row_type
from makerside.model.units import E9, MONEY_DECIMALS, money_to_e8, parse_decimal, steps_to_text, to_steps

instrument_t = row_type(
    [
        ("unit_value_e8", "i8"),  # money of one lot at a price of one tick
        ("min_size_lots", "i8"),
        ("min_notional_e8", "i8"),
        ("significant_figures", "i8"),  # 0: every tick is a price
        ("integer_step_ticks", "i8"),  # ticks of a price of 1; whole prices are allowed at any length
        ("maker_fee_e9", "i8"),
        ("taker_fee_e9", "i8"),
        ("fee_quantum_e8", "i8"),  # fees are rounded up to a multiple of this
        ("tick_size", "f8"),
        ("lot_size", "f8"),
    ]
)


def decimals_of(step: Decimal) -> int:
    """Return how many decimals a step has: 0.001 gives 3, 1 and 10 give 0."""
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One perpetual or spot market of a venue.

    tick_size is the finest price step; where allowed steps grow with the price (Hyperliquid),
    `significant_figures` says how, and prices remain counted in the finest tick.
    """

    venue: str
    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    kind: str = "perp"
    multiplier: Decimal = Decimal(1)
    significant_figures: int = 0
    min_size: Decimal = Decimal(0)
    min_notional: Decimal = Decimal(0)
    maker_fee: Decimal = Decimal(0)
    taker_fee: Decimal = Decimal(0)
    fee_decimals: int = 6
    collateral: str = "USDC"
    funding_interval_s: int = 3600
    max_leverage: int = 1
    venue_id: int = 0  # the venue's integer for it on the wire
    tick_decimals: int = field(init=False)
    lot_decimals: int = field(init=False)

    def __post_init__(self) -> None:
        if self.kind not in ("perp", "spot"):
            raise ConfigError(f"{self.venue} {self.symbol}: kind {self.kind!r} is not perp or spot")
        for name in ("tick_size", "lot_size", "multiplier"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{self.venue} {self.symbol}: {name} must be above 0")
        if not 0 <= self.fee_decimals <= MONEY_DECIMALS:
            raise ConfigError(
                f"{self.venue} {self.symbol}: fee_decimals {self.fee_decimals} is not in 0 to {MONEY_DECIMALS}"
            )
        object.__setattr__(self, "tick_decimals", decimals_of(self.tick_size))
        object.__setattr__(self, "lot_decimals", decimals_of(self.lot_size))
        if self.unit_value_e8 < 1:
            raise ConfigError(f"{self.venue} {self.symbol}: tick x lot is finer than 10^-{MONEY_DECIMALS}")

    @property
    def unit_value_e8(self) -> int:
        """Money of one lot at a price of one tick, exactly."""
        return money_to_e8(self.tick_size * self.lot_size * self.multiplier, f"{self.symbol}: tick x lot")

    @property
    def integer_step_ticks(self) -> int:
        """Ticks of a price of 1, or 0 when the tick is not a fraction of 1."""
        steps = Decimal(1) / self.tick_size
        return int(steps) if steps == int(steps) else 0

    def price_ticks(self, price: str | Decimal) -> int:
        """Return a price as ticks; DataError when it is off the tick grid."""
        return to_steps(parse_decimal(price, f"{self.symbol} price"), self.tick_size, f"{self.symbol} price")

    def size_lots(self, size: str | Decimal) -> int:
        """Return a size as lots; DataError when it is off the lot grid."""
        return to_steps(parse_decimal(size, f"{self.symbol} size"), self.lot_size, f"{self.symbol} size")

    def price_text(self, ticks: int) -> str:
        """Return ticks as plain decimal text."""
        if self.tick_size == Decimal(1).scaleb(-self.tick_decimals):
            return steps_to_text(int(ticks), self.tick_decimals)
        return format((int(ticks) * self.tick_size).normalize(), "f")

    def size_text(self, lots: int) -> str:
        """Return lots as plain decimal text."""
        if self.lot_size == Decimal(1).scaleb(-self.lot_decimals):
            return steps_to_text(int(lots), self.lot_decimals)
        return format((int(lots) * self.lot_size).normalize(), "f")

    def fill_record(self, record: Any) -> None:
        """Write the rules into an `instrument_t` scalar record."""
        record["unit_value_e8"] = self.unit_value_e8
        whole, rest = divmod(self.min_size, self.lot_size)
        record["min_size_lots"] = max(1, int(whole) + (1 if rest > 0 else 0))
        record["min_notional_e8"] = money_to_e8(self.min_notional, "min_notional")
        record["significant_figures"] = self.significant_figures
        record["integer_step_ticks"] = self.integer_step_ticks
        record["maker_fee_e9"] = to_steps(self.maker_fee, Decimal(1) / E9, "maker_fee")
        record["taker_fee_e9"] = to_steps(self.taker_fee, Decimal(1) / E9, "taker_fee")
        record["fee_quantum_e8"] = 10 ** (MONEY_DECIMALS - self.fee_decimals)
        record["tick_size"] = float(self.tick_size)
        record["lot_size"] = float(self.lot_size)

    def as_dict(self) -> dict[str, str | int]:
        """Return the description as plain JSON values; `from_dict` is its inverse."""
        return {
            name: str(value) if isinstance(value, Decimal) else value
            for name, value in ((name, getattr(self, name)) for name in _FIELDS)
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Instrument":
        """Return the instrument that `as_dict` described."""
        unknown = sorted(set(values) - set(_FIELDS))
        if unknown:
            raise ConfigError(f"instrument: unknown keys {', '.join(unknown)}; known are {', '.join(_FIELDS)}")
        arguments: dict[str, Any] = {
            name: Decimal(value) if name in _DECIMALS else value for name, value in values.items()
        }
        return cls(**arguments)


_FIELDS = tuple(
    name for name in Instrument.__dataclass_fields__ if name not in ("tick_decimals", "lot_decimals")
)
_DECIMALS = frozenset(name for name, f in Instrument.__dataclass_fields__.items() if f.type is Decimal)
