"""The terms of any venue on any day: `terms_at(instrument, day)`.

The one place that knows which venues have rules. Pure. Next: `<venue>/terms.py`.
"""

from datetime import date
from types import ModuleType
from typing import Any

from makerside.model.errors import ConfigError
from makerside.model.instrument import Instrument
from makerside.model.terms import Standing, Terms
from makerside.venues.facts import days_of_change
from makerside.venues.hyperliquid import rules as hyperliquid_rules
from makerside.venues.hyperliquid import terms as hyperliquid_terms
from makerside.venues.lighter import rules as lighter_rules
from makerside.venues.lighter import terms as lighter_terms
from makerside.venues.thalex import rules as thalex_rules
from makerside.venues.thalex import terms as thalex_terms

_VENUES: dict[str, tuple[ModuleType, ModuleType]] = {
    "hyperliquid": (hyperliquid_rules, hyperliquid_terms),
    "lighter": (lighter_rules, lighter_terms),
    "thalex": (thalex_rules, thalex_terms),
}
VENUES = tuple(_VENUES)


def has_rules(venue: str) -> bool:
    """Return whether a venue has rules here; a recording may be of any other."""
    return venue in _VENUES


def rules_of(venue: str, day: date, **overrides: Any) -> Any:
    """Return the rules of a venue on a day (UTC), of the venue's own type.

    overrides : values that you know better, by name
    errors    : ConfigError for a venue without rules or a name that is no rule
    """
    return _modules(venue)[0].rules_at(day, **overrides)


def changes_of(venue: str, first: date, last: date) -> list[date]:
    """Return the days after `first`, up to `last`, on which some rule of a venue begins."""
    return days_of_change(_modules(venue)[0].FACTS, first, last)


def terms_at(instrument: Instrument, day: date, standing: Standing | None = None, **overrides: Any) -> Terms:
    """Return what an instrument's venue charges, pays and demands on a day (UTC).

    standing  : of our account; None for a new one of the venue's first kind
    overrides : rules of the venue that you know better, by name
    errors    : ConfigError for a venue without rules, a name that is no rule, a kind of account that is none
    """
    standing = standing or Standing()
    rules = rules_of(instrument.venue, day, **overrides)
    terms = _modules(instrument.venue)[1]
    if standing.tier and standing.tier not in terms.TIERS:
        raise ConfigError(
            f"{instrument.venue}: account tier {standing.tier!r} is none; known are {', '.join(terms.TIERS)}"
        )
    is_perp = instrument.kind == "perp"
    return Terms(
        fees=terms.fees(rules, instrument, standing),
        delays=terms.delays(rules, standing),
        budgets=terms.budgets(rules, standing),
        funding=terms.funding(rules, instrument) if is_perp else None,
        margin=terms.margin(rules, instrument) if is_perp else None,
    )


def _modules(venue: str) -> tuple[ModuleType, ModuleType]:
    if venue not in _VENUES:
        raise ConfigError(f"venue {venue!r} has no rules here; known are {', '.join(VENUES)}")
    return _VENUES[venue]
