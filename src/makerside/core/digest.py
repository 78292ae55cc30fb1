"""The digest of actions: a few multiplications an action, so that a sweep can tell which runs are equal.

Not for anything that an adversary may choose. The same in compiled and interpreted code: products stay
within 63 bits. Pure.
"""

from numba import types

from makerside.core.kernel import Record, inlined, kernel, records
from makerside.model.action import action_t
from makerside.model.layout import row_type

LANES = 4
digest_t = row_type([("lanes", "i8", (LANES,))])

_LOW, _MULTIPLIER = (1 << 31) - 1, 0x5BD1E995
_WORD = (1 << 61) - 1


@inlined
def mix_action(digest: Record, action: Record) -> None:
    """Mix an action into a digest. digest : digest_t;  action : action_t"""
    lanes = digest["lanes"]
    where = (int(action["instrument"]) << 16) ^ (int(action["kind"]) << 8) ^ int(action["flags"])
    who = (int(action["trader"]) << 16) ^ (int(action["level"]) << 8) ^ int(action["reason"])
    lanes[0] = _mix(lanes[0], action["event_seq"] ^ (where << 20))
    lanes[1] = _mix(lanes[1], action["ts_decided_ns"])
    lanes[2] = _mix(lanes[2], action["client_order_id"] ^ (action["venue_order_id"] << 1))
    lanes[3] = _mix(lanes[3], (int(action["price_ticks"]) << 30) ^ action["size_lots"] ^ (who << 8))


@inlined
def _mix(lane: int, word: int) -> int:
    """Return the next state of one lane, within 62 bits."""
    return ((lane & _LOW) * _MULTIPLIER + (lane >> 31)) ^ (word & _WORD)


@kernel(types.int64(records(action_t), records(digest_t)))
def digest_actions(actions: Record, digests: Record) -> int:
    """Mix action rows into a digest. actions : (n,) action_t;  digests : (1,) digest_t"""
    for i in range(len(actions)):
        mix_action(digests[0], actions[i])
    return len(actions)


def digest_text(digest: Record) -> str:
    """Return a digest as 64 hexadecimal digits."""
    return "".join(f"{lane:016x}" for lane in digest["lanes"].tolist())
