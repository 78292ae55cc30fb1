"""The checks of `makerside validate` by name, and one run of some of them."""

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from makerside import __version__
from makerside.model.errors import UserError
from makerside.research.validation.rows import Finding, Progress, Scale

# Modules of this folder with `check(scale, on_progress)`; imported when they run: two of them bring kernels.
CHECKS = ("avellaneda_stoikov", "glft", "bipower", "intensity", "queue", "selection", "first_passage")


@dataclass(frozen=True, slots=True)
class Result:
    """One check that has run."""

    name: str
    finding: Finding
    taken_s: float

    def failures(self, is_quick: bool) -> int:
        """Return how many rows failed."""
        return sum(not row.is_passed(is_quick) for row in self.finding.rows)


def chosen(names: Sequence[str]) -> list[str]:
    """Return the checks to run, in their order; all when none is named. errors : UserError for others"""
    for name in names:
        if name not in CHECKS:
            raise UserError(f"--only {name}: there is no such check; there are {', '.join(CHECKS)}")
    return [name for name in CHECKS if name in names or not names]


def run_checks(names: Sequence[str], scale: Scale, progress_of: Callable[[int], Progress]) -> Iterator[Result]:
    """Run checks one after the other and yield each result. progress_of : index of the check -> its progress"""
    for i, name in enumerate(names):
        begun = time.perf_counter()
        module: Any = importlib.import_module(f"makerside.research.validation.{name}")
        finding = module.check(scale, progress_of(i))
        yield Result(name, finding, time.perf_counter() - begun)


def summarize(results: Sequence[Result], is_quick: bool) -> dict[str, Any]:
    """Return everything as plain JSON values."""
    return {
        "makerside": __version__,
        "quick": is_quick,
        "rows": sum(len(result.finding.rows) for result in results),
        "failed": sum(result.failures(is_quick) for result in results),
        "checks": {
            result.name: {
                "title": result.finding.title,
                "about": result.finding.about,
                "source": result.finding.source,
                "settings": result.finding.settings,
                "taken_s": round(result.taken_s, 2),
                "rows": [row.as_dict(is_quick) for row in result.finding.rows],
            }
            for result in results
        },
    }
