"""What a pit says about its orders: acks, fills, ends. Pure."""

from makerside.core.kernel import Record, inlined, kernel
from makerside.core.positions import fee_e8, notional_e8
from makerside.model.event import Kind, Reason
from makerside.sim.records import REPORTS_CAPACITY

FILL, TOO_LATE = int(Kind.FILL), int(Kind.CANCEL_TOO_LATE)
NONE = int(Reason.NONE)


@inlined
def report(pit: Record, order: Record, kind: int, lots: int, reason: int) -> Record:
    """Append a report about an order and return its row."""
    assert pit["n_reports"] < REPORTS_CAPACITY
    row = pit["reports"][pit["n_reports"]]
    pit["n_reports"] += 1
    row["ts_ns"] = pit["ts_ns"]
    row["kind"] = kind
    row["order_id"] = order["order_id"]
    row["client"] = order["client"]
    row["side"] = order["side"]
    row["price_ticks"] = order["price_ticks"]
    row["size_lots"] = lots
    row["open_lots"] = order["open_lots"]
    row["trade_id"] = 0
    row["is_taker"] = 0
    row["is_print"] = 0
    row["print_number"] = 0
    row["fee_e8"] = 0
    row["reason"] = reason
    return row


@kernel
def new_trade_id(pit: Record) -> int:
    """Return the next number of an execution."""
    trade_id = pit["next_trade_id"]
    pit["next_trade_id"] = trade_id + 1
    return trade_id


@kernel
def report_fill(
    pit: Record, order: Record, price_ticks: int, lots: int, trade_id: int, is_taker: bool
) -> Record:
    """Take `lots` off an order, move its client's position and append the FILL report."""
    assert 0 < lots <= order["open_lots"]
    order["open_lots"] -= lots
    pit["positions"][order["client"]] += order["side"] * lots
    pit["n_fills"] += 1
    rules = pit["rules"]
    rate = rules["taker_fee_e9"] if is_taker else rules["maker_fee_e9"]
    row = report(pit, order, FILL, lots, NONE)
    row["price_ticks"] = price_ticks
    row["is_taker"] = 1 if is_taker else 0
    row["trade_id"] = trade_id
    row["fee_e8"] = fee_e8(
        notional_e8(price_ticks, lots, rules["unit_value_e8"]), rate, rules["fee_quantum_e8"]
    )
    return row


@kernel
def report_too_late(pit: Record, order_id: int, client: int, side: int, price_ticks: int) -> None:
    """Report that a cancel found no order."""
    assert pit["n_reports"] < REPORTS_CAPACITY
    row = pit["reports"][pit["n_reports"]]
    pit["n_reports"] += 1
    row["ts_ns"] = pit["ts_ns"]
    row["kind"] = TOO_LATE
    row["order_id"] = order_id
    row["client"] = client
    row["side"] = side
    row["price_ticks"] = price_ticks
    row["size_lots"] = 0
    row["open_lots"] = 0
    row["trade_id"] = 0
    row["is_taker"] = 0
    row["is_print"] = 0
    row["print_number"] = 0
    row["fee_e8"] = 0
    row["reason"] = NONE
