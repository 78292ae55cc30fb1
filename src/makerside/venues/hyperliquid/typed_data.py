"""EIP-712 typed data of Hyperliquid: the digests that a signature covers.

Two schemes (venue file, section 3). An order or any other "L1 action" is packed, hashed and signed as
a phantom `Agent(source, connectionId)`; the constants of that struct are computed once. A transfer or
an approval is "user-signed": its own fields are the struct, by the table below. Pure.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from makerside.venues.hyperliquid.codec import Malformed
from makerside.venues.hyperliquid.keccak import keccak

_WORD_BYTES = 32
_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_VERSION = keccak(b"1")
_NO_CONTRACT = bytes(_WORD_BYTES)
_PREFIX = b"\x19\x01"

AGENT_CHAIN_ID = 1337
SIGNATURE_CHAIN_ID = "0x66eee"  # any chain is valid; this is the one that the official SDK names
CHAIN_NAMES = {True: "Mainnet", False: "Testnet"}


def domain_separator(name: bytes, chain_id: int) -> bytes:
    """Return the 32 bytes of an EIP-712 domain of version 1 without a contract."""
    words = _DOMAIN_TYPE, keccak(name), _VERSION, chain_id.to_bytes(_WORD_BYTES, "big"), _NO_CONTRACT
    return keccak(b"".join(words))


AGENT_TYPE = keccak(b"Agent(string source,bytes32 connectionId)")
AGENT_DOMAIN = domain_separator(b"Exchange", AGENT_CHAIN_ID)
SOURCES = {True: keccak(b"a"), False: keccak(b"b")}  # mainnet; testnet and every other server
_DIGEST_HEAD = _PREFIX + AGENT_DOMAIN
_AGENT_HEADS = {is_mainnet: AGENT_TYPE + source for is_mainnet, source in SOURCES.items()}


def connection_id(
    packed: bytes, nonce: int, vault: str | None = None, expires_after_ms: int | None = None
) -> bytes:
    """Return the hash of a packed L1 action with what travels beside it.

    packed : msgpack of the action, keys in canonical order
    vault  : address on whose behalf the action runs, "0x" and 40 hex digits
    source : venue file, section 3.1 steps 2 to 5
    """
    parts = [packed, nonce.to_bytes(8, "big"), b"\x00" if vault is None else b"\x01" + _address(vault)]
    if expires_after_ms is not None:
        parts.append(b"\x00" + expires_after_ms.to_bytes(8, "big"))
    return keccak(b"".join(parts))


def agent_digest(connection: bytes, is_mainnet: bool) -> bytes:
    """Return the 32 bytes that are signed for an L1 action. source : venue file, section 3.1 step 6."""
    return keccak(_DIGEST_HEAD + keccak(_AGENT_HEADS[is_mainnet] + connection))


class TypedAction(NamedTuple):
    """How a user-signed action is turned into a struct: its name and its fields after the chain's name."""

    primary_type: str
    fields: tuple[tuple[str, str], ...]  # (name, EIP-712 type)

    def type_hash(self) -> bytes:
        """Return the hash of the struct's description."""
        fields = ",".join(f"{kind} {name}" for name, kind in (("hyperliquidChain", "string"), *self.fields))
        return keccak(f"HyperliquidTransaction:{self.primary_type}({fields})".encode())


def _typed(primary_type: str, *fields: str) -> TypedAction:
    pairs = (field.split() for field in fields)
    return TypedAction(primary_type, tuple((name, kind) for name, kind in pairs))


