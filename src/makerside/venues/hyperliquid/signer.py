"""Sign Hyperliquid actions, and recover who signed one.

The client signs with a `Signer`, the local exchange recovers the address with the functions below.
Byte-identical with the official SDK (tested against it): deterministic ECDSA on secp256k1 with low s
(RFC 6979). The key lives in one private attribute and never appears in a text. Pure; imports
coincurve and msgspec. Read `typed_data.py` for what is hashed, `wire.py` for the actions.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NoReturn

import msgspec
from coincurve import PrivateKey, PublicKey

from makerside.model.errors import KeyFileError, VenueRefused
from makerside.venues.hyperliquid.keccak import keccak
from makerside.venues.hyperliquid.typed_data import agent_digest, connection_id, user_digest

KEY_BYTES = 32
_RECOVERY_OFFSET = 27  # Ethereum writes the recovery id 0 or 1 as 27 or 28
UNRECOVERABLE = "Unable to recover signer."  # the venue's words, section 2.5

HexInteger = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{1,64}\Z")]
Action = bytes | Mapping[str, Any] | msgspec.Struct


class Signature(msgspec.Struct, frozen=True):
    """One recoverable signature as the wire has it.

    r, s : "0x" and hex digits; ours have 64. The SDK trims leading zeros, so that both must be read
    v    : 27 or 28
    """

    r: HexInteger
    s: HexInteger
    v: Annotated[int, msgspec.Meta(ge=_RECOVERY_OFFSET, le=_RECOVERY_OFFSET + 1)]

    def compact(self) -> bytes:
        """Return the 65 bytes r, s, recovery id that libsecp256k1 reads."""
        r = int(self.r, 16).to_bytes(KEY_BYTES, "big")
        return r + int(self.s, 16).to_bytes(KEY_BYTES, "big") + bytes([self.v - _RECOVERY_OFFSET])


def pack(action: Action) -> bytes:
    """Return the msgpack bytes of an action; keys in the order in which it has them.

    action : one of the structs of `wire`, whose order is canonical; or a mapping as received; or bytes
             that are packed already
    """
    return action if isinstance(action, bytes) else _PACKER.encode(action)


_PACKER = msgspec.msgpack.Encoder()


def address_of(public_key: PublicKey) -> str:
    """Return the account address of a public key, lower case."""
    return "0x" + keccak(public_key.format(compressed=False)[1:])[-20:].hex()


def checksum_address(address: str) -> str:
    """Return an address in the mixed case of EIP-55, as approveAgent carries it."""
    digits = address[2:].lower()
    nibbles = keccak(digits.encode()).hex()
    return "0x" + "".join(c.upper() if int(n, 16) > 7 else c for c, n in zip(digits, nibbles, strict=False))


class Signer:
    """Holds one private key and signs with it.

    errors : KeyFileError when the key is not 32 bytes of a valid scalar; its text never holds the key
    """

    __slots__ = ("_key", "address")

    def __init__(self, private_key: bytes) -> None:
        if not isinstance(private_key, bytes) or len(private_key) != KEY_BYTES:
            raise KeyFileError(f"private key: expected {KEY_BYTES} bytes")
        try:
            self._key = PrivateKey(private_key)
        except ValueError:
            raise KeyFileError("private key: not a valid secp256k1 key") from None
        self.address = address_of(self._key.public_key)

    @classmethod
    def from_text(cls, text: str) -> "Signer":
        """Return the signer of a key written as 64 hex digits, with or without "0x" and white space around.

        errors : KeyFileError; its text never holds the key
        """
        digits = text.strip().removeprefix("0x")
        try:
            key = bytes.fromhex(digits)
        except ValueError:
            key = b""
        if not key or len(digits) != 2 * KEY_BYTES:
            raise KeyFileError(f"private key: expected {2 * KEY_BYTES} hex digits, with or without 0x")
        return cls(key)

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Signer holds a private key and is never copied to bytes")

    def sign_digest(self, digest: bytes) -> Signature:
        """Return the signature of 32 bytes."""
        raw = self._key.sign_recoverable(digest, hasher=None)
        return Signature("0x" + raw[:32].hex(), "0x" + raw[32:64].hex(), raw[64] + _RECOVERY_OFFSET)

    def sign_action(
        self,
        action: Action,
        nonce: int,
        vault: str | None = None,
        expires_after_ms: int | None = None,
        is_mainnet: bool = False,
    ) -> Signature:
        """Return the signature of an L1 action (order, cancel, modify, leverage, ...).

        action : struct of `wire`, mapping or msgpack bytes, in canonical key order
        nonce  : milliseconds, never used before by this key
        vault  : vault or sub-account on whose behalf it runs, lower case
        source : venue file, section 3.1
        """
        connection = connection_id(pack(action), nonce, vault, expires_after_ms)
        return self.sign_digest(agent_digest(connection, is_mainnet))

    def sign_user_action(self, action: Mapping[str, Any]) -> Signature:
        """Return the signature of a user-signed action (transfer, approval, ...).

        action : see `typed_data.user_signed`, which adds the names of the chains
        errors : Malformed when it is not in the table of such actions or lacks a field
        """
        return self.sign_digest(user_digest(action))


def recover_digest(digest: bytes, signature: Signature) -> str:
    """Return the lower-case address that signed 32 bytes.

    errors : VenueRefused with the venue's words when the signature belongs to no key
    """
    try:
        return address_of(PublicKey.from_signature_and_message(signature.compact(), digest, hasher=None))
    except (ValueError, OverflowError):
        raise VenueRefused(UNRECOVERABLE) from None


def recover_action(
    action: Action,
    nonce: int,
    signature: Signature,
    vault: str | None = None,
    expires_after_ms: int | None = None,
    is_mainnet: bool = False,
) -> str:
    """Return the address that signed an L1 action; a stranger's when any byte differs.

    errors : VenueRefused when the signature belongs to no key
    """
    connection = connection_id(pack(action), nonce, vault, expires_after_ms)
    return recover_digest(agent_digest(connection, is_mainnet), signature)


def recover_candidates(
    packings: Iterable[bytes],
    nonce: int,
    signature: Signature,
    vault: str | None = None,
    expires_after_ms: int | None = None,
    networks: tuple[bool, ...] = (False, True),
) -> Iterator[str]:
    """Yield the addresses that may have signed, best guess first; the one that has an account is meant.

    packings : of the action, in the received and in the canonical key order
    networks : which values of `is_mainnet` are accepted. source : venue file, section 3.4 point 3
    errors   : VenueRefused when the signature belongs to no key
    """
    for packed in packings:
        connection = connection_id(packed, nonce, vault, expires_after_ms)
        for is_mainnet in networks:
            yield recover_digest(agent_digest(connection, is_mainnet), signature)


def recover_user_action(action: Mapping[str, Any], signature: Signature) -> str:
    """Return the address that signed a user-signed action.

    errors : Malformed for a bad action; VenueRefused when the signature belongs to no key
    """
    return recover_digest(user_digest(action), signature)


__all__ = [
    "Signature",
    "Signer",
    "address_of",
    "checksum_address",
    "pack",
    "recover_action",
    "recover_candidates",
    "recover_digest",
    "recover_user_action",
]
