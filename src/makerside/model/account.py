"""The account record: cash, positions, limits and budgets of one venue account.

Money is an exact integer of 10^-8 (see `core/positions.py` for the rules of the ledger). Pure; numpy
only.
"""

from makerside.model.layout import row_type

POSITIONS_CAPACITY = 16
TRADE_IDS_CAPACITY = 256  # fills are told twice within seconds, not after 256 others

position_t = row_type(
    [
        ("instrument", "i8"),
        ("position_lots", "i8"),
        ("cost_e8", "i8"),  # what the open part cost, never negative
        ("realized_e8", "i8"),  # without fees and funding
        ("fees_e8", "i8"),  # paid; negative when rebates prevail
        ("funding_e8", "i8"),  # received; negative when paid
        ("volume_e8", "i8"),
        ("n_fills", "i8"),
        ("position_lots_max", "i8"),  # largest absolute position so far
        ("open_buy_lots", "i8"),  # what our working orders may still buy and sell
        ("open_sell_lots", "i8"),
        ("price_ticks", "i8"),  # last mid, rounded down: values the position against limits
        ("is_opened", "i8"),  # the venue's position was adopted, or we have acted on it: the ledger rules
        ("unit_value_e8", "i8"),
    ]
)

account_t = row_type(
    [
        ("cash_e8", "i8"),
        ("total_notional_max_e8", "i8"),
        ("is_connected", "i8"),
        ("is_opened", "i8"),  # the first BALANCE has set the cash
        ("command", "i8"),  # the last `Command`; RESUME is 0
        # Pacing: a token bucket of actions, counted in millionths of one action.
        ("budget_u6", "i8"),
        ("budget_max_u6", "i8"),
        ("budget_u6_per_s", "i8"),
        ("reserve_u6", "i8"),  # kept for cancels
        ("ts_budget_ns", "i8"),
        ("budget_rest", "i8"),  # of refilling: less than one millionth of an action, in 10^-9 of it
        ("n_duplicate_fills", "i8"),
        ("n_strange", "i8"),  # reports of orders that are not ours
        ("n_divergent", "i8"),  # statements of the venue that differ from the ledger
        ("n_impossible", "i8"),  # reports that no line of the state table foresees
        ("n_positions", "i8"),
        ("positions", position_t, (POSITIONS_CAPACITY,)),
        ("trade_id_next", "i8"),
        ("trade_ids", "i8", (TRADE_IDS_CAPACITY,)),
    ]
)
