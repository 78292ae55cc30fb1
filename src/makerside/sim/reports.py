"""Reports on their way from the exchange to a world of the walk. Pure. Next: `venue_clock.py`, `loop.py`."""

from makerside.core.kernel import Record, inlined, kernel
from makerside.model.event import Flag, Kind
from makerside.model.units import SELL
from makerside.sim.latency import RESPONSE, delay_ns
from makerside.sim.perp_prices import prices_from_touch
from makerside.sim.records import IN_FLIGHT_CAPACITY
from makerside.sim.settlement import settle_reports

LAST = int(Flag.LAST)
SELL_FLAG, TAKER = int(Flag.SELL), int(Flag.TAKER)
FILL, NOTHING = int(Kind.FILL), int(Kind.NONE)


@inlined
def _expect_report(walk: Record, world: Record, w: int, arrival_ns: int) -> None:
    """Note when a world's next report arrives, unless it has no say in when the world decides."""
    if walk["is_lean"] == 0 or world["is_timed"] == 0:
        walk["report_ns"][w] = arrival_ns
        walk["news_ns"] = min(walk["news_ns"], arrival_ns)


@inlined
def arrival_of(world: Record, ts_ns: int) -> int:
    """Return when what the exchange says at a time reaches a world."""
    if world["is_plain"] == 1:
        return ts_ns + world["response_ns"]
    return ts_ns + delay_ns(world["latency"], RESPONSE, ts_ns)


@inlined
def next_report(world: Record, walk: Record, w: int, arrival_ns: int) -> int:
    """Return where the next report of a world is to be written, as if it were written already."""
    if world["report_head"] == world["report_tail"]:
        world["report_head"] = 0
        world["report_tail"] = 0
        _expect_report(walk, world, w, arrival_ns)
    at = world["report_tail"] % IN_FLIGHT_CAPACITY
    assert world["report_tail"] - world["report_head"] < IN_FLIGHT_CAPACITY
    world["report_tail"] += 1
    return at


@kernel
def send_reports(house: Record, pit: Record, world: Record, walk: Record, w: int, ts_ns: int) -> None:
    """Put a pit's reports on their way to their world; with a clearing, fees are the venue's."""
    if pit["n_reports"] == 0:
        return
    if walk["has_clearing"] == 1:
        perp = walk["perps"][pit["instrument"]]
        prices_from_touch(perp, house["book"]["bid_ticks"], house["book"]["ask_ticks"])
        settle_reports(perp, pit, world["clearing"])
    arrival_ns = arrival_of(world, ts_ns)
    for i in range(pit["n_reports"]):
        report = pit["reports"][i]
        if report["kind"] == NOTHING:
            continue
        at = next_report(world, walk, w, arrival_ns)
        event = world["reports"][at]
        event["ts_venue_ns"] = report["ts_ns"]
        event["ts_local_ns"] = arrival_ns
        event["size_lots"] = report["size_lots"]
        event["price_ticks"] = report["price_ticks"]
        event["instrument"] = pit["instrument"]
        event["kind"] = report["kind"]
        event["flags"] = (
            LAST | (SELL_FLAG if report["side"] == SELL else 0) | (TAKER if report["is_taker"] else 0)
        )
        detail = world["details"][at]
        detail["client_order_id"] = report["order_id"]
        detail["venue_order_id"] = report["order_id"]
        detail["reference"] = report["trade_id"] if report["kind"] == FILL else report["reason"]
        detail["fee_e8"] = report["fee_e8"]
    pit["n_reports"] = 0
