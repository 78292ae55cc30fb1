"""How records are laid out: aligned, and without padding.

Padding bytes are undefined in NumPy copies, so that two equal states could compare unequal; a record
that would need some gets a spare field instead. Pure; numpy only. First of the model files.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


def row_type(fields: Sequence[Any]) -> np.dtype[Any]:
    """Return an aligned record type; asserts that it has no padding. fields : as for numpy.dtype"""
    dtype = np.dtype(list(fields), align=True)
    assert dtype.itemsize == np.dtype(list(fields)).itemsize, f"padding in {dtype}"
    return dtype
