"""Loading all kernels: compile what is not cached, in an order that shows progress evenly.

A kernel that Python calls has an explicit signature: importing its module compiles it, or loads it
from the cache folder. A marker in that folder says that everything was compiled once.
"""

import importlib
import subprocess
import sys
from collections.abc import Callable

from makerside import strategies
from makerside.core.kernel import CACHE_FOLDER
from makerside.core.signature import address_of

# Modules by import; about equal shares of the work.
LONGEST = "makerside.sim.loop"
WORK = (
    "makerside.core.positions",
    "makerside.core.book",
    "makerside.core.step",
    "makerside.core.trace",
    "makerside.sim.matching",
    "makerside.sim.door",
    "makerside.sim.synthetic",
    *(f"makerside.strategies.{name}" for name in strategies.NAMES),
    LONGEST,
)
_MARKER = CACHE_FOLDER / "complete"


def is_cached() -> bool:
    """Return whether every kernel of the present sources is in the cache."""
    return _MARKER.exists()


def _compile_apart(name: str) -> "subprocess.Popen[bytes]":
    """Compile one module in a process of its own, into the same cache: half of the work is in one of them."""
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-c", f"import {name}"]
    return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603 - our own interpreter


def load_all(on_progress: Callable[[int, int], None] | None) -> None:
    """Compile or load every kernel. on_progress : called with (modules done, modules in all)."""
    helper = None if is_cached() or not CACHE_FOLDER.is_dir() else _compile_apart(LONGEST)
    try:
        for done, name in enumerate(WORK):
            if on_progress is not None:
                on_progress(done, len(WORK))
            if name == LONGEST and helper is not None:
                helper.wait()  # whatever it did: what it has not cached is compiled here
            module = importlib.import_module(name)
            targets = getattr(module, "targets", None)
            if targets is not None:
                address_of(targets)
    finally:
        if helper is not None and helper.poll() is None:
            helper.kill()
    if on_progress is not None:
        on_progress(len(WORK), len(WORK))
    if CACHE_FOLDER.is_dir():
        _MARKER.touch()
