"""Event rows that tell the bot what happened on its account: FUNDING, and fills of liquidations. Pure."""

from makerside.core.kernel import Record, kernel
from makerside.model.event import Flag, Kind
from makerside.model.units import SELL

LAST, SELL_FLAG, TAKER = int(Flag.LAST), int(Flag.SELL), int(Flag.TAKER)
FUNDING, FILL = int(Kind.FUNDING), int(Kind.FILL)
ROWS = 2  # of each: the event and its continuation


@kernel
def write_funding(
    event: Record, detail: Record, clearing: Record, perp: Record, i: int, amount_e8: int, ts_ns: int
) -> None:
    """Write a FUNDING row and its continuation.

    event : event_t;  detail : account_detail_t, the row behind it
    ts_ns : venue time; the loop sets the local time when it delivers the row
    """
    event["ts_venue_ns"] = ts_ns
    event["ts_local_ns"] = ts_ns
    event["size_lots"] = clearing["legs"][i]["position"]["position_lots"]
    event["price_ticks"] = 0
    event["instrument"] = i
    event["kind"] = FUNDING
    event["flags"] = LAST
    detail["account"] = clearing["account"]
    detail["amount_e8"] = amount_e8
    detail["mark_price_e8"] = perp["mark_e8"]
    detail["index_price_e8"] = perp["index_e8"]


@kernel
def write_liquidation_fill(
    event: Record,
    detail: Record,
    leg: Record,
    order: Record,
    price_ticks: int,
    size_lots: int,
    fee_e8: int,
    trade_id: int,
    ts_ns: int,
) -> None:
    """Write a FILL row of a liquidation and its continuation.

    order : liquidation_t;  detail : order_detail_t, the row behind it
    """
    event["ts_venue_ns"] = ts_ns
    event["ts_local_ns"] = ts_ns
    event["size_lots"] = size_lots
    event["price_ticks"] = price_ticks
    event["instrument"] = order["leg"]
    event["kind"] = FILL
    event["flags"] = LAST | TAKER | (SELL_FLAG if order["side"] == SELL else 0)
    detail["client_order_id"] = leg["liquidation_id"]
    detail["venue_order_id"] = 0
    detail["reference"] = trade_id
    detail["fee_e8"] = fee_e8
