"""Who sends a request: verify its signature, clock, content, key, address, nonce and budget.

In that order: nothing about a key is told to somebody who cannot sign with it, and no nonce is used
up by a request that is refused before. What must not live here: what a member may do.
"""

import hmac
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Never

import redis
from django.db import connection
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from exchange.api.addresses import address_within, client_address, client_address_whole
from exchange.api.budgets import Budget, Repeated, Standing, budget_take
from exchange.api.decoding import body_read
from exchange.api.errors import DoorCode, Problem
from exchange.api.gathering import Gathered, in_upkeep
from exchange.api.valkey import key
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
# How long a process believes what it read of a key: a revoked one is refused after that at the
# latest.
KEY_KEPT_S = 1.0
KEYS_KEPT_MAX = 10_000
_nonce = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Principal:
    """The member behind a request, and what the key in use may do, from where and how long."""

    member_id: int
    account: int
    scopes: frozenset[str]
    access_key: str
    networks: tuple[str, ...]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class _StoredKey:
    read_at: float
    secret: str
    revoked: bool
    member_state: str
    principal: Principal


async def request_authenticate(request: Request, budget: Budget) -> tuple[Principal, Standing]:
    """Return who sent the request, and what is left of the member's budget. Raises `Problem`.

    What is refused before it takes from the member's budget takes from its address's public one.
    """
    try:
        token = _token(request.META.get("HTTP_AUTHORIZATION", ""))
        stored = await _key_find(token.claims.access_key)
        _claims_check(request, token, stored.secret)
        _key_check(request, stored)
        return stored.principal, await _admit(token.claims, stored.principal, budget)
    except Problem as problem:
        if problem.code not in (DoorCode.RATE_LIMITED, DoorCode.NONCE_STORE_UNAVAILABLE):
            with suppress(redis.RedisError):
                await budget_take(Budget.PUBLIC, client_address(request.META))
        raise


def _token(header: str) -> Token:
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer":
        _refuse(DoorCode.AUTHENTICATION_MISSING, "send Authorization: Bearer <token>")
    try:
        token = token_parse(text.strip())
    except ValueError as error:
        _refuse(DoorCode.TOKEN_MALFORMED, str(error))
    if token.header.alg != "HS256":
        _refuse(DoorCode.ALGORITHM_UNSUPPORTED, "sign with HS256")
    return token


def _refuse(code: DoorCode, detail: str) -> Never:
    raise Problem(code, detail)


# Building this by the ORM takes longer than answering it.
_KEYS_SQL = """
    SELECT k.access_key, k.secret_sealed, k.scopes, k.revoked_at IS NOT NULL, k.expires_at,
           k.networks, m.id, m.account_id, m.state
    FROM members_apikey k JOIN members_member m ON m.id = k.member_id WHERE k.access_key = ANY(%s)
"""
_keys: dict[str, _StoredKey] = {}
_used: set[str] = set()


async def _key_find(access_key: str) -> _StoredKey:
    """Return a key, read at most `KEY_KEPT_S` ago. Raises `Problem`; unknown ones are not kept."""
    stored = _keys.get(access_key)
    if stored is None or time.monotonic() - stored.read_at > KEY_KEPT_S:
        stored = await _key_read(access_key)
    else:
        _used.add(access_key)
    if stored is None:
        _refuse(DoorCode.ACCESS_KEY_UNKNOWN, "no such access key")
    return stored


async def _keys_read_along(access_keys: Sequence[str]) -> list[_StoredKey | None]:
    """Read keys, and with them those in use that will be due soon."""
    soon = time.monotonic() - KEY_KEPT_S / 2
    along = {each for each in _used if each in _keys and _keys[each].read_at < soon}
    _used.clear()
    return await in_upkeep(_keys_read, access_keys, along)


def _keys_read(access_keys: Sequence[str], along: set[str]) -> list[_StoredKey | None]:
    wanted = {each for each in access_keys if each.isascii() and each.isalnum()} | along
    with connection.cursor() as cursor:
        cursor.execute(_KEYS_SQL, [list(wanted)])
        found = {row[0]: _stored_key(*row) for row in cursor.fetchall()}
    if len(_keys) >= KEYS_KEPT_MAX:
        _keys.clear()
    _keys.update(found)
    return [found.get(each) for each in access_keys]


_key_read = Gathered(_keys_read_along)


def _stored_key(
    access_key: str,
    sealed: bytes,
    scopes: list[str],
    revoked: bool,
    expires_at: datetime | None,
    networks: list[str],
    member_id: int,
    account: int,
    state: str,
) -> _StoredKey:
    before = _keys.get(access_key)
    return _StoredKey(
        read_at=time.monotonic(),
        # A key's secret never changes, and to open it takes longer than to read the row.
        secret=before.secret if before else secret_open(access_key, bytes(sealed)),
        revoked=revoked,
        member_state=state,
        principal=Principal(
            member_id, account, frozenset(scopes), access_key, tuple(networks), expires_at
        ),
    )


def _key_check(request: Request, stored: _StoredKey) -> None:
    """Ask whether the key may be used now and from there. Raises `Problem`."""
    if stored.revoked:
        _refuse(DoorCode.KEY_REVOKED, "this key was revoked; make another")
    expires_at, networks = stored.principal.expires_at, stored.principal.networks
    if expires_at is not None and expires_at.timestamp() <= time.time():
        _refuse(DoorCode.KEY_EXPIRED, "this key has expired; make another")
    if stored.member_state != MemberState.ACTIVE:
        _refuse(DoorCode.MEMBER_INACTIVE, f"the member is {stored.member_state}")
    if networks:
        address = client_address_whole(request.META)
        if not address_within(address, networks):
            _refuse(DoorCode.IP_NOT_ALLOWED, f"this key is not for the address {address[:40]!a}")


def _claims_check(request: Request, token: Token, secret: str) -> None:
    """Compare what was signed with what came. Raises `Problem`."""
    if not hmac.compare_digest(signature(secret, token.signed), token.signature):
        _refuse(DoorCode.SIGNATURE_INVALID, "the signature does not match this secret")
    claims, meta = token.claims, request.META
    now = int(time.time())  # a float cannot be compared with every integer
    if abs(now - claims.iat) > WINDOW_S:
        _refuse(
            DoorCode.IAT_OUTSIDE_WINDOW,
            f"iat {claims.iat} is more than {WINDOW_S} s away from {now}",
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


async def _admit(claims: Claims, principal: Principal, budget: Budget) -> Standing:
    """Use the nonce once, for good, within the budget; without Valkey nobody gets in."""
    nonce = key("nonce", claims.access_key, claims.nonce)
    try:
        owner = str(principal.account)
        return await budget_take(budget, owner, nonce=nonce, nonce_kept_s=NONCE_KEPT_S)
    except Repeated:
        _refuse(DoorCode.NONCE_REPLAYED, "this nonce was used before; sign again with another")
    except redis.RedisError as error:
        raise Problem(
            DoorCode.NONCE_STORE_UNAVAILABLE,
            "nonces cannot be checked now, so nothing is admitted: repeat with a new nonce",
        ) from error


class SignedRequest(BaseAuthentication):
    """Names the scheme to the OpenAPI document; `request_authenticate` does the work."""


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
