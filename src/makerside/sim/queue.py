"""Queue position of a resting order in a market that is only seen by level (formulas d-16).

F (`ahead_lots`) is the estimated size before us. On acceptance it is the level's size. Prints at our
price come off it. When the level's size changes by more than was printed, the rest were cancels: the
model says how many of them stood before us. What it assumes: the level is first in, first out, and
cancels do not know about us. Pure.
"""

import math

from makerside.core.kernel import Record, kernel
from makerside.core.numbers import log
from makerside.sim.records import UNKNOWN_AHEAD, QueueModel

RISK_AVERSE = int(QueueModel.RISK_AVERSE)


@kernel
def queue_on_level(order: Record, before: float, after: float, model: int) -> None:
    """Move the order's place when its level went from `before` to `after` lots of others."""
    ahead = order["ahead_lots"]
    if model == RISK_AVERSE or ahead >= UNKNOWN_AHEAD:
        order["ahead_lots"] = min(ahead, after)
        order["traded_lots"] = 0.0
        return
    canceled = before - after - order["traded_lots"]
    order["traded_lots"] = 0.0
    if canceled < 0.0:
        order["ahead_lots"] = min(ahead, after)
        return
    behind = before - ahead
    share_behind = _share_behind(max(0.0, ahead), max(0.0, behind))
    moved = ahead - (1.0 - share_behind) * canceled + min(behind - share_behind * canceled, 0.0)
    order["ahead_lots"] = max(0.0, min(moved, after))


@kernel
def _share_behind(ahead: float, behind: float) -> float:
    """Return the probability that a cancel stood behind us: ln(1+B) / (ln(1+B) + ln(1+F))."""
    log_ahead = log(1.0 + ahead)
    log_behind = log(1.0 + behind)
    total = log_ahead + log_behind
    return 1.0 if total <= 0.0 else log_behind / total


@kernel
def queue_on_trade(order: Record, printed_lots: float) -> int:
    """Let a print at our price come off the queue; returns the whole lots that reach us."""
    order["traded_lots"] += printed_lots
    if order["ahead_lots"] >= UNKNOWN_AHEAD:
        return 0  # an unknown queue less something is still unknown, until the level is told
    ahead = order["ahead_lots"] - printed_lots
    order["ahead_lots"] = max(0.0, ahead)
    if ahead >= 0.0:
        return 0
    return math.floor(-ahead + 0.5)
