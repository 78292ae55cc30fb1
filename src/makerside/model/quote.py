"""Quotes: what a strategy wants to rest, and the parts that each price is made of.

A strategy's only output is the list of its target quotes in `desk_t`. Pure; numpy only.
"""

from enum import IntEnum

from makerside.model.layout import row_type

QUOTE_CAPACITY = 64  # per trader and decision; 16 levels a side on 2 legs, or 32 on one


class Part(IntEnum):
    """Additive parts of a quote's price, in ticks. They sum to the price exactly, in this order."""

    REFERENCE = 0  # mid, microprice or another fair value
    INVENTORY = 1  # shift because of the position
    HALF_SPREAD = 2  # distance that the model wants for the first level
    LEVEL = 3  # further distance of a deeper level
    BOUND = 4  # what a floor, a cap or the post-only rule moved
    ROUNDING = 5  # to an allowed price; under one price step


N_PARTS = len(Part)

quote_t = row_type(
    [
        ("price_ticks", "i8"),
        ("size_lots", "i8"),
        ("side", "i8"),  # BUY or SELL
        ("leg", "i8"),
        ("level", "i8"),  # 0 is nearest to the reference price
        ("flags", "i8"),  # of `event.Flag`
    ]
)

quote_parts_t = row_type([("ticks", "f8", (N_PARTS,))])
