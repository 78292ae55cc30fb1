"""Fair value: mid and microprice of the touch without our own orders (formulas d-8). Pure."""

from makerside.core.kernel import Record, kernel


@kernel
def update_fair(market: Record) -> None:
    """Set `mid_ticks` and `micro_ticks` from the touch; call it only when the status is OK.

    mid   : (bid + ask) / 2
    micro : (bid x ask size + ask x bid size) / (both sizes), the size-weighted mid of d-8
    """
    bid = market["bid_ticks"]
    ask = market["ask_ticks"]
    market["mid_ticks"] = (bid + ask) * 0.5
    lots = market["bid_lots"] + market["ask_lots"]
    if lots > 0:
        share = market["bid_lots"] / lots
        market["micro_ticks"] = share * ask + (1.0 - share) * bid
    else:
        market["micro_ticks"] = market["mid_ticks"]
