"""Every code the REST door answers with, its HTTP status, and the exception that carries it.

What must not live here: when to refuse. Rooms of the venue raise `Problem`; problems.py shows it.
"""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

from matching.protocol.refusals import Refusal


class DoorCode(StrEnum):
    """Refusals of the door itself; those of the engine are `matching.protocol.refusals.Refusal`.

    A code once published never changes meaning.
    """

    AUTHENTICATION_MISSING = "authentication_missing"
    TOKEN_MALFORMED = "token_malformed"
    ALGORITHM_UNSUPPORTED = "algorithm_unsupported"
    ACCESS_KEY_UNKNOWN = "access_key_unknown"
    SIGNATURE_INVALID = "signature_invalid"
    IAT_OUTSIDE_WINDOW = "iat_outside_window"
    METHOD_MISMATCH = "method_mismatch"
    PATH_MISMATCH = "path_mismatch"
    QUERY_HASH_MISMATCH = "query_hash_mismatch"
    BODY_HASH_MISMATCH = "body_hash_mismatch"
    KEY_REVOKED = "key_revoked"
    KEY_EXPIRED = "key_expired"
    NONCE_REPLAYED = "nonce_replayed"
    MEMBER_INACTIVE = "member_inactive"
    IP_NOT_ALLOWED = "ip_not_allowed"
    SCOPE_MISSING = "scope_missing"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    LENGTH_REQUIRED = "length_required"
    BODY_TOO_LARGE = "body_too_large"
    MEDIA_TYPE_UNSUPPORTED = "media_type_unsupported"
    JSON_INVALID = "json_invalid"
    JSON_TOO_DEEP = "json_too_deep"
    JSON_DUPLICATE_KEY = "json_duplicate_key"
    FIELD_INVALID = "field_invalid"
    PARAMETER_INVALID = "parameter_invalid"
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid"
    IDEMPOTENCY_KEY_IN_USE = "idempotency_key_in_use"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    CONFLICT = "conflict"
    FORBIDDEN = "forbidden"
    NOT_YET = "not_yet"
    NOT_ADMITTED_YET = "not_admitted_yet"
    KEY_ALREADY_COLLECTED = "key_already_collected"
    AMOUNT_INVALID = "amount_invalid"
    BANK_ACCOUNT_UNKNOWN = "bank_account_unknown"
    DESTINATION_IS_ACCOUNT = "destination_is_account"
    NAME_DIFFERS = "name_differs"
    WITHDRAWALS_HALTED = "withdrawals_halted"
    RATE_LIMITED = "rate_limited"
    INTERNAL_ERROR = "internal_error"
    NONCE_STORE_UNAVAILABLE = "nonce_store_unavailable"
    DATABASE_UNAVAILABLE = "database_unavailable"
    MARKET_DATA_UNAVAILABLE = "market_data_unavailable"
    PROJECTION_BEHIND = "projection_behind"


Code = DoorCode | Refusal

