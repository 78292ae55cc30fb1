"""Client order ids: makerside's 48 bits inside Hyperliquid's 128-bit `cloid`, and back.

    0x  6d616b657273  <identity, 12 hex digits>  <CRC-32 of these 12 bytes, 8 hex digits>
        "makers"

The checksum keeps a stranger's id that happens to begin alike from being taken for ours. The venue
wants exactly 16 bytes in lower case (venue file, section 2.2). Pure.
"""

from binascii import crc32

from makerside.model.order import ID_BITS

_PREFIX = b"makers"
_START = "0x" + _PREFIX.hex()
_IDENTITY_BYTES = ID_BITS // 8
_IDENTITY_END = len(_START) + 2 * _IDENTITY_BYTES
_LENGTH = 2 + 32
assert len(_PREFIX) + _IDENTITY_BYTES + 4 == 16


def cloid_text(identity: int) -> str:
    """Return the `cloid` of a client order id.

    errors : asserts that the id is one of ours, above 0 and of 48 bits
    """
    assert 0 < identity < 1 << ID_BITS
    body = _PREFIX + int(identity).to_bytes(_IDENTITY_BYTES, "big")
    return f"0x{body.hex()}{crc32(body):08x}"


def identity_of(cloid: str | None) -> int:
    """Return the client order id in a `cloid`; 0 when there is none or it is not one of ours."""
    if cloid is None or len(cloid) != _LENGTH or not cloid.startswith(_START):
        return 0
    try:
        identity = int(cloid[len(_START) : _IDENTITY_END], 16)
    except ValueError:
        return 0
    # Comparing the whole text also refuses what `int` is lenient about: signs, underscores, upper case.
    return identity if identity > 0 and cloid == cloid_text(identity) else 0
