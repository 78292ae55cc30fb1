"""Who runs the shards of a sweep: threads of this process here, a cluster in `ray_crew.py`."""

import threading
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import partial
from typing import Protocol

from makerside.research.grid import ParameterSet
from makerside.research.shards import run_shard
from makerside.research.trial import SharedMarket, Trial

LOOK_S = 0.2  # between two looks at those who work
Shard = Sequence[ParameterSet]
# Trials of the shards that have ended since the last look, and rows x sets that the running ones have passed.
Looks = Generator[tuple[list[Trial], int], None, None]


class Crew(Protocol):
    """Those who run shards. size : how many shards they run at the same time"""

    @property
    def size(self) -> int:
        """Return how many shards run at the same time."""

    def run(self, market: SharedMarket, shards: Sequence[Shard]) -> Looks:
        """Run all shards, in any order; closing the generator ends those that still run, without results."""


class ThreadCrew:
    """Threads over shared memory: kernels do not hold Python's lock."""

    def __init__(self, size: int) -> None:
        self.size = size

    def run(self, market: SharedMarket, shards: Sequence[Shard]) -> Looks:
        """Run all shards; see `Crew`."""
        stop = threading.Event()
        rows = [0] * len(shards)

        def note(number: int, rows_done: int) -> None:
            rows[number] = rows_done * len(shards[number])

        with ThreadPoolExecutor(self.size) as pool:
            running = {
                pool.submit(run_shard, market, shard, stop, partial(note, i)): i
                for i, shard in enumerate(shards)
            }
            try:
                while running:
                    ended, _ = wait(running, LOOK_S, FIRST_COMPLETED)
                    trials: list[Trial] = []
                    for future in ended:
                        rows[running.pop(future)] = 0
                        trials += future.result()
                    yield trials, sum(rows)
            finally:
                # Running shards end at their next look at `stop`; what has not begun never does.
                stop.set()
                for future in running:
                    future.cancel()
