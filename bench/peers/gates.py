"""The gates and goals, and what was measured against them; see docs/benchmarks.md."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of the table. gate, goal : how many times better than the peer; for memory, the share of it."""

    key: str
    what: str
    gate: float
    goal: float
    unit: str = "s"
    is_share: bool = False  # ours / theirs, smaller is better


ROWS = (
    Row("1", "one set, 1 level", 4, 6),
    Row("2", "one set, 5 levels", 4, 6),
    Row("3.1", "20 sets, 1 thread", 25, 60),
    Row("3.2", "20 sets, 2 threads", 30, 80),
    Row("4.1", "100 sets, 1 thread", 40, 90),
    Row("4.2", "100 sets, 2 threads", 60, 140),
    Row("5.1", "100 sets x 5 levels, 1 thread", 12, 40),
    Row("5.2", "100 sets x 5 levels, 2 threads", 20, 70),
    Row("6", "new process to first result", 6, 10),
    Row("7", "peak memory", 0.75, 0.62, "MiB", is_share=True),
    Row("8", "raw messages to rows", 6, 10),
    Row("day", "100 sets on a day of StandX, 2 threads, against 20 s", 1, 1),
)


@dataclass(frozen=True)
class Result:
    """A row with its rounds, in turns. cpu_ours, cpu_theirs : processor time, where it was measured"""

    row: Row
    ours: Sequence[float]
    theirs: Sequence[float]
    cpu_ours: Sequence[float] = ()
    cpu_theirs: Sequence[float] = ()

    @property
    def ratio(self) -> float:
        """Median over the rounds of theirs / ours; of ours / theirs for a share."""
        pairs = zip(self.ours, self.theirs, strict=True)
        return statistics.median(a / b if self.row.is_share else b / a for a, b in pairs)

    @property
    def cpu_ratio(self) -> float | None:
        """The same of processor time: what a busy machine does not disturb. None where it says nothing."""
        pairs = list(zip(self.cpu_ours, self.cpu_theirs, strict=True))
        return statistics.median(b / a for a, b in pairs) if pairs else None

    @property
    def is_passed(self) -> bool:
        """Whether the gate holds."""
        return self.ratio <= self.row.gate if self.row.is_share else self.ratio >= self.row.gate

    @property
    def is_goal(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio <= self.row.goal if self.row.is_share else self.ratio >= self.row.goal

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "row": self.row.key,
            "what": self.row.what,
            "unit": self.row.unit,
            "ours": list(self.ours),
            "theirs": list(self.theirs),
            "ratio": self.ratio,
            "cpu_ours": list(self.cpu_ours),
            "cpu_theirs": list(self.cpu_theirs),
            "cpu_ratio": self.cpu_ratio,
            "gate": self.row.gate,
            "goal": self.row.goal,
            "is_passed": self.is_passed,
            "is_goal": self.is_goal,
        }


def row(key: str) -> Row:
    """Return a row by its key."""
    return next(one for one in ROWS if one.key == key)
