"""Decimal text of the wire <-> integers of ticks, lots and money; exact, never through a float.

Clients write no trailing zeros ("100"), the venue writes whole numbers with ".0" ("100.0"); both read
both (venue file, sections 1.2 and 3.6). Pure. Next: `wire.py`.
"""

from makerside.model.units import FUNDING_DECIMALS, MONEY_DECIMALS, steps_to_text
from makerside.venues.hyperliquid.codec import INT64_MAX, Malformed

PRICE_TICKS_MAX = (1 << 31) - 1  # event rows keep prices in an int32
CACHE_ENTRIES_MAX = 1 << 14  # texts that one cache remembers; a book has some hundred alive


def steps_of(text: str, decimals: int, steps_max: int = INT64_MAX) -> int:
    """Return decimal text as an integer number of 10^-decimals.

    errors : Malformed when it is not plain decimal text, lies between two steps or exceeds `steps_max`

    >>> steps_of("83757.50", 1), steps_of("-0.012", 4), steps_of("100", 0)
    (837575, -120, 100)
    """
    whole, point, fraction = text.partition(".")
    digits = whole[1:] if whole[:1] == "-" else whole
    if not (text.isascii() and digits.isdigit() and (not point or fraction.isdigit())):
        raise Malformed(f"{text[:40]!r} is not a decimal number")
    if len(fraction) > decimals:
        if fraction[decimals:].strip("0"):
            raise Malformed(f"{text[:40]!r} has more than {decimals} decimals")
        fraction = fraction[:decimals]
    if len(digits) > len(str(INT64_MAX)):
        raise Malformed(f"{text[:40]!r} is too large")
    steps = int(digits + fraction.ljust(decimals, "0"))
    if steps > steps_max:
        raise Malformed(f"{text[:40]!r} is too large")
    return -steps if whole[:1] == "-" else steps


class Steps(dict[str, int]):
    """Decimal text -> integer steps, remembered: the same prices come again and again in a book.

    Use as `steps[text]`. Not negative; otherwise as `steps_of`, with its errors.
    """

    __slots__ = ("decimals", "plain_digits_max", "steps_max")

    def __init__(self, decimals: int, steps_max: int = INT64_MAX) -> None:
        super().__init__()
        self.decimals = decimals
        self.steps_max = steps_max
        self.plain_digits_max = len(str(steps_max)) - 1

    def __missing__(self, text: str) -> int:
        whole, point, fraction = text.partition(".")
        digits = whole + fraction.ljust(self.decimals, "0")
        n_digits = len(digits)
        is_on_grid = n_digits == len(whole) + self.decimals <= self.plain_digits_max
        if is_on_grid and whole and (fraction or not point) and digits.isdigit() and text.isascii():
            steps = int(digits)  # the usual case, in a third of the time
        else:
            steps = steps_of(text, self.decimals, self.steps_max)
            if steps < 0:
                raise Malformed(f"{text[:40]!r} is negative")
        if len(self) >= CACHE_ENTRIES_MAX:
            self.clear()
        self[text] = steps
        return steps


def money_e8(text: str) -> int:
    """Return an amount of money as 10^-8; finer parts are rounded up, which is never to our favour as a fee.

    errors : Malformed when it is not plain decimal text or too large
    """
    head, point, fraction = text.partition(".")
    rest = fraction[MONEY_DECIMALS:]
    steps = steps_of(head + point + fraction[:MONEY_DECIMALS], MONEY_DECIMALS)
    if rest and not (rest.isdigit() and rest.isascii()):
        raise Malformed(f"{text[:40]!r} is not a decimal number")
    return steps + 1 if rest.strip("0") and not text.startswith("-") else steps


def rate_e12(text: str) -> int:
    """Return a rate as 10^-12; finer parts are cut.

    errors : Malformed when it is not plain decimal text or too large
    """
    head, point, fraction = text.partition(".")
    if fraction and not (fraction.isdigit() and fraction.isascii()):
        raise Malformed(f"{text[:40]!r} is not a decimal number")
    return steps_of(head + point + fraction[:FUNDING_DECIMALS], FUNDING_DECIMALS)


def client_text(steps: int, decimals: int) -> str:
    """Return steps as a client writes them: no trailing zeros, no exponent, never "-0"."""
    return steps_to_text(steps, decimals)


def server_text(steps: int, decimals: int) -> str:
    """Return steps as the venue writes them: minimal digits, but whole numbers end in ".0"."""
    text = steps_to_text(steps, decimals)
    return text if "." in text else text + ".0"
