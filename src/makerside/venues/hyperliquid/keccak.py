"""Keccak-256 by the fastest provider that is installed: safe-pysha3, else pycryptodome.

The standard library's `hashlib.sha3_256` is the later NIST variant with another padding and gives
other digests. Both providers are tested to be equal. Pure.
"""

from collections.abc import Callable

from Crypto.Hash import keccak as _pycryptodome

Keccak = Callable[[bytes], bytes]


def keccak_pycryptodome(data: bytes) -> bytes:
    """Return the 32 bytes of Keccak-256 of `data`, by pycryptodome."""
    return _pycryptodome.new(digest_bits=256, data=data).digest()


def _pysha3() -> Keccak | None:
    """Return the hash by safe-pysha3, None where it has no wheel (it is optional)."""
    try:
        from sha3 import keccak_256
    except ImportError:
        return None

    def keccak_pysha3(data: bytes) -> bytes:
        digest: bytes = keccak_256(data).digest()
        return digest

    return keccak_pysha3


keccak_pysha3 = _pysha3()
keccak: Keccak = keccak_pysha3 or keccak_pycryptodome
