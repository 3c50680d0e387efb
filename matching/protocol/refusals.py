"""Stable codes for everything that may be refused; a code once published never changes meaning."""

from enum import StrEnum


class Refusal(StrEnum):
    """A refusal by the engine is a value of this kind, never an exception."""

    MALFORMED = "malformed"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_HOLDER = "unknown_holder"
    ACCOUNT_MAY_NOT_TRADE = "account_may_not_trade"
    NOT_ELIGIBLE = "not_eligible"
    FROZEN = "frozen"
    MARKET_CLOSED = "market_closed"
    MARKET_HALTED = "market_halted"
    PRICE_INVALID = "price_invalid"
    PRICE_OUTSIDE_BAND = "price_outside_band"
    QUANTITY_INVALID = "quantity_invalid"
    QUANTITY_TOO_LARGE = "quantity_too_large"
    AMOUNT_OVERFLOW = "amount_overflow"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    POST_ONLY_WOULD_TRADE = "post_only_would_trade"
    FILL_OR_KILL_UNFILLABLE = "fill_or_kill_unfillable"
    CLIENT_ORDER_ID_REUSED = "client_order_id_reused"
    REFERENCE_REUSED = "reference_reused"
    CONFLICTING_DEFINITION = "conflicting_definition"
    STALE_VERSION = "stale_version"
    UNCHANGED = "unchanged"
    ENGINE_UNAVAILABLE = "engine_unavailable"
