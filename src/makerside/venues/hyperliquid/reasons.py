"""The venue's words <-> our kinds and reasons: error texts, order states, top-level refusals.

Texts are matched by their beginning: live ones carry " asset=<id>" at the end, others a price or an
address (venue file, section 2.5, hummingbot PR#8284). The tables serve the client (text to reason)
and the local exchange (reason to text); on that way back the first line of a reason is the one used.
Pure.
"""

from typing import NamedTuple

from makerside.model.event import Kind, Reason


class _Text(NamedTuple):
    start: str
    reason: Reason
    rest: str = " asset={asset}"


# source : venue file, section 2.5 (table of per-order errors).
ORDER_ERRORS = (
    _Text("Price must be divisible by tick size.", Reason.TICK),
    _Text("Order must have minimum value of", Reason.MIN_NOTIONAL, " ${minimum}. asset={asset}"),
    _Text("Insufficient margin to place order.", Reason.MARGIN),
    _Text("Reduce only order would increase position.", Reason.REDUCE_ONLY),
    _Text(
        "Post only order would have immediately matched",
        Reason.POST_ONLY_WOULD_TAKE,
        ", bbo was {bbo}. asset={asset}",
    ),
    _Text("Order could not immediately match against any resting orders.", Reason.NO_MATCH),
    _Text("No liquidity available for market order.", Reason.NO_MATCH),
    _Text("Order would increase open interest while open interest is capped.", Reason.OPEN_INTEREST),
    _Text(
        "Order rejected due to price more aggressive than oracle while at open interest cap.",
        Reason.OPEN_INTEREST,
    ),
    _Text("Order would increase open interest too quickly.", Reason.OPEN_INTEREST),
    _Text("Price too far from oracle", Reason.ORACLE_BAND),
    _Text("Order price too far from oracle", Reason.ORACLE_BAND),
    _Text("Order price cannot be more than", Reason.ORACLE_BAND),
    _Text("Order would cause position to exceed margin tier limit", Reason.MARGIN),
    _Text("Insufficient spot balance", Reason.MARGIN),
    _Text("Order has invalid size.", Reason.SIZE),
    _Text("Order has zero size.", Reason.SIZE),
    _Text("Order has invalid price.", Reason.TICK),
    _Text("Invalid TP/SL price.", Reason.OTHER),
    _Text("Cannot modify canceled or filled order", Reason.OTHER, ""),
    _Text("Only post-only orders allowed immediately after a network upgrade", Reason.OTHER, ""),
)
TOO_LATE = "Order was never placed, already canceled, or filled."

# source : venue file, section 2.5 (top-level texts).
ACTION_ERRORS = (
    _Text("User or API Wallet", Reason.AUTHORISATION, " {address} does not exist."),
    _Text("Must deposit before performing actions.", Reason.AUTHORISATION, " User: {address}"),
    _Text("Unable to recover signer.", Reason.AUTHORISATION, ""),
    _Text("Invalid nonce: duplicate nonce", Reason.AUTHORISATION, " {nonce}"),
    _Text("Invalid nonce: nonce too low", Reason.AUTHORISATION, " {nonce} < {lowest}"),
    _Text("Vault not registered:", Reason.AUTHORISATION, " {address}"),
    _Text("Action disabled when unified account is active", Reason.AUTHORISATION, ""),
    _Text("Too many cumulative requests sent", Reason.RATE_LIMIT, ""),
    _Text("Signed action over weight limit of 200.", Reason.RATE_LIMIT, ""),
    _Text("Insufficient balance for withdrawal", Reason.MARGIN, ""),
)
_OLD_PREFIX = "L1 error: "  # of older builds
NONCE_REFUSED = "Invalid nonce"


def order_error_reason(text: str) -> Reason:
    """Return why an order was refused, from the error text of its status; OTHER when it is not known."""
    return _find(ORDER_ERRORS, text)


def action_error_reason(text: str) -> Reason:
    """Return why a whole action was refused, from the top-level text; OTHER when it is not known."""
    text = text.removeprefix(_OLD_PREFIX)
    found = _find(ACTION_ERRORS, text)
    return found if found != Reason.OTHER else _find(ORDER_ERRORS, text)


def is_outcome_unknown(text: str) -> bool:
    """Return whether a top-level refusal leaves open if the action was executed.

    A refused nonce may have been consumed by an earlier sending of the very same bytes (section 4.2).
    """
    return text.removeprefix(_OLD_PREFIX).startswith(NONCE_REFUSED)


def is_too_late(text: str) -> bool:
    """Return whether a cancel failed because the venue does not have the order (any more)."""
    return text.startswith(TOO_LATE[:-1])


def _find(table: tuple[_Text, ...], text: str) -> Reason:
    for line in table:
        if text.startswith(line.start.rstrip(".")):
            return line.reason
    return Reason.OTHER


def order_error_text(reason: Reason, asset: int, bbo: str = "", minimum: str = "10") -> str:
    """Return the error text of an order that the local exchange refuses for `reason`.

    bbo     : "<bid>@<ask>", only for POST_ONLY_WOULD_TAKE;  minimum : USD, only for MIN_NOTIONAL
    errors  : asserts that this venue has a text for the reason
    """
    lines = [line for line in ORDER_ERRORS if line.reason == reason]
    assert lines
    return (lines[0].start + lines[0].rest).format(asset=asset, bbo=bbo, minimum=minimum)


def too_late_text(asset: int) -> str:
    """Return the error text of a cancel whose order the local exchange does not have."""
    return f"{TOO_LATE} asset={asset}"


