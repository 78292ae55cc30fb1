"""Records of the simulated exchange: its orders, its reports, one instrument's market, one run's clock.

Pure; numpy and model only. Next: `queue.py`, `exchange.py`, `loop.py`.
"""

from enum import IntEnum

from makerside.model.action import action_t
from makerside.model.instrument import instrument_t
from makerside.model.layout import row_type
from makerside.model.market import book_t

CLIENT_ORDERS_CAPACITY = 1024  # resting orders of all clients on one instrument
CLIENTS_CAPACITY = 64
REPORTS_CAPACITY = 4 * CLIENT_ORDERS_CAPACITY
IN_FLIGHT_CAPACITY = 8192  # actions and reports that are travelling in a simulation
UNKNOWN_AHEAD = 1e18  # queue of a level that the source does not show


class QueueModel(IntEnum):
    """How a level that shrinks without trades moves our place in its queue (formulas d-16)."""

    RISK_AVERSE = 0  # only trades and the level's own size bring us forward
    LOG_PROB = 1  # cancels behind us with probability ln(1+B) / (ln(1+B) + ln(1+F))
    LOG2 = 2  # ln(1+B) / ln(1+B+F)
    POWER = 3  # B^n / (B^n + F^n)
    POWER2 = 4  # (B / (B+F))^n
    POWER3 = 5  # 1 - (F / (B+F))^n


client_order_t = row_type(
    [
        ("order_id", "i8"),
        ("price_ticks", "i8"),
        ("size_lots", "i8"),
        ("open_lots", "i8"),
        ("side", "i8"),
        ("client", "i8"),
        ("flags", "i8"),  # of `event.Flag`
        ("priority", "i8"),  # arrival number: smaller is earlier
        ("ahead_lots", "f8"),  # estimated size of others before us at our price
        ("traded_lots", "f8"),  # printed at our price since the level's last row
        ("level_lots", "f8"),  # size of the level before the snapshot that is being read
    ]
)

report_t = row_type(
    [
        ("ts_ns", "i8"),
        ("kind", "i8"),  # an order kind of `event.Kind`
        ("order_id", "i8"),
        ("client", "i8"),
        ("side", "i8"),
        ("price_ticks", "i8"),
        ("size_lots", "i8"),  # FILL: executed; others: open, or what was left
        ("open_lots", "i8"),  # after this report
        ("trade_id", "i8"),
        ("is_taker", "i8"),
        ("is_print", "i8"),  # the fill is part of a print that is published anyway
        ("print_number", "i8"),  # which print of the house filled it, by `n_house_trades`; 0 for none
        ("fee_e8", "i8"),
        ("reason", "i8"),
    ]
)

exchange_t = row_type(
    [
        ("rules", instrument_t),
        ("queue_model", "i8"),
        ("queue_exponent", "f8"),  # n of the power models
        ("instrument", "i8"),
        ("ts_ns", "i8"),
        ("next_priority", "i8"),
        ("next_trade_id", "i8"),
        ("last_trade_ticks", "i8"),
        ("last_trade_side", "i8"),
        ("low_ticks", "i8"),  # price range of resting client orders, for a quick no
        ("high_ticks", "i8"),
        ("has_snapshot", "i8"),  # the message that is being read replaces the book
        ("has_depth", "i8"),  # the house has sent a snapshot; without one only its touch is known
        ("n_house_trades", "i8"),  # prints of the house so far
        ("n_fills", "i8"),
        ("positions", "i8", (CLIENTS_CAPACITY,)),
        ("n_reports", "i8"),
        ("reports", report_t, (REPORTS_CAPACITY,)),
        ("n_active", "i8"),
        ("active", "i8", (CLIENT_ORDERS_CAPACITY,)),
        ("n_free", "i8"),
        ("free", "i8", (CLIENT_ORDERS_CAPACITY,)),
        ("orders", client_order_t, (CLIENT_ORDERS_CAPACITY,)),
        ("book", book_t),
    ]
)

flight_report_t = row_type([("ts_arrival_ns", "i8"), ("instrument", "i8"), ("report", report_t)])
flight_action_t = row_type([("ts_arrival_ns", "i8"), ("action", action_t)])

simulation_t = row_type(
    [
        ("entry_ns", "i8"),  # from a decision to the exchange
        ("response_ns", "i8"),  # from the exchange back
        ("timer_ns", "i8"),
        ("ts_timer_ns", "i8"),  # of the next timer row
        ("ts_stop_ns", "i8"),  # what is due later waits for another call
        ("is_lean", "i8"),  # 1: market and timer rows are left out of the journal
        ("is_open", "i8"),
        ("is_done", "i8"),
        ("i_venue", "i8"),  # next row for the exchange, in venue time
        ("i_local", "i8"),  # next row for the traders, in local time
        ("n_actions", "i8"),
        ("action_head", "i8"),
        ("action_tail", "i8"),
        ("report_head", "i8"),
        ("report_tail", "i8"),
        ("actions", flight_action_t, (IN_FLIGHT_CAPACITY,)),
        ("reports", flight_report_t, (IN_FLIGHT_CAPACITY,)),
    ]
)
