"""What a check of `makerside validate` returns: rows that pass or fail, and charts.

A row says what was found, with its 95 % interval, and what range is accepted because of a published number,
a closed form or an exact solution. Everything random comes from the seed that the row's check names.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from makerside.research.performance import wilson_interval

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Z_95 = NormalDist().inv_cdf(0.975)
Progress = Callable[[int, int], None]  # (done, in all)


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison.

    what      : the quantity;  reference : what it is compared with, and where that is from
    found     : its value;  half_width : of its 95 % interval, 0 where nothing is random
    low, high : accepted range, both ends included
    form      : how its numbers are printed, a format specification
    note      : what a reader should know, e.g. a known deviation
    """

    what: str
    reference: str
    found: float
    half_width: float
    low: float
    high: float
    form: str = ".2f"
    note: str = ""

    def is_passed(self, is_quick: bool) -> bool:
        """Return whether the value lies in the accepted range; quick: whether its interval reaches it."""
        slack = self.half_width if is_quick else 0.0
        return self.low - slack <= self.found <= self.high + slack

    def as_dict(self, is_quick: bool) -> dict[str, Any]:
        """Return plain JSON values; an open end of the range is None."""
        return {
            "what": self.what,
            "reference": self.reference,
            "found": _plain(self.found),
            "ci95_half_width": _plain(self.half_width),
            "accepted_low": _plain(self.low),
            "accepted_high": _plain(self.high),
            "passed": self.is_passed(is_quick),
            "note": self.note,
        }


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture worth seeing. draw : called when the page is written"""

    title: str
    note: str
    draw: "Callable[[], Figure]"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    about    : what was run, in a sentence or two;  source : of what it is compared with
    settings : everything that makes it the same again, seed included
    """

    title: str
    about: str
    source: str
    settings: dict[str, Any]
    rows: Sequence[Row]
    charts: Sequence[Chart] = field(default=())


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is drawn."""

    is_quick: bool = False

    def of(self, full: int, quick: int) -> int:
        """Return the number for this scale."""
        return quick if self.is_quick else full


def near(
    what: str, reference: float, tolerance: float, found: float, half_width: float, source: str, **more: str
) -> Row:
    """Return a row that accepts `reference` plus or minus `tolerance`, both in the row's unit."""
    form = more.get("form", ".2f")
    text = f"{reference:{form}} {source}".strip()
    return Row(what, text, found, half_width, reference - tolerance, reference + tolerance, **more)


def mean_and_half(values: NDArray[Any]) -> tuple[float, float]:
    """Return the mean of independent values and the half width of its 95 % interval."""
    return float(values.mean()), Z_95 * float(values.std(ddof=1)) / math.sqrt(len(values))


def deviation_and_half(values: NDArray[Any]) -> tuple[float, float]:
    """Return the standard deviation of independent values and the half width of its 95 % interval.

    source : delta method, Var(s) = s^2 (kurtosis - 1) / (4 n)
    """
    centred = values - values.mean()
    deviation = float(values.std(ddof=1))
    kurtosis = float(np.mean(centred**4)) / float(np.mean(centred**2)) ** 2
    return deviation, Z_95 * deviation * math.sqrt((kurtosis - 1.0) / (4.0 * len(values)))


def share_and_half(wins: int, n: int) -> tuple[float, float]:
    """Return a share and half the width of its Wilson interval."""
    low, high = wilson_interval(wins, n)
    return wins / n, 0.5 * (high - low)
