"""Records of perp accounting: what a venue charges and demands, and the venue's own books of one account.

`perp_t` belongs to an instrument and is shared by all accounts: prices and funding. `clearing_t` belongs to
one account. All are filled from `model.terms` by `perp_build.py`. Pure; numpy and model only. Next:
`perp_prices.py`, `funding.py`, `margin.py`, `clearing.py`, `liquidation.py`, `account_clock.py`.
"""

from enum import IntEnum

from makerside.model.account import position_t
from makerside.model.layout import row_type

TIERS_CAPACITY = 8  # of margin; venues have up to four
LEGS_CAPACITY = 16  # instruments of one account


class FundingSource(IntEnum):
    """Where the funding rate comes from."""

    NONE = 0  # no funding is paid
    RULE = 1  # computed from the sampled premium by the venue's rule
    RECORDED = 2  # from recorded payments, at their own times
    TOLD = 3  # the venue's own rate, as PRICES rows tell it, at the times of the rule


class MarginState(IntEnum):
    """How an account, or an isolated position, stands."""

    HEALTHY = 0
    REDUCE_ONLY = 1  # equity below the initial margin: only what reduces risk is allowed
    LIQUIDATE = 2  # below maintenance: orders are cancelled, the position goes to the book
    TAKE_OVER = 3  # below the closeout margin, or negative: the venue takes the position


fees_t = row_type(
    [
        ("maker_e9", "i8"),
        ("taker_e9", "i8"),
        ("liquidation_e9", "i8"),
        ("quantum_e8", "i8"),
        ("is_nearest", "i8"),
        ("is_on_index", "i8"),
        ("is_of_improvement", "i8"),
    ]
)

funding_rate_t = row_type(
    [
        ("ts_ns", "i8"),
        ("rate_e12", "i8"),  # of the interval that ends here; longs pay when it is positive
        ("price_e8", "i8"),  # that it was paid on; 0 when it is not known
    ]
)

funding_t = row_type(
    [
        ("source", "i8"),  # a FundingSource
        ("interval_ns", "i8"),
        ("offset_ns", "i8"),
        ("sample_ns", "i8"),
        ("interest_e12", "i8"),
        ("clamp_e12", "i8"),
        ("cap_e12", "i8"),
        ("multiplier_e9", "i8"),
        ("premium", "i8"),  # a `terms.Premium`
        ("impact_e8", "i8"),  # notional of the impact prices
        ("is_accruing", "i8"),
        ("is_on_index", "i8"),
        ("quantum_e8", "i8"),
        ("share_num", "i8"),  # what one payment (accruing: one sample) is of the rule's rate
        ("share_den", "i8"),
        # State.
        ("ts_due_ns", "i8"),  # of the next payment; NEVER_NS when none comes
        ("ts_sample_ns", "i8"),  # of the next premium sample
        ("n_samples", "i8"),
        ("premium_sum_e12", "i8"),
        ("rate_e12", "i8"),  # of the last payment; accruing: of now. Of the rule's hours
        ("told_e12", "i8"),  # the venue's own rate, of one interval; accruing: of the rule's hours
        ("has_told", "i8"),
        ("i_rate", "i8"),  # next row of the recorded payments, and the row behind the instrument's last
        ("i_rate_end", "i8"),
        ("n_paid", "i8"),
    ]
)

perp_t = row_type(
    [
        ("unit_value_e8", "i8"),  # of the instrument
        ("tick_e8", "i8"),  # a price of one tick
        ("mark_e8", "i8"),  # 0: not known yet
        ("index_e8", "i8"),
        ("is_told", "i8"),  # PRICES rows come; else the touch stands for both prices
        ("funding", funding_t),
    ]
)

margin_t = row_type(
    [
        ("is_on_index", "i8"),
        ("den", "i8"),  # of the fractions below
        ("n_tiers", "i8"),
        ("lower_e8", "i8", (TIERS_CAPACITY,)),
        ("initial_num", "i8", (TIERS_CAPACITY,)),
        ("initial_less", "i8", (TIERS_CAPACITY,)),  # 10^-8 / den, what the lower tiers ask less
        ("maintenance_num", "i8", (TIERS_CAPACITY,)),
        ("maintenance_less", "i8", (TIERS_CAPACITY,)),
        ("leverage_num", "i8"),  # initial margin of the account's own setting: notional x num / den
        ("leverage_den", "i8"),
        ("closeout_num", "i8"),  # of the maintenance margin
        ("closeout_den", "i8"),
        ("part_e8", "i8"),
        ("part_num", "i8"),
        ("part_den", "i8"),
        ("cooldown_ns", "i8"),
        ("execution", "i8"),  # a `terms.Execution`
    ]
)

leg_t = row_type(
    [
        ("position", position_t),
        ("fees", fees_t),
        ("margin", margin_t),
        ("is_spot", "i8"),
        ("is_isolated", "i8"),
        ("isolated_e8", "i8"),  # money of the account that stands for this position alone
        ("accrued_e8", "i8"),  # funding that is owed to us and not settled: whole units, rounded down
        ("accrued_rest", "i8"),  # and the rest of it, in parts of the funding rule's own divisor
        ("liquidation_id", "i8"),  # client order id of the venue's orders for this leg
        ("liquidation_ticks", "i8"),  # limit of the last one
        ("ts_liquidation_ns", "i8"),  # nothing more is sent before
        ("is_part_sent", "i8"),
    ]
)

clearing_t = row_type(
    [
        ("account", "i8"),
        ("cash_e8", "i8"),  # all of it, with what stands for isolated positions
        ("n_legs", "i8"),
        ("next_trade_id", "i8"),  # of fills that are not the exchange's: takeovers
        ("is_taken_over", "i8"),  # the venue is taking over all cross positions, one after the other
        ("n_funding", "i8"),
        ("n_liquidations", "i8"),
        ("n_takeovers", "i8"),
        ("liquidation_fees_e8", "i8"),
        ("legs", leg_t, (LEGS_CAPACITY,)),
    ]
)

liquidation_t = row_type(
    [
        ("leg", "i8"),
        ("side", "i8"),
        ("size_lots", "i8"),
        ("price_ticks", "i8"),  # not worse than this; takeover: at this
        ("is_takeover", "i8"),
        ("is_isolated", "i8"),
        ("fee_e8", "i8"),  # of a takeover: what is left of the margin
    ]
)
