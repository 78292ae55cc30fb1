"""The venue's words and ours: every text of the notes, both ways."""

import pytest

from makerside.model.event import Kind, Reason
from makerside.venues.hyperliquid import reasons

# Texts as the notes quote them (section 2.5), some without and some with what live ones add.
TEXTS = """
TICK                 Price must be divisible by tick size. asset=4
MIN_NOTIONAL         Order must have minimum value of $10. asset=0
MIN_NOTIONAL         Order must have minimum value of 10 USDH. asset=10150
MARGIN               Insufficient margin to place order. asset=0
MARGIN               Insufficient margin to place order.
REDUCE_ONLY          Reduce only order would increase position. asset=3
POST_ONLY_WOULD_TAKE Post only order would have immediately matched, bbo was 0.56057@0.56086. asset=31
NO_MATCH             Order could not immediately match against any resting orders. asset=1
NO_MATCH             No liquidity available for market order. asset=1
OPEN_INTEREST        Order would increase open interest while open interest is capped. asset=1
OPEN_INTEREST        Order rejected due to price more aggressive than oracle while at open interest cap. asset=1
OPEN_INTEREST        Order would increase open interest too quickly. asset=1
ORACLE_BAND          Price too far from oracle asset=4
ORACLE_BAND          Order price too far from oracle
ORACLE_BAND          Order price cannot be more than 80% away from the reference price
MARGIN               Order would cause position to exceed margin tier limit at current leverage. asset=2
MARGIN               Insufficient spot balance asset=10107
TICK                 Order has invalid price.
SIZE                 Order has invalid size.
SIZE                 Order has zero size.
OTHER                Invalid TP/SL price. asset=1
OTHER                Cannot modify canceled or filled order
OTHER                Only post-only orders allowed immediately after a network upgrade
OTHER                Something that the venue has never said before
"""

ACTION_TEXTS = """
AUTHORISATION User or API Wallet 0x12 does not exist.
AUTHORISATION L1 error: User or API Wallet 0x12 does not exist.
AUTHORISATION Must deposit before performing actions. User: 0x12
AUTHORISATION Unable to recover signer.
AUTHORISATION Invalid nonce: duplicate nonce 17
AUTHORISATION Vault not registered: 0x12
RATE_LIMIT    Too many cumulative requests sent (97460 > 97456) for cumulative volume traded $87457.46.
RATE_LIMIT    Signed action over weight limit of 200.
MARGIN        Insufficient balance for withdrawal
OTHER         Something else
"""


def lines(text):
    return [tuple(line.split(maxsplit=1)) for line in text.strip().splitlines()]


@pytest.mark.parametrize(("name", "text"), lines(TEXTS))
def test_order_error(name, text):
    assert reasons.order_error_reason(text) == Reason[name]


@pytest.mark.parametrize(("name", "text"), lines(ACTION_TEXTS))
def test_action_error(name, text):
    assert reasons.action_error_reason(text) == Reason[name]


@pytest.mark.parametrize("reason", sorted({line.reason for line in reasons.ORDER_ERRORS}))
def test_what_the_exchange_says_the_client_understands(reason):
    assert reasons.order_error_reason(reasons.order_error_text(reason, 31, bbo="0.5@0.6")) == reason


def test_texts_as_quoted():
    assert reasons.order_error_text(Reason.MIN_NOTIONAL, 0) == "Order must have minimum value of $10. asset=0"
    expected = "Post only order would have immediately matched, bbo was 0.56057@0.56086. asset=31"
    assert reasons.order_error_text(Reason.POST_ONLY_WOULD_TAKE, 31, bbo="0.56057@0.56086") == expected
    assert reasons.too_late_text(7) == "Order was never placed, already canceled, or filled. asset=7"
    assert reasons.duplicate_nonce_text(17) == "Invalid nonce: duplicate nonce 17"
    assert reasons.low_nonce_text(3, 9) == "Invalid nonce: nonce too low 3 < 9"
    assert reasons.unknown_signer_text("0x12") == "User or API Wallet 0x12 does not exist."
    assert reasons.address_budget_text(97460, 97456, "87457.46") == (
        "Too many cumulative requests sent (97460 > 97456) for cumulative volume traded $87457.46. "
        "Place taker orders to free up 1 request per USDC traded."
    )


def test_too_late_and_open_outcomes():
    assert reasons.is_too_late("Order was never placed, already canceled, or filled. asset=0")
    assert reasons.is_too_late("Order was never placed, already canceled, or filled")
    assert not reasons.is_too_late("Cannot cancel")
    assert reasons.is_outcome_unknown("Invalid nonce: duplicate nonce 17")
    assert reasons.is_outcome_unknown("L1 error: Invalid nonce: nonce too low 3 < 9")
    assert not reasons.is_outcome_unknown("User or API Wallet 0x12 does not exist.")


# The list of section 1.5.
STATUSES = """
open filled canceled triggered rejected marginCanceled vaultWithdrawalCanceled openInterestCapCanceled
selfTradeCanceled reduceOnlyCanceled siblingFilledCanceled delistedCanceled liquidatedCanceled
outcomeSettledCanceled scheduledCancel internalCancel tickRejected minTradeNtlRejected perpMarginRejected
reduceOnlyRejected badAloPxRejected iocCancelRejected badTriggerPxRejected marketOrderNoLiquidityRejected
positionIncreaseAtOpenInterestCapRejected positionFlipAtOpenInterestCapRejected
tooAggressiveAtOpenInterestCapRejected openInterestIncreaseRejected insufficientSpotBalanceRejected
oracleRejected perpMaxPositionRejected tooManyOpenOrdersRejected
"""


def test_every_status_of_the_notes_is_in_the_table():
    assert set(STATUSES.split()) == set(reasons.ORDER_STATES) | reasons.STATES_WITHOUT_ROW


@pytest.mark.parametrize("status", STATUSES.split())
def test_status_both_ways(status):
    meaning = reasons.order_state(status)
    if meaning is None:
        assert status == "triggered"
    else:
        assert reasons.order_state(reasons.order_status(*meaning)) == meaning


def test_unknown_statuses():
    assert reasons.order_state("weatherCanceled") == (Kind.ORDER_CANCELED, Reason.OTHER)
    assert reasons.order_state("weatherRejected") == (Kind.ORDER_REJECT, Reason.OTHER)
    assert reasons.order_state("weather") is None
    assert reasons.order_status(Kind.ORDER_CANCELED, Reason.NO_MATCH) == "canceled"
    assert reasons.order_status(Kind.ORDER_REJECT, Reason.BUDGET) == "rejected"
