"""Queue position by formulas d-16, and by a list of single orders."""

import math


def log_share_behind(front, back):
    """Return the probability that a cancel stood behind us (hftbacktest's LogProbQueueFunc)."""
    total = math.log(1 + back) + math.log(1 + front)
    return math.log(1 + back) / total if total > 0 else 1.0


def share_behind(model, exponent, front, back):
    """Return the probability that a cancel stood behind us, straight from the formulas of d-16."""
    if front == 0:
        return 1.0  # every formula but `log2` of an empty level says so, and that one is 0 / 0
    if model == "log_prob":
        return log_share_behind(front, back)
    if model == "log2":
        return math.log(1 + back) / math.log(1 + back + front)
    if model == "power":
        return back**exponent / (back**exponent + front**exponent)
    if model == "power2":
        return back**exponent / (back + front) ** exponent
    assert model == "power3"
    return 1 - (front / (front + back)) ** exponent


class QueueTwin:
    """F of d-16 for one order."""

    def __init__(self, level, model, exponent=3.0, lot_size=1.0):
        self.front = float(level)
        self.model = model
        self.exponent = exponent
        self.unit = lot_size if model in ("log_prob", "log2") else 1.0
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
        behind = share_behind(
            self.model, self.exponent, max(0.0, self.front) * self.unit, max(0.0, back) * self.unit
        )
        front = self.front - (1 - behind) * change + min(back - behind * change, 0.0)
        self.front = max(0.0, min(front, after))


class FifoTwin:
    """A level as a list of single orders, ours among them: the truth that the models estimate."""

    def __init__(self, sizes):
        self.ahead = [size for size in sizes if size > 0]
        self.behind = []

    @property
    def level(self):
        """Size of the others."""
        return sum(self.ahead) + sum(self.behind)

    def add(self, lots):
        """Somebody joins behind everybody."""
        self.behind.append(lots)

    def cancel(self, index):
        """Somebody leaves: counted from the front."""
        orders = self.ahead if index < len(self.ahead) else self.behind
        del orders[index if orders is self.ahead else index - len(self.ahead)]

    def trade(self, lots):
        """A print takes from the front; returns what it takes of the others, and whether it reached us."""
        taken = 0
        for orders in (self.ahead, self.behind):
            if orders is self.behind and lots > taken:
                return taken, True
            while orders and taken < lots:
                part = min(orders[0], lots - taken)
                taken += part
                orders[0] -= part
                if orders[0] == 0:
                    del orders[0]
        return taken, False
