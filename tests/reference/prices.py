"""Hyperliquid's price rule, in decimals.

"Prices can have up to 5 significant figures, but no more than MAX_DECIMALS - szDecimals decimal places,
where MAX_DECIMALS is 6 for perps. Integer prices are always allowed." (Hyperliquid docs, tick and lot size)
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

MAX_DECIMALS = 6
FIGURES = 5


def is_allowed(price, size_decimals):
    """Return whether the venue takes a price."""
    if price <= 0:
        return False
    if price == price.to_integral_value():
        return True
    digits = price.normalize().as_tuple()
    return len(digits.digits) <= FIGURES and -digits.exponent <= MAX_DECIMALS - size_decimals


def round_down(price, size_decimals):
    """Return the largest allowed price not above `price`."""
    return _nearest(price, size_decimals, ROUND_FLOOR, max)


def round_up(price, size_decimals):
    """Return the smallest allowed price not below `price`."""
    return _nearest(price, size_decimals, ROUND_CEILING, min)


def _nearest(price, size_decimals, rounding, choose):
    grid = Decimal(1).scaleb(size_decimals - MAX_DECIMALS)
    on_grid = price.quantize(grid, rounding)
    short = Context(prec=FIGURES, rounding=rounding).plus(on_grid)
    return choose(short, price.to_integral_value(rounding))
