"""A token bucket in fractions of an action."""

from fractions import Fraction


class BucketTwin:
    """Holds at most `most`, refilled at `rate` a second; never in debt."""

    def __init__(self, most, rate):
        self.most = self.tokens = Fraction(most)
        self.rate = Fraction(rate)
        self.ts = None

    def refill(self, now_ns):
        """Add what time has brought, exactly."""
        if self.ts is not None:
            self.tokens = min(self.most, self.tokens + self.rate * (now_ns - self.ts) / 10**9)
        self.ts = now_ns

    def spend(self, n):
        """Take `n` actions out."""
        self.tokens -= n
        assert self.tokens >= 0, "more was sent than the budget held"