def unknown_signer_text(address: str) -> str:
    """Return the refusal that every signing mistake earns, with the address that was recovered."""
    return f"User or API Wallet {address} does not exist."


def duplicate_nonce_text(nonce: int) -> str:
    """Return the refusal of a nonce that was used before."""
    return f"Invalid nonce: duplicate nonce {nonce}"


def low_nonce_text(nonce: int, lowest: int) -> str:
    """Return the refusal of a nonce below the smallest of the stored ones."""
    return f"Invalid nonce: nonce too low {nonce} < {lowest}"


def address_budget_text(used: int, cap: int, volume_usd: str) -> str:
    """Return the refusal of an address that has spent its budget of requests. source : section 2.5."""
    return (
        f"Too many cumulative requests sent ({used} > {cap}) for cumulative volume traded ${volume_usd}. "
        "Place taker orders to free up 1 request per USDC traded."
    )


# Order status S -> what happened and why. source : venue file, section 1.5 (list of values).
ORDER_STATES: dict[str, tuple[Kind, Reason]] = {
    "open": (Kind.ORDER_ACK, Reason.NONE),
    "filled": (Kind.ORDER_FILLED, Reason.NONE),
    "canceled": (Kind.ORDER_CANCELED, Reason.USER),
    "rejected": (Kind.ORDER_REJECT, Reason.OTHER),
    "marginCanceled": (Kind.ORDER_CANCELED, Reason.MARGIN),
    "selfTradeCanceled": (Kind.ORDER_SELF_TRADE, Reason.SELF_TRADE),
    "reduceOnlyCanceled": (Kind.ORDER_CANCELED, Reason.REDUCE_ONLY),
    "liquidatedCanceled": (Kind.ORDER_CANCELED, Reason.LIQUIDATION),
    "scheduledCancel": (Kind.ORDER_CANCELED, Reason.SCHEDULED),
    "openInterestCapCanceled": (Kind.ORDER_CANCELED, Reason.OPEN_INTEREST),
    "delistedCanceled": (Kind.ORDER_CANCELED, Reason.UNKNOWN_INSTRUMENT),
    "internalCancel": (Kind.ORDER_CANCELED, Reason.OTHER),
    "vaultWithdrawalCanceled": (Kind.ORDER_CANCELED, Reason.OTHER),
    "siblingFilledCanceled": (Kind.ORDER_CANCELED, Reason.OTHER),
    "outcomeSettledCanceled": (Kind.ORDER_CANCELED, Reason.OTHER),
    "tickRejected": (Kind.ORDER_REJECT, Reason.TICK),
    "minTradeNtlRejected": (Kind.ORDER_REJECT, Reason.MIN_NOTIONAL),
    "perpMarginRejected": (Kind.ORDER_REJECT, Reason.MARGIN),
    "reduceOnlyRejected": (Kind.ORDER_REJECT, Reason.REDUCE_ONLY),
    "badAloPxRejected": (Kind.ORDER_REJECT, Reason.POST_ONLY_WOULD_TAKE),
    "iocCancelRejected": (Kind.ORDER_REJECT, Reason.NO_MATCH),
    "marketOrderNoLiquidityRejected": (Kind.ORDER_REJECT, Reason.NO_MATCH),
    "positionIncreaseAtOpenInterestCapRejected": (Kind.ORDER_REJECT, Reason.OPEN_INTEREST),
    "positionFlipAtOpenInterestCapRejected": (Kind.ORDER_REJECT, Reason.OPEN_INTEREST),
    "tooAggressiveAtOpenInterestCapRejected": (Kind.ORDER_REJECT, Reason.OPEN_INTEREST),
    "openInterestIncreaseRejected": (Kind.ORDER_REJECT, Reason.OPEN_INTEREST),
    "insufficientSpotBalanceRejected": (Kind.ORDER_REJECT, Reason.MARGIN),
    "oracleRejected": (Kind.ORDER_REJECT, Reason.ORACLE_BAND),
    "perpMaxPositionRejected": (Kind.ORDER_REJECT, Reason.MARGIN),
    "tooManyOpenOrdersRejected": (Kind.ORDER_REJECT, Reason.RATE_LIMIT),
    "badTriggerPxRejected": (Kind.ORDER_REJECT, Reason.OTHER),
}
# A trigger order that fires goes on under the same id: the states that follow tell the rest.
STATES_WITHOUT_ROW = frozenset({"triggered"})

_STATUS_OF: dict[tuple[Kind, Reason], str] = {}
for _status, _meaning in ORDER_STATES.items():
    _STATUS_OF.setdefault(_meaning, _status)


def order_state(status: str) -> tuple[Kind, Reason] | None:
    """Return what an order status means; None when no row follows from it.

    A status that is not in the table but ends in "Canceled" or "Rejected" is terminal all the same.
    """
    known = ORDER_STATES.get(status)
    if known is not None or status in STATES_WITHOUT_ROW:
        return known
    if status.endswith("Canceled"):
        return Kind.ORDER_CANCELED, Reason.OTHER
    return (Kind.ORDER_REJECT, Reason.OTHER) if status.endswith("Rejected") else None


def order_status(kind: Kind, reason: Reason) -> str:
    """Return the order status by which the local exchange tells `kind` and `reason`.

    A reason that this venue has no word for is told as the plain "canceled" or "rejected".
    """
    plain = {Kind.ORDER_CANCELED: "canceled", Kind.ORDER_REJECT: "rejected", Kind.ORDER_EXPIRED: "canceled"}
    found = _STATUS_OF.get((kind, reason)) or plain.get(kind)
    assert found is not None
    return found
