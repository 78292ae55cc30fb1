"""Terms: what a venue charges, pays, demands and delays, as plain values of one day.

`venues/<name>/terms.py` makes them from dated facts, for one instrument and for how our account stands at
the venue; the kernels of `sim` get them as records (`fill_fees`, `fill_funding`, `fill_margin`). Nothing
here names a venue. Rates and shares are fractions of the notional, exact. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from types import MappingProxyType

ZERO = Decimal(0)


class Premium(IntEnum):
    """What a venue samples as the premium of the perpetual over its index."""

    IMPACT = 0  # [max(0, impact bid - index) - max(0, index - impact ask)] / index
    IMPACT_MID = 1  # (impact bid + impact ask) / 2 / index - 1
    MARK = 2  # mark / index - 1


class Execution(IntEnum):
    """At which prices a venue closes what it liquidates."""

    MARKET = 0  # any price that the book gives
    ZERO_PRICE = 1  # not worse than the price that keeps equity over maintenance margin as it is


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands at a venue: what fees, delays and limits depend on.

    tier        : the venue's name for the kind of account, "" for its first
    volume_usd  : traded in the venue's window, weighted by its rule
    maker_share : of the venue's maker volume, a fraction
    staked      : of the venue's token
    """

    tier: str = ""
    volume_usd: int = 0
    maker_share: Decimal = ZERO
    staked: Decimal = ZERO
    is_referred: bool = False


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """What a fill costs.

    maker, taker, liquidation : fractions of the notional; maker < 0 is a rebate. `liquidation` comes on top
    decimals   : of the collateral, to which the venue rounds
    is_nearest : round to the nearest step; else against us, a cost up and a rebate down
    is_on_index : the notional is size x index price, not size x fill price
    is_of_improvement : the liquidation fee takes no more than what the fill was better than its limit
    """

    maker: Decimal
    taker: Decimal
    liquidation: Decimal = ZERO
    decimals: int = 6
    is_nearest: bool = False
    is_on_index: bool = False
    is_of_improvement: bool = False


@dataclass(frozen=True, slots=True)
class FundingTerms:
    """When funding is due, and how its rate follows from the premium (formulas d-18).

    rate of `rate_hours` = clip(P + clip(interest - P, -clamp, +clamp), -cap, +cap), P = multiplier x premium
    A dead band d is interest 0 and clamp d. cap None: there is none.

    interval_s, offset_s : payments are due at whole intervals since 1970 (UTC) + offset
    is_accruing : the rate of each moment is owed from then on, and settled when it is due; else the mean of
                  the interval's samples is paid on the position of that moment
    is_on_index : paid on size x index price, else on mark price
    decimals    : of the collateral, to which a payment is rounded, against us
    impact_notional_usd : of the impact prices
    """

    interval_s: int
    rate_hours: int
    clamp: Decimal
    interest: Decimal = ZERO
    cap: Decimal | None = None
    multiplier: Decimal = Decimal(1)
    offset_s: int = 0
    premium: Premium = Premium.IMPACT
    sample_s: int = 5
    impact_notional_usd: int = 0
    is_accruing: bool = False
    is_on_index: bool = True
    decimals: int = 6


@dataclass(frozen=True, slots=True)
class MarginTier:
    """Margin on the part of a notional above `lower_usd`, as exact fractions of it."""

    lower_usd: Decimal
    initial: Fraction
    maintenance: Fraction


@dataclass(frozen=True, slots=True)
class MarginTerms:
    """What a position must be covered with, and what happens when it is not.

    tiers    : by notional, the first from 0
    closeout : share of the maintenance margin below which the venue takes the position over; 0: never
    part_usd, part_share, cooldown_s : a position above `part_usd` is sent to the book in this share first,
               the next part after the cooldown and then whole; part_share 1: whole at once
    is_on_index : notionals are size x index price, else mark price
    """

    tiers: tuple[MarginTier, ...]
    closeout: Fraction = Fraction(0)
    part_usd: Decimal = ZERO
    part_share: Fraction = Fraction(1)
    cooldown_s: int = 0
    execution: Execution = Execution.MARKET
    is_on_index: bool = False


@dataclass(frozen=True, slots=True)
class DelayTerms:
    """Speed bumps: how long the venue holds a message before it acts, by class, in ms.

    maker : post-only orders;  cancel : cancels;  taker : every order that could take
    """

    maker_ms: int = 0
    cancel_ms: int = 0
    taker_ms: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on messages: `capacity` within `period_s`, as a bucket that refills evenly.

    per   : what the venue counts by: "ip", "account", "connection"
    costs : by kind of message ("order", "cancel", "read", ...); what is not named costs nothing
    """

    name: str
    capacity: int
    period_s: int
    per: str
    costs: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Terms:
    """All terms of one instrument at one venue on one day. funding, margin : None for spot"""

    fees: FeeTerms
    delays: DelayTerms
    budgets: tuple[Budget, ...]
    funding: FundingTerms | None
    margin: MarginTerms | None
