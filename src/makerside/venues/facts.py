"""Dated facts: how every venue writes down its rules, and which of them hold on a day.

A recording is replayed under the rules of its day, so a change is a new line and never an edit of an
old one. Where sources disagree the stricter value stands in the table, and its mark says so: a site that
knows better overrides it. Pure. The tables are `<venue>/rules_facts.py`, read through `<venue>/rules.py`.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from makerside.model.errors import ConfigError

BEGINNING = date(2023, 1, 1)  # "since" of a fact of which no earlier rule is known


class Mark(StrEnum):
    """How sure a fact is."""

    DOCUMENTED = "documented"  # official documentation, or code that is checked against the live venue
    REPORTED = "reported"  # third-party probes, recordings and public threads
    UNCERTAIN = "uncertain"  # conflicting or inferred: the stricter variant, override it if you know better
    OURS = "ours"  # a choice of makerside inside what the venue allows


class Fact(NamedTuple):
    """One rule of a venue, valid from a day on."""

    name: str
    value: Any
    source: str
    mark: Mark = Mark.DOCUMENTED
    since: date = BEGINNING


def facts_at(
    venue: str, table: Iterable[Fact], names: Iterable[str], day: date, overrides: Mapping[str, Any]
) -> dict[str, Fact]:
    """Return the fact of each name that is valid on a day (UTC); before all of them, the earliest.

    overrides : values that the user knows better, by name
    errors    : ConfigError for an override that is no rule
    """
    known = tuple(names)
    unknown = sorted(set(overrides) - set(known))
    if unknown:
        raise ConfigError(f"{venue} rules: unknown names {', '.join(unknown)}; known are {', '.join(known)}")
    valid: dict[str, Fact] = {}
    for fact in sorted(table, key=lambda fact: fact.since):
        if fact.since <= day or fact.name not in valid:
            valid[fact.name] = fact
    for name, value in overrides.items():
        valid[name] = Fact(name, value, "configuration", Mark.OURS, day)
    return valid


def days_of_change(table: Iterable[Fact], first: date, last: date) -> list[date]:
    """Return the days after `first`, up to `last`, on which some rule of a table begins."""
    return sorted({fact.since for fact in table if first < fact.since <= last})
