"""Queue position of a resting order in a market that is only seen by level (formulas d-16).

F (`ahead_lots`) is the estimated size before us. On acceptance it is the level's size. Prints at our
price come off it. When the level's size changes by more than was printed, the rest were cancels: the
model says how many of them stood before us. What it assumes: the level is first in, first out, and
cancels do not know about us. Where that is wrong: orders that lose or keep their place by a venue's amend
rule, and cancels that come in bursts from one end. No model is right for every market: `makerside data queue`
measures them against order-by-order data. The two log models depend on the unit of size, the others do not;
their unit is the coin, as it is where they come from.

Source: hftbacktest's LogProbQueueFunc, LogProbQueueFunc2, PowerProbQueueFunc 1 to 3. Pure.
"""

import math

from makerside.core.kernel import Record, inlined, kernel
from makerside.core.numbers import log, power
from makerside.sim.records import UNKNOWN_AHEAD, QueueModel

RISK_AVERSE, LOG_PROB = int(QueueModel.RISK_AVERSE), int(QueueModel.LOG_PROB)
LOG2, POWER, POWER2 = int(QueueModel.LOG2), int(QueueModel.POWER), int(QueueModel.POWER2)


@inlined
def queue_on_level(
    order: Record, before: float, after: float, model: int, exponent: float, lot_size: float = 1.0
) -> None:
    """Move the order's place when its level went from `before` to `after` lots of others.

    model    : of `QueueModel`
    exponent : n of the power models, above 0; the others do not look at it
    lot_size : one lot in coins, for the log models
    """
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
    unit = lot_size if model in (LOG_PROB, LOG2) else 1.0
    share = share_behind(model, exponent, max(0.0, ahead) * unit, max(0.0, behind) * unit)
    moved = ahead - (1.0 - share) * canceled + min(behind - share * canceled, 0.0)
    order["ahead_lots"] = max(0.0, min(moved, after))


@kernel
def share_behind(model: int, exponent: float, ahead: float, behind: float) -> float:
    """Return the probability that a cancel stood behind us.

    model         : of `QueueModel`, not RISK_AVERSE
    ahead, behind : F and B of d-16, not below 0; coins for the log models, any unit for the others
    returns       : float in [0, 1]; 1 when nothing stands before us, 0 when nothing stands behind us
    """
    if ahead <= 0.0:
        return 1.0
    if behind <= 0.0:
        return 0.0
    if model in (LOG_PROB, LOG2):
        log_behind = log(1.0 + behind)
        total = log(1.0 + ahead) + log_behind if model == LOG_PROB else log(1.0 + behind + ahead)
        return min(1.0, log_behind / total) if total > 0.0 else 1.0  # nothing ahead, as far as 1 + F can tell
    if model == POWER:
        # As a ratio of the smaller to the larger: B^n itself leaves the range of floats.
        if behind >= ahead:
            return 1.0 / (1.0 + power(ahead / behind, exponent))
        ratio = power(behind / ahead, exponent)
        return ratio / (1.0 + ratio)
    if model == POWER2:
        return power(behind / (behind + ahead), exponent)
    return 1.0 - power(ahead / (behind + ahead), exponent)


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
