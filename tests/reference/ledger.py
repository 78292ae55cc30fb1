"""The ledger in fractions, with the rounding that design section 5 states and no other.

Cost of a closed part: floor(cost x closed / position). Fees: rounded against us to the quantum.
"""

from fractions import Fraction
from math import ceil, floor


class LedgerTwin:
    """One position of one account, in units of 10^-8."""

    def __init__(self, unit_e8, cash_e8=0):
        self.unit = Fraction(unit_e8)
        self.cash = Fraction(cash_e8)
        self.start = Fraction(cash_e8)
        self.position = 0
        self.cost = Fraction(0)
        self.realized = Fraction(0)
        self.fees = Fraction(0)
        self.funding = Fraction(0)
        self.volume = Fraction(0)

    def fill(self, side, price, lots, fee):
        """Book an execution. side : +1 or -1"""
        value = price * lots * self.unit
        closed = min(lots, abs(self.position)) if self.position * side < 0 else 0
        opened = lots - closed
        gain = Fraction(0)
        if closed:
            part = Fraction(floor(self.cost * closed / abs(self.position)))
            gain = (price * closed * self.unit - part) * (1 if self.position > 0 else -1)
            self.cost -= part
        self.cost += price * opened * self.unit
        self.position += side * lots
        self.realized += gain
        self.fees += fee
        self.volume += value
        self.cash += gain - fee

    def fund(self, amount):
        """Book a funding payment, positive when received."""
        self.funding += amount
        self.cash += amount

    def unrealized(self, price):
        """Return what closing at a price would realise."""
        value = price * abs(self.position) * self.unit
        return value - self.cost if self.position >= 0 else self.cost - value


class CashTwin:
    """The same account seen without any cost basis: what was paid and received for the base itself.

    equity = cash from trades + position x price. No rounding anywhere: the identity's other side.
    """

    def __init__(self, unit_e8, cash_e8=0):
        self.unit = Fraction(unit_e8)
        self.cash = Fraction(cash_e8)
        self.position = 0

    def fill(self, side, price, lots, fee):
        """Pay for what is bought, receive for what is sold."""
        self.cash -= side * price * lots * self.unit + fee
        self.position += side * lots

    def fund(self, amount):
        """Receive funding."""
        self.cash += amount

    def equity(self, price):
        """Return the worth of everything at a price."""
        return self.cash + self.position * price * self.unit


def fee(notional_e8, rate_e9, quantum_e8):
    """Return a fee rounded against us: a cost up, a rebate towards zero."""
    exact = Fraction(notional_e8) * rate_e9 / 10**9
    if rate_e9 < 0:
        return -floor(-exact / quantum_e8) * quantum_e8
    return ceil(exact / quantum_e8) * quantum_e8