_CODES: dict[HTTPStatus, tuple[Code, ...]] = {
    HTTPStatus.BAD_REQUEST: (
        DoorCode.BAD_REQUEST,
        DoorCode.JSON_INVALID,
        DoorCode.JSON_TOO_DEEP,
        DoorCode.JSON_DUPLICATE_KEY,
        DoorCode.PARAMETER_INVALID,
        DoorCode.IDEMPOTENCY_KEY_INVALID,
        Refusal.MALFORMED,
    ),
    HTTPStatus.UNAUTHORIZED: (
        DoorCode.AUTHENTICATION_MISSING,
        DoorCode.TOKEN_MALFORMED,
        DoorCode.ALGORITHM_UNSUPPORTED,
        DoorCode.ACCESS_KEY_UNKNOWN,
        DoorCode.SIGNATURE_INVALID,
        DoorCode.IAT_OUTSIDE_WINDOW,
        DoorCode.METHOD_MISMATCH,
        DoorCode.PATH_MISMATCH,
        DoorCode.QUERY_HASH_MISMATCH,
        DoorCode.BODY_HASH_MISMATCH,
        DoorCode.KEY_REVOKED,
        DoorCode.KEY_EXPIRED,
        DoorCode.NONCE_REPLAYED,
    ),
    HTTPStatus.FORBIDDEN: (
        DoorCode.MEMBER_INACTIVE,
        DoorCode.IP_NOT_ALLOWED,
        DoorCode.SCOPE_MISSING,
        DoorCode.FORBIDDEN,
        Refusal.ACCOUNT_MAY_NOT_TRADE,
        Refusal.NOT_ELIGIBLE,
        Refusal.FROZEN,
        Refusal.KILL_SWITCH,
    ),
    HTTPStatus.NOT_FOUND: (
        DoorCode.NOT_FOUND,
        Refusal.UNKNOWN_INSTRUMENT,
        Refusal.UNKNOWN_ORDER,
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: (DoorCode.METHOD_NOT_ALLOWED,),
    HTTPStatus.NOT_ACCEPTABLE: (DoorCode.NOT_ACCEPTABLE,),
    HTTPStatus.CONFLICT: (
        DoorCode.IDEMPOTENCY_KEY_IN_USE,
        DoorCode.CONFLICT,
        DoorCode.NOT_YET,
        DoorCode.NOT_ADMITTED_YET,
        DoorCode.KEY_ALREADY_COLLECTED,
        DoorCode.WITHDRAWALS_HALTED,
        Refusal.UNKNOWN_ACCOUNT,
        Refusal.UNKNOWN_HOLDER,
        Refusal.MARKET_CLOSED,
        Refusal.MARKET_HALTED,
        Refusal.NOT_IN_THIS_PHASE,
        Refusal.NO_REFERENCE_PRICE,
        Refusal.STOP_WOULD_TRIGGER,
        Refusal.INSUFFICIENT_BALANCE,
        Refusal.POST_ONLY_WOULD_TRADE,
        Refusal.FILL_OR_KILL_UNFILLABLE,
        Refusal.MINIMUM_UNFILLABLE,
        Refusal.PAIR_UNKNOWN,
        Refusal.PAIRED,
        Refusal.ORDERS_OPEN,
        Refusal.UNKNOWN_SEGMENT,
        Refusal.UNKNOWN_ROUTE,
        Refusal.ROUTE_EXCEEDED,
        Refusal.CLIENT_ORDER_ID_REUSED,
        Refusal.REFERENCE_REUSED,
        Refusal.CONFLICTING_DEFINITION,
        Refusal.STALE_VERSION,
        Refusal.UNCHANGED,
    ),
    HTTPStatus.LENGTH_REQUIRED: (DoorCode.LENGTH_REQUIRED,),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (DoorCode.BODY_TOO_LARGE,),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (DoorCode.MEDIA_TYPE_UNSUPPORTED,),
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        DoorCode.FIELD_INVALID,
        DoorCode.IDEMPOTENCY_KEY_REUSED,
        DoorCode.AMOUNT_INVALID,
        DoorCode.BANK_ACCOUNT_UNKNOWN,
        DoorCode.DESTINATION_IS_ACCOUNT,
        DoorCode.NAME_DIFFERS,
        Refusal.PRICE_INVALID,
        Refusal.PRICE_OUTSIDE_BAND,
        Refusal.PRICE_OUTSIDE_COLLAR,
        Refusal.EXPIRY_PASSED,
        Refusal.QUANTITY_INVALID,
        Refusal.QUANTITY_TOO_LARGE,
        Refusal.VALUE_TOO_LARGE,
        Refusal.AMOUNT_OVERFLOW,
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (DoorCode.RATE_LIMITED,),
    HTTPStatus.INTERNAL_SERVER_ERROR: (DoorCode.INTERNAL_ERROR,),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        DoorCode.NONCE_STORE_UNAVAILABLE,
        DoorCode.DATABASE_UNAVAILABLE,
        DoorCode.MARKET_DATA_UNAVAILABLE,
        DoorCode.PROJECTION_BEHIND,
        Refusal.ENGINE_UNAVAILABLE,
    ),
}
STATUS: Mapping[Code, HTTPStatus] = MappingProxyType(
    {code: status for status, codes in _CODES.items() for code in codes}
)


class Problem(Exception):
    """A request that cannot be carried out: a stable code and a sentence for a person.

    `headers` go with the answer.
    """

    def __init__(self, code: Code, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.headers = headers or {}

    @property
    def status(self) -> HTTPStatus:
        return STATUS[self.code]
