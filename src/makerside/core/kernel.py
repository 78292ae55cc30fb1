"""The one `@kernel` decorator, the record types of kernels, and the folder that caches them.

Numba's disk cache looks at the file of the function it loads, not at the files of what that function
calls: an edited callee would go unnoticed. So the cache folder's name is a hash of every kernel
source, the versions, the processor and the flags; any edit starts an empty folder. This is the one
pure module that touches files, and only to compute that name.

Environment: MAKERSIDE_CACHE (where the folders live), NUMBA_DISABLE_JIT, NUMBA_BOUNDSCHECK.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding
import numba
import numpy as np
from numba import types

_PACKAGE = Path(__file__).resolve().parents[1]
# Rooms that hold kernels, and the records that shape them.
_KERNEL_ROOMS = ("model", "core", "strategies", "sim")
_FOLDERS_KEPT = 6  # source states: enough for the three kinds of test run and a branch or two


def cache_root() -> Path:
    """Return the folder that holds all cache folders."""
    given = os.environ.get("MAKERSIDE_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "makerside"


def kernel_sources(extra: Iterable[Path] = ()) -> list[Path]:
    """Return every file whose text decides what the kernels do."""
    files = [path for room in _KERNEL_ROOMS for path in (_PACKAGE / room).rglob("*.py")]
    return sorted(files) + sorted(Path(path).resolve() for path in extra)


def cache_key(extra: Iterable[Path] = ()) -> str:
    """Return the hash of sources, versions, processor and flags."""
    digest = hashlib.sha256()
    for path in kernel_sources(extra):
        digest.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    for fact in (
        numba.__version__,
        llvmlite.__version__,
        np.__version__,
        llvmlite.binding.get_host_cpu_name(),
        llvmlite.binding.get_host_cpu_features().flatten(),
        str(numba.config.BOUNDSCHECK),
        str(numba.config.DEBUG),
        str(numba.config.OPT),
    ):
        digest.update(fact.encode() + b"\0")
    return digest.hexdigest()[:20]


def prepare_cache(extra: Iterable[Path] = ()) -> Path:
    """Point Numba at the cache folder of the present sources and return it; drop the oldest others.

    Must run before a kernel is declared, hence the call at the end of this module.
    """
    folder = cache_root() / f"kernels-{cache_key(extra)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        others = sorted(folder.parent.glob("kernels-*"), key=lambda path: path.stat().st_mtime)
        for old in others[:-_FOLDERS_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError:
        # A read-only home: Numba then falls back to its own choice of folder, without a cache at worst.
        return folder
    numba.config.CACHE_DIR = str(folder)
    return folder


def kernel(*signature: Any, **options: Any) -> Any:
    """Compile a pure function of records: no fastmath, NumPy's rules for division, cached, without the GIL.

    Used bare, or with one explicit signature, which compiles (or loads) at import.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        settings: dict[str, Any] = {"error_model": "numpy", "nogil": True, "cache": True, **options}
        return numba.njit(*signature, **settings)(function)

    if len(signature) == 1 and callable(signature[0]) and not isinstance(signature[0], types.Type):
        function, signature = signature[0], ()
        if not isinstance(function, type) and not hasattr(function, "return_type"):
            return decorate(function)
    return decorate


def record(dtype: np.dtype[Any]) -> Any:
    """Return the Numba type of a scalar record."""
    return numba.from_dtype(dtype)


def records(dtype: np.dtype[Any]) -> Any:
    """Return the Numba type of a contiguous one-dimensional array of records."""
    return types.Array(numba.from_dtype(dtype), 1, "C")


CACHE_FOLDER = prepare_cache()