# By the action's "type". source : venue file, section 2.3 (hyperliquid-python-sdk 0.24.0).
USER_SIGNED: dict[str, TypedAction] = {
    "usdSend": _typed("UsdSend", "destination string", "amount string", "time uint64"),
    "spotSend": _typed("SpotSend", "destination string", "token string", "amount string", "time uint64"),
    "withdraw3": _typed("Withdraw", "destination string", "amount string", "time uint64"),
    "usdClassTransfer": _typed("UsdClassTransfer", "amount string", "toPerp bool", "nonce uint64"),
    "sendAsset": _typed(
        "SendAsset",
        "destination string",
        "sourceDex string",
        "destinationDex string",
        "token string",
        "amount string",
        "fromSubAccount string",
        "nonce uint64",
    ),
    "approveAgent": _typed("ApproveAgent", "agentAddress address", "agentName string", "nonce uint64"),
    "approveBuilderFee": _typed("ApproveBuilderFee", "maxFeeRate string", "builder address", "nonce uint64"),
    "userSetAbstraction": _typed("UserSetAbstraction", "user address", "abstraction string", "nonce uint64"),
    "userDexAbstraction": _typed("UserDexAbstraction", "user address", "enabled bool", "nonce uint64"),
    "tokenDelegate": _typed(
        "TokenDelegate", "validator address", "wei uint64", "isUndelegate bool", "nonce uint64"
    ),
    "convertToMultiSigUser": _typed("ConvertToMultiSigUser", "signers string", "nonce uint64"),
    "multiSig": _typed("SendMultiSig", "multiSigActionHash bytes32", "nonce uint64"),
}
_TYPE_HASHES = {name: typed.type_hash() for name, typed in USER_SIGNED.items()}
# The SDK signs an approval without a name as "" and leaves the key out of the JSON.
_ABSENT = {"agentName": ""}


def nonce_field(kind: str) -> str:
    """Return which field of a user-signed action must equal the envelope's nonce: "time" or "nonce"."""
    return USER_SIGNED[kind].fields[-1][0]


def user_signed(
    action: Mapping[str, Any], is_mainnet: bool, chain_id: str = SIGNATURE_CHAIN_ID
) -> dict[str, Any]:
    """Return a user-signed action with the two fields that name its chains."""
    return {**action, "signatureChainId": chain_id, "hyperliquidChain": CHAIN_NAMES[is_mainnet]}


def user_digest(action: Mapping[str, Any]) -> bytes:
    """Return the 32 bytes that are signed for a user-signed action.

    action : with "type", "signatureChainId", "hyperliquidChain" and the fields of its line in `USER_SIGNED`
    errors : Malformed when the type is not in the table or a field is absent or of the wrong form
    """
    kind = action.get("type")
    if kind not in USER_SIGNED:
        raise Malformed(f"{kind!r} is no user-signed action; known are {', '.join(USER_SIGNED)}")
    words = [_TYPE_HASHES[kind], _word("string", action, "hyperliquidChain")]
    words += [_word(form, action, name) for name, form in USER_SIGNED[kind].fields]
    domain = domain_separator(b"HyperliquidSignTransaction", _chain_id(action.get("signatureChainId")))
    return keccak(_PREFIX + domain + keccak(b"".join(words)))


def _word(form: str, action: Mapping[str, Any], name: str) -> bytes:
    """Return a field as the 32 bytes that EIP-712 makes of it."""
    value = action.get(name, _ABSENT.get(name))
    if form == "string" and isinstance(value, str):
        return keccak(value.encode())
    if form == "bool" and isinstance(value, bool):
        return int(value).to_bytes(_WORD_BYTES, "big")
    if form == "uint64" and isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64:
        return value.to_bytes(_WORD_BYTES, "big")
    if form == "address" and isinstance(value, str):
        return _address(value).rjust(_WORD_BYTES, b"\0")
    if form == "bytes32" and isinstance(value, str):
        return _hex_bytes(value, _WORD_BYTES)
    raise Malformed(f"{action.get('type')}: field {name} is {value!r}, not a {form}")


def _chain_id(text: Any) -> int:
    try:
        chain_id = int(text, 16)
    except (TypeError, ValueError):
        chain_id = -1
    if not 0 <= chain_id < 1 << 64:
        raise Malformed(f"signatureChainId is {text!r}, not a hexadecimal number")
    return chain_id


def _address(text: str) -> bytes:
    return _hex_bytes(text, 20)


def _hex_bytes(text: str, length: int) -> bytes:
    try:
        raw = bytes.fromhex(text[2:] if text.startswith("0x") else "")
    except ValueError:
        raw = b""
    if len(raw) != length:
        raise Malformed(f"{text[:80]!r} is not 0x and {2 * length} hex digits")
    return raw
