"""Random numbers for simulations: a seeded record, the same stream on every machine and in every mode.

The generator is MRG32k3a, a combination of two multiplicative recurrences of order three. All products
stay below 2^53, so that int64 arithmetic never wraps, compiled or interpreted; the period is about 2^191.

Source: P. L'Ecuyer, "Good parameters and implementations for combined multiple recursive random number
generators", Operations Research 47 (1999), figure I. Pure; numpy and core only.
"""

import numpy as np

from makerside.core.kernel import Record, kernel
from makerside.core.numbers import log

random_t = np.dtype([("first", "i8", (3,)), ("second", "i8", (3,))])

_M1, _M2 = 4294967087, 4294944443
_A12, _A13N = 1403580, 810728
_A21, _A23N = 527612, 1370589
_NORM = 2.328306549295727688e-10  # 1 / (m1 + 1)
_GOLDEN, _MASK_64 = 0x9E3779B97F4A7C15, (1 << 64) - 1


def seed_random(record: Record, seed: int, stream: int = 0) -> None:
    """Start a `random_t` at a seed; different (seed, stream) give streams that have nothing in common.

    seed, stream : any integers
    source       : SplitMix64 (Steele, Lea, Flood 2014) spreads them over the six words
    """
    word = (seed * 0xD1342543DE82EF95 + stream * 0xAF251AF3B0F025B5 + 1) & _MASK_64
    words = []
    for _ in range(6):
        word = (word + _GOLDEN) & _MASK_64
        mixed = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK_64
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK_64
        words.append(mixed ^ (mixed >> 31))
    # A recurrence must not start at three zeros: 1 to m - 1 never does.
    for i in range(3):
        record["first"][i] = 1 + words[i] % (_M1 - 1)
        record["second"][i] = 1 + words[3 + i] % (_M2 - 1)


@kernel
def uniform(random: Record) -> float:
    """Return a number strictly between 0 and 1, and step on. random : random_t"""
    first, second = random["first"], random["second"]
    p1 = (_A12 * first[1] - _A13N * first[0]) % _M1
    first[0] = first[1]
    first[1] = first[2]
    first[2] = p1
    p2 = (_A21 * second[2] - _A23N * second[0]) % _M2
    second[0] = second[1]
    second[1] = second[2]
    second[2] = p2
    if p1 <= p2:
        return (p1 - p2 + _M1) * _NORM
    return (p1 - p2) * _NORM


@kernel
def exponential(random: Record) -> float:
    """Return an exponential number of mean 1."""
    return -log(uniform(random))
