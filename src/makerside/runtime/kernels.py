"""Loading all kernels: compile what is not cached, in an order that shows progress evenly.

A kernel that Python calls has an explicit signature: importing its module compiles it, or loads it
from the cache folder. A marker in that folder says that everything was compiled once.
"""

import importlib
from collections.abc import Callable

from makerside import strategies
from makerside.core.kernel import CACHE_FOLDER
from makerside.core.signature import address_of

# Modules by import; about equal shares of the work.
WORK = (
    "makerside.core.positions",
    "makerside.core.book",
    "makerside.core.step",
    "makerside.core.trace",
    "makerside.sim.matching",
    "makerside.sim.door",
    "makerside.sim.synthetic",
    *(f"makerside.strategies.{name}" for name in strategies.NAMES),
    "makerside.sim.loop",
)
_MARKER = CACHE_FOLDER / "complete"


def is_cached() -> bool:
    """Return whether every kernel of the present sources is in the cache."""
    return _MARKER.exists()


def load_all(on_progress: Callable[[int, int], None] | None) -> None:
    """Compile or load every kernel. on_progress : called with (modules done, modules in all)."""
    for done, name in enumerate(WORK):
        if on_progress is not None:
            on_progress(done, len(WORK))
        module = importlib.import_module(name)
        targets = getattr(module, "targets", None)
        if targets is not None:
            address_of(targets)
    if on_progress is not None:
        on_progress(len(WORK), len(WORK))
    if CACHE_FOLDER.is_dir():
        _MARKER.touch()
