"""Arrays as their first record: `nth(first, i)` is the i-th record behind it.

An array that is handed to a compiled function costs atomic reference counts, also where nothing is done with
it: measured, a third of a simulation. A record is a bare pointer. So outer loops take arrays, and everything
below them takes the first record of each, and walks from there. There is no check of bounds in compiled
code: who walks knows how many there are. Interpreted, NumPy checks. Pure.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numba
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from makerside.core.kernel import Record


@intrinsic
def _nth_compiled(typing: Any, first: Any, index: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return first(first, types.int64), codegen


def _nth_interpreted(first: Record, index: int) -> Record:
    rows = first.base
    size = first.dtype.itemsize
    skipped = first.__array_interface__["data"][0] - rows.__array_interface__["data"][0]
    return rows.view(first.dtype)[skipped // size + index]


@intrinsic
def _copy_compiled(typing: Any, to: Any, source: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        size = context.get_constant(types.intp, source.size)
        cgutils.raw_memcpy(builder, arguments[0], arguments[1], size, 1)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return types.none(to, source), codegen


def _copy_interpreted(to: Record, source: Record) -> None:
    address, size = source.__array_interface__["data"][0], source.dtype.itemsize
    ctypes.memmove(to.__array_interface__["data"][0], address, size)


_is_interpreted = bool(getattr(numba.config, "DISABLE_JIT", 0))
_nth: Any = _nth_interpreted if _is_interpreted else _nth_compiled
# (first record, index) -> the record so many behind it
nth: Callable[[Record, int], Record] = _nth

_copy: Any = _copy_interpreted if _is_interpreted else _copy_compiled
# (to, source): the bytes of a record over another, and over what stands behind it when that is shorter
copy_record: Callable[[Record, Record], None] = _copy
