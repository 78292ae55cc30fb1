"""Nonces: strictly increasing integers per key that look like milliseconds of the wall clock."""

from makerside.net.clock import wall_ms


class NonceSource:
    """Hands out nonces for one key. Two keys need two of these."""

    def __init__(self, last: int = 0) -> None:
        self._last = last

    def next(self) -> int:
        """Return max(last + 1, now in ms): never the same twice, also within one millisecond."""
        self._last = max(self._last + 1, wall_ms())
        return self._last
