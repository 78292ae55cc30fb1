"""The only wall clock. Market time may run faster: a recording replayed at speed X has its own clock.

    market time = origin_market + (wall time - origin_wall) x speed

Two processes on one machine that share the three numbers share the clock. Wall time advances with
the monotonic clock, so that a correction of the system's clock never turns event time back.
"""

import time
from dataclasses import dataclass

from makerside.model.units import NS_PER_MS

_WALL_AT_START_NS = time.time_ns()
_MONOTONIC_AT_START_NS = time.monotonic_ns()


def wall_ns() -> int:
    """Return nanoseconds since the epoch; never goes back within a process."""
    return _WALL_AT_START_NS + time.monotonic_ns() - _MONOTONIC_AT_START_NS


def wall_ms() -> int:
    """Return milliseconds since the epoch: nonces and expiry run on this, whatever the speed."""
    return wall_ns() // NS_PER_MS


def stopwatch_ns() -> int:
    """Return a fine-grained count for measuring durations."""
    return time.perf_counter_ns()


@dataclass(frozen=True, slots=True)
class Clock:
    """Market time of a run."""

    origin_wall_ns: int = 0
    origin_market_ns: int = 0
    speed: float = 1.0

    @classmethod
    def starting_now(cls, speed: float = 1.0) -> "Clock":
        """Return a clock that reads the wall's time now and runs at `speed` from here on."""
        now = wall_ns()
        return cls(now, now, speed)

    def now_ns(self) -> int:
        """Return market time in nanoseconds since the epoch."""
        if self.speed == 1.0:
            return wall_ns() - self.origin_wall_ns + self.origin_market_ns
        return self.origin_market_ns + int((wall_ns() - self.origin_wall_ns) * self.speed)

    def wall_s(self, market_ns: int) -> float:
        """Return how many seconds on the wall a stretch of market time takes."""
        return market_ns / self.speed / 1e9
