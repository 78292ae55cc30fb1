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
from types import FunctionType
from typing import Any, TypeVar, overload

import llvmlite
import llvmlite.binding
import numba
import numpy as np
from numba import types
from numba.core.typing.templates import Signature

Record = Any  # a scalar record of one of the dtypes in `model`: its fields have no static type
Strategy = Callable[[Record, Record, Record], int]  # (market_t, trader_t, desk_t) -> number of quotes
F = TypeVar("F", bound=Callable[..., Any])

_config: Any = numba.config
_PACKAGE = Path(__file__).resolve().parents[1]
# Rooms that hold kernels, and the records that shape them.
_KERNEL_ROOMS = ("model", "core", "strategies", "sim")
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "cache": True}
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
        str(_config.BOUNDSCHECK),
        str(_config.DEBUG),
        str(_config.OPT),
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
    _config.CACHE_DIR = str(folder)
    return folder


@overload
def kernel(function: F, /) -> F: ...


@overload
def kernel(signature: Signature, /) -> Callable[[F], F]: ...


def kernel(what: Any, /) -> Any:
    """Compile a pure function of records: no fastmath, NumPy's rules for division, cached, without the GIL.

    Used bare it compiles at the first call; with an explicit signature at import, or loads then.
    """
    if isinstance(what, FunctionType):
        return numba.njit(**_OPTIONS)(what)
    return numba.njit(what, **_OPTIONS)


def inlined(function: F, /) -> F:
    """Compile a short kernel into each of its callers: for what runs on every row, where a call is dear."""
    made: F = numba.njit(forceinline=True, **_OPTIONS)(function)
    return made


def record(dtype: np.dtype[Any]) -> Any:
    """Return the Numba type of a scalar record."""
    return numba.from_dtype(dtype)


def records(dtype: np.dtype[Any]) -> Any:
    """Return the Numba type of a contiguous one-dimensional array of records."""
    return types.Array(numba.from_dtype(dtype), 1, "C")


CACHE_FOLDER = prepare_cache()
