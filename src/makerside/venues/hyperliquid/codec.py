"""What every part of the wire shares: the error of a malformed message, and how JSON is read.

Pure: imports the error tree and msgspec. Next: `numbers.py`, then `wire.py`.
"""

from typing import Annotated, Any, TypeVar

import msgspec

from makerside.model.errors import VenueError
from makerside.model.units import NS_PER_MS

INT64_MAX = (1 << 63) - 1
TIME_MS_MAX = INT64_MAX // NS_PER_MS  # what still fits an int64 of nanoseconds

T = TypeVar("T")
Buffer = bytes | bytearray | memoryview

# Integers are bounded at the door, so that no later packing into an int64 can fail.
Uint = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
TimeMs = Annotated[int, msgspec.Meta(ge=0, le=TIME_MS_MAX)]
Address = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{40}\Z")]
Cloid = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{32}\Z")]
# What a client may send as a price or size: plain notation, no exponent, no sign on a size.
DecimalText = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,24}(\.[0-9]{1,24})?\Z")]


class Malformed(VenueError):
    """Bytes that are no message of this protocol.

    A server answers a body that raises it with `http_status` and `http_text`, byte for byte what the
    venue answers (venue file, section 1.2: python-sdk#148, ccxt#27081).
    """

    http_status = 422
    http_text = "Failed to deserialize the JSON body into the target type"


def read(decoder: "msgspec.json.Decoder[T]", data: Buffer) -> T:
    """Return what `decoder` makes of `data`.

    errors : Malformed, with the place that does not fit; nothing else for any bytes
    """
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"{error} in {excerpt(data)}") from None


def excerpt(data: Buffer, length: int = 120) -> str:
    """Return the start of a message as printable text, for an error that a person reads."""
    return repr(bytes(data[:length]))


def to_json(message: Any) -> bytes:
    """Return a message of this protocol as JSON, without spaces, in the fields' order."""
    return _ENCODER.encode(message)


_ENCODER = msgspec.json.Encoder()
