"""Records of the simulated exchange: houses, pits of clients, worlds with their travelling orders, walks.

The house is the market of others, as recorded. A pit holds the orders of clients who meet each other in it:
all of a local exchange, or the one of a parameter set, of which many share a house.

A world is one parameter set with its travelling orders; a walk takes many worlds through the data at once.

Pure; model and core only. Next: `house.py`, `pit.py`, `matching.py`, `loop.py`.
"""

from enum import IntEnum

from makerside.core.digest import digest_t
from makerside.model.action import action_t
from makerside.model.event import event_t, order_detail_t
from makerside.model.instrument import instrument_t
from makerside.model.layout import row_type
from makerside.model.market import WINDOW_TICKS, book_t
from makerside.sim.latency import latency_t
from makerside.sim.perp_records import LEGS_CAPACITY, clearing_t, liquidation_t, perp_t

CLIENT_ORDERS_CAPACITY = 1024  # resting orders of all clients on one instrument
CLIENTS_CAPACITY = 64
REPORTS_CAPACITY = 4 * CLIENT_ORDERS_CAPACITY
PITS_MAX = 62  # parameter sets that share a house: one bit each of an int64
TAKEN_CAPACITY = 64  # house levels that a client took from; the oldest comes back when there are more
IN_FLIGHT_CAPACITY = 4096  # actions and reports that are travelling in a simulation
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

taken_t = row_type([("side", "i8"), ("price_ticks", "i8"), ("lots", "i8")])

house_t = row_type(
    [
        ("instrument", "i8"),
        ("ts_ns", "i8"),
        ("last_trade_ticks", "i8"),
        ("last_trade_side", "i8"),
        ("n_trades", "i8"),  # prints so far
        ("epoch", "i8"),  # changes when what DELTA rows told is no longer known: a snapshot, a moved window
        ("epoch_base_ticks", "i8"),  # where the window was when it began
        ("end_bid_ticks", "i8"),  # best prices at the end of the last message
        ("end_ask_ticks", "i8"),
        ("has_snapshot", "i8"),  # the message that is being read replaces the book
        ("has_depth", "i8"),  # the house has sent a snapshot; without one only its touch is known
        ("before_lots", "i8"),  # of the level that the last DELTA row told, and after it
        ("after_lots", "i8"),
        # Which pits are concerned by what, one bit each, so that a row costs only those whom it touches.
        ("resting", "i8"),  # pits with any order
        ("noted", "i8"),  # pits that have noted their levels before the present BBO row
        ("takers", "i8"),  # pits that have taken house size which the house has not told anew
        ("waiting", "i8"),  # pits with an order whose queue is unknown
        ("own_bid_ticks", "i8"),  # no client buys above, none sells below: bounds, not always reached
        ("own_ask_ticks", "i8"),
        ("told", "i8", (2, WINDOW_TICKS)),  # the epoch in which a DELTA row told the level
        ("pits", "i8", (2, WINDOW_TICKS)),  # by book side and price modulo the window: who may rest there
        ("book", book_t),
    ]
)

pit_t = row_type(
    [
        ("rules", instrument_t),
        ("queue_model", "i8"),
        ("queue_exponent", "f8"),  # n of the power models
        ("instrument", "i8"),
        ("bit", "i8"),  # 1 << its number at the house
        ("ts_ns", "i8"),
        ("next_priority", "i8"),
        ("next_trade_id", "i8"),
        ("n_fills", "i8"),
        ("n_active", "i8"),
        ("n_free", "i8"),
        ("n_reports", "i8"),
        ("n_taken", "i8"),
        ("positions", "i8", (CLIENTS_CAPACITY,)),
        ("taken", taken_t, (TAKEN_CAPACITY,)),
        ("active", "i8", (CLIENT_ORDERS_CAPACITY,)),
        ("free", "i8", (CLIENT_ORDERS_CAPACITY,)),
        ("orders", client_order_t, (CLIENT_ORDERS_CAPACITY,)),
        ("reports", report_t, (REPORTS_CAPACITY,)),
    ]
)

exchange_t = row_type([("house", house_t), ("pit", pit_t)])

world_t = row_type(
    [
        ("is_plain", "i8"),  # 1: both ways always take the same time; 0: `latency` says how long
        ("entry_ns", "i8"),  # from a decision to the exchange, at least
        ("response_ns", "i8"),  # from the exchange back, at least
        ("timer_ns", "i8"),  # between two timer rows
        ("n_traders", "i8"),
        ("is_timed", "i8"),  # 1: all its traders decide on timer rows only
        ("own_seq", "i8"),  # rows of its own that it has seen
        ("n_actions", "i8"),
        ("n_rows", "i8"),  # rows of its own that wait to be read
        ("digest", digest_t),  # of all its actions so far
        ("clearing", clearing_t),  # the venue's books of its account; in use when the walk has a clearing
        ("liquidation", liquidation_t),  # scratch
        ("action_head", "i8"),
        ("action_tail", "i8"),
        ("report_head", "i8"),
        ("report_tail", "i8"),
        ("arrivals", "i8", (IN_FLIGHT_CAPACITY,)),  # of the actions under way, at the exchange
        ("actions", action_t, (IN_FLIGHT_CAPACITY,)),
        ("reports", event_t, (IN_FLIGHT_CAPACITY,)),  # under way back, with the local time of their arrival
        ("details", order_detail_t, (IN_FLIGHT_CAPACITY,)),
        ("latency", latency_t),  # last, so that what every world looks at stays close together
    ]
)

row_t = row_type([("row", "i8")])  # the number of a row of the tape
IN_ORDER = -1  # the only number in a list: the rows of the tape as they lie

walk_t = row_type(
    [
        ("n_worlds", "i8"),
        ("n_markets", "i8"),
        ("n_tape_rows", "i8"),
        ("n_house_rows", "i8"),
        ("is_in_order", "i8"),  # 1: these are the rows of the tape as they lie
        ("n_world_rows", "i8"),  # room of each world in the journal
        ("ts_stop_ns", "i8"),  # what is due later waits for another call
        ("is_lean", "i8"),  # 1: no journal; of each world the reports of its fills are kept
        ("is_timed", "i8"),  # 1: all worlds decide on timer rows only
        ("has_late", "i8"),  # 1: some do, in a lean walk: their reports wait for the timer
        ("is_done", "i8"),
        ("is_full", "i8"),  # 1: the last call stopped because its journal was full
        ("i_venue", "i8"),  # next row for the exchange, in venue time
        ("i_local", "i8"),  # next row for the traders, in local time
        ("n_rows", "i8"),  # journal rows that wait to be read
        ("news_ns", "i8"),  # the least of `report_ns`, or less
        ("has_clearing", "i8"),  # 1: fees, funding and margin are the venue's (`venue_clock.py`)
        ("clock_ns", "i8"),  # when the venue's clock has something to do; NEVER_NS without a clearing
        ("margin_ns", "i8"),  # when margin is looked at next; NEVER_NS without margin
        ("i_price", "i8"),  # next of the told prices
        ("perps", perp_t, (LEGS_CAPACITY,)),  # mark, index and funding by instrument, with a clearing
        # By world: when something of it is due next.
        ("action_ns", "i8", (PITS_MAX,)),  # an action arrives at the exchange
        ("report_ns", "i8", (PITS_MAX,)),  # a report arrives
        ("timer_ns", "i8", (PITS_MAX,)),
    ]
)
