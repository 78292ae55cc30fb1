"""Units: the integers that prices, sizes, money and time are made of, and their decimal text.

Pure. Imports nothing of makerside but the errors. Prices are ticks, sizes lots, money 10^-8 of its
currency ("e8"), rates 10^-9 ("e9"), funding rates and premiums 10^-12 ("e12"), time nanoseconds.
Decimal text is converted once, at the edge, by the functions below; nothing here ever goes through a
float. Next: `instrument.py`.
"""

from decimal import Decimal, InvalidOperation

from makerside.model.errors import DataError

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NEVER_NS = 1 << 62  # later than any time: the year 2116, in nanoseconds since 1970

MONEY_DECIMALS = 8
E8 = 10**MONEY_DECIMALS
RATE_DECIMALS = 9
E9 = 10**RATE_DECIMALS
FUNDING_DECIMALS = 12
E12 = 10**FUNDING_DECIMALS

BUY = 1
SELL = -1

BID = 0
ASK = 1


def parse_decimal(text: str | int | Decimal, what: str) -> Decimal:
    """Return `text` as an exact decimal.

    errors : DataError that names `what` when the text is no finite decimal number
    """
    try:
        value = Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        raise DataError(f"{what}: {text!r} is not a decimal number") from None
    if not value.is_finite():
        raise DataError(f"{what}: {text!r} is not a finite number")
    return value


def to_steps(value: Decimal, step: Decimal, what: str) -> int:
    """Return how many `step`s make `value`, exactly.

    errors : DataError when `value` is no whole multiple of `step`
    """
    steps = value / step
    whole = int(steps)
    if whole * step != value:
        raise DataError(f"{what}: {value} is not a multiple of {step}")
    return whole


def money_to_e8(value: Decimal, what: str = "amount") -> int:
    """Return an amount of money as an integer of 10^-8.

    errors : DataError when it has more than eight decimals
    """
    return to_steps(value, Decimal(1).scaleb(-MONEY_DECIMALS), what)


def steps_to_text(steps: int, decimals: int) -> str:
    """Return `steps` x 10^-decimals as plain decimal text without trailing zeros.

    >>> steps_to_text(837575, 1), steps_to_text(-120, 4), steps_to_text(0, 8)
    ('83757.5', '-0.012', '0')
    """
    if decimals == 0:
        return str(steps)
    sign = "-" if steps < 0 else ""
    digits = str(abs(steps)).rjust(decimals + 1, "0")
    whole, fraction = digits[:-decimals], digits[-decimals:].rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def e8_to_text(amount_e8: int) -> str:
    """Return money of 10^-8 as plain decimal text."""
    return steps_to_text(int(amount_e8), MONEY_DECIMALS)
