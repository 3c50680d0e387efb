"""Who sends a request: verify its signature, clock, content, key and nonce, in that order.

Nothing about a key is told to somebody who cannot sign with it, and no nonce is spent on a request
that is refused before. What must not live here: what a member may do (permissions.py).
"""

import hmac
import re
import time
from dataclasses import dataclass
from typing import Any, Never

import redis
from django.db import connection
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from exchange.api.decoding import body_read
from exchange.api.errors import DoorCode, Problem
from exchange.api.valkey import key, valkey
from exchange.members.models import MemberState
from exchange.members.secrets import secret_open
from exchange.members.signing import (
    HASH_ALGORITHM,
    Claims,
    Token,
    content_hash,
    signature,
    token_parse,
)

WINDOW_S = 60
# A token is good until iat + window, and iat may lie a window ahead; the third is for a clock set
# back.
NONCE_KEPT_S = 3 * WINDOW_S
_nonce = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Principal:
    """The member behind a request, and what the key in use may do."""

    member_id: int
    account: int
    scopes: frozenset[str]
    is_authenticated: bool = True


@dataclass(frozen=True, slots=True)
class _StoredKey:
    secret: str
    revoked: bool
    expired: bool
    member_state: str
    principal: Principal


class SignedRequest(BaseAuthentication):
    """`Authorization: Bearer <JWT>` as `exchange.members.signing` defines it."""

    def authenticate(self, request: Request) -> tuple[Principal, str] | None:
        """Return principal and access key, or None without a header. Raises `Problem`."""
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer":
            _refuse(DoorCode.AUTHENTICATION_MISSING, "send Authorization: Bearer <token>")
        try:
            token = token_parse(text.strip())
        except ValueError as error:
            _refuse(DoorCode.TOKEN_MALFORMED, str(error))
        if token.header.alg != "HS256":
            _refuse(DoorCode.ALGORITHM_UNSUPPORTED, "sign with HS256")
        stored = _key_find(token.claims.access_key)
        _claims_check(request, token, stored.secret)
        if stored.revoked:
            _refuse(DoorCode.KEY_REVOKED, "this key was revoked; make another")
        if stored.expired:
            _refuse(DoorCode.KEY_EXPIRED, "this key has expired; make another")
        if stored.member_state != MemberState.ACTIVE:
            _refuse(DoorCode.MEMBER_INACTIVE, f"the member is {stored.member_state}")
        _nonce_spend(token.claims)
        return stored.principal, token.claims.access_key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _refuse(code: DoorCode, detail: str) -> Never:
    raise Problem(code, detail)


# Every request asks this; building it by the ORM takes longer than answering it.
_KEY_SQL = """
    SELECT k.secret_sealed, k.scopes, k.revoked_at IS NOT NULL, k.expires_at <= now(),
           m.id, m.account_id, m.state
    FROM members_apikey k JOIN members_member m ON m.id = k.member_id WHERE k.access_key = %s
"""


def _key_find(access_key: str) -> _StoredKey:
    row = None
    if access_key.isascii() and access_key.isalnum():
        with connection.cursor() as cursor:
            cursor.execute(_KEY_SQL, [access_key])
            row = cursor.fetchone()
    if row is None:
        _refuse(DoorCode.ACCESS_KEY_UNKNOWN, "no such access key")
    sealed, scopes, revoked, expired, member_id, account, state = row
    return _StoredKey(
        secret=secret_open(access_key, bytes(sealed)),
        revoked=revoked,
        expired=bool(expired),
        member_state=state,
        principal=Principal(member_id, account, frozenset(scopes)),
    )


def _claims_check(request: Request, token: Token, secret: str) -> None:
    """Compare what was signed with what came. Raises `Problem`."""
    if not hmac.compare_digest(signature(secret, token.signed), token.signature):
        _refuse(DoorCode.SIGNATURE_INVALID, "the signature does not match this secret")
    claims, meta = token.claims, request.META
    if abs(time.time() - claims.iat) > WINDOW_S:
        _refuse(
            DoorCode.IAT_OUTSIDE_WINDOW,
            f"iat {claims.iat} is more than {WINDOW_S} s away from {int(time.time())}",
        )
    if claims.method != request.method:
        _refuse(DoorCode.METHOD_MISMATCH, f"signed for {claims.method[:8]!a}")
    # The server keeps the raw target; a test client without one has nothing to decode either.
    path = meta.get("RAW_URI", request._request.path).partition("?")[0]
    if claims.path != path:
        _refuse(DoorCode.PATH_MISMATCH, f"signed for {claims.path[:80]!a}, sent to {path[:80]!a}")
    query_hash = content_hash(meta.get("QUERY_STRING", "").encode("latin-1"))
    if claims.query_hash != query_hash:
        _refuse(DoorCode.QUERY_HASH_MISMATCH, "query_hash is not that of the query string sent")
    body_hash = content_hash(body_read(request._request))
    if claims.body_hash != body_hash:
        _refuse(DoorCode.BODY_HASH_MISMATCH, "body_hash is not that of the body sent")
    if (query_hash or body_hash or claims.hash_alg) and claims.hash_alg != HASH_ALGORITHM:
        _refuse(DoorCode.TOKEN_MALFORMED, f"hash_alg must be {HASH_ALGORITHM}")
    if not _nonce.fullmatch(claims.nonce):
        _refuse(DoorCode.TOKEN_MALFORMED, "nonce must be a UUID or 16 to 64 of A-Z a-z 0-9 _ -")


def _nonce_spend(claims: Claims) -> None:
    """Use the nonce once, for good. Raises `Problem`; without Valkey nobody gets in."""
    name = key("nonce", claims.access_key, claims.nonce)
    try:
        fresh = valkey().set(name, b"", nx=True, ex=NONCE_KEPT_S)
    except redis.RedisError as error:
        raise Problem(
            DoorCode.NONCE_STORE_UNAVAILABLE,
            "nonces cannot be checked now, so nothing is admitted: repeat with a new nonce",
        ) from error
    if not fresh:
        _refuse(DoorCode.NONCE_REPLAYED, "this nonce was used before; sign again with another")


class SignedRequestScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes `SignedRequest`."""

    target_class = SignedRequest
    name = "signedRequest"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the scheme object."""
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "HS256 over access_key, nonce, iat, method, path, query_hash, body_hash "
            "and hash_alg; one token a request.",
        }
