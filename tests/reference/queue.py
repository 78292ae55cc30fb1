"""Queue position by formulas d-16, and an exact queue of single orders as a second witness."""

import math


def log_share_behind(front, back):
    """Return the probability that a cancel stood behind us (hftbacktest's LogProbQueueFunc)."""
    total = math.log(1 + back) + math.log(1 + front)
    return math.log(1 + back) / total if total > 0 else 1.0


class QueueTwin:
    """F of d-16 for one order."""

    def __init__(self, level, model):
        self.front = float(level)
        self.model = model
        self.traded = 0.0

    def trade(self, lots):
        """A print at our price; returns the lots that reach us."""
        self.traded += lots
        self.front -= lots
        reached = max(0, math.floor(-self.front + 0.5))
        self.front = max(0.0, self.front)
        return reached

    def level(self, before, after):
        """The level's size was told anew."""
        change = before - after - self.traded
        self.traded = 0.0
        if self.model == "risk_averse" or change < 0:
            self.front = min(self.front, after)
            return
        back = before - self.front
        behind = log_share_behind(max(0.0, self.front), max(0.0, back))
        front = self.front - (1 - behind) * change + min(back - behind * change, 0.0)
        self.front = max(0.0, min(front, after))
