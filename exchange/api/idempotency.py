"""`Idempotency-Key`: a request sent again gets the answer of the first (IETF draft of that name).

Kept in Valkey for a day, encrypted, since an answer may hold a secret; a budget bounds how many.
What must happen once for ever has a reference of its own in the database (a client_reference), an
order its client_order_id in the engine.
"""

import hashlib
import logging
import re
from asyncio import shield
from collections.abc import Awaitable, Callable

import msgspec
import redis
from django.http import HttpRequest, HttpResponse

from exchange.api.budgets import Budget, Repeated, budget_take
from exchange.api.decoding import body_read
from exchange.api.errors import DoorCode, Problem
from exchange.api.sealing import seal, unseal
from exchange.api.valkey import key, valkey_of_loop

KEPT_S = 24 * 3600
# A process that died in the middle keeps its claim for so long.
CLAIMED_S = 60
_PURPOSE = "nexus idempotent answers v1"
KEY_PATTERN = r'^"?[A-Za-z0-9_.:-]{1,64}"?$'
_key = re.compile(KEY_PATTERN.strip("^$"), re.ASCII)
_KEPT_HEADERS = ("Location",)

Respond = Callable[[], Awaitable[HttpResponse]]

logger = logging.getLogger(__name__)


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """A request's fingerprint and its answer."""

    fingerprint: bytes
    status: int
    content_type: str
    headers: dict[str, str]
    content: bytes


_decode = msgspec.msgpack.Decoder(_Kept).decode


async def answer_once(request: HttpRequest, owner: str, respond: Respond) -> HttpResponse:
    """Return the answer of `respond`, or that of the same request before under the owner's key.

    A refusal or fault is not kept: nothing was done, and the request may be sent again. A key that
    is new takes from the owner's budget of keys. Raises `Problem`.
    """
    given = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        return await respond()
    if not _key.fullmatch(given):
        raise Problem(
            DoorCode.IDEMPOTENCY_KEY_INVALID, "Idempotency-Key: 1 to 64 of A-Z a-z 0-9 _ . : -"
        )
    # A client that goes away stops nothing: what was begun is finished, and its answer kept.
    return await shield(_answer_kept(request, owner, given.strip('"'), respond))


async def _answer_kept(
    request: HttpRequest, owner: str, given: str, respond: Respond
) -> HttpResponse:
    name, fingerprint = key("idempotency", owner, given), _fingerprint(request)
    before = await _claim(owner, name)
    if before is not None:
        return _replay(before, fingerprint)
    answer = await respond()
    kept = _Kept(
        fingerprint,
        answer.status_code,
        answer.headers["Content-Type"],
        {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers},
        answer.content,
    )
    await _keep(name, kept if answer.status_code < 400 else None)
    return answer


def _fingerprint(request: HttpRequest) -> bytes:
    content = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    content.update(body_read(request))
    return content.digest()


async def _claim(owner: str, name: str) -> _Kept | None:
    """Claim the key for this request; return the answer that is kept under it.

    A claim is a nonce, empty, set in one step with what it takes from the budget: either fails
    with the other. Raises `Problem`, also rate_limited when the owner has no new key left.
    """
    try:
        try:
            await budget_take(Budget.IDEMPOTENCY, owner, nonce=name, nonce_kept_s=CLAIMED_S)
            return None
        except Repeated:
            found = await valkey_of_loop().get(name)
    except redis.RedisError as error:
        raise Problem(
            DoorCode.NONCE_STORE_UNAVAILABLE,
            "the Idempotency-Key cannot be checked now, so nothing was done: repeat it; should the "
            f"key then be in use, it is free after {CLAIMED_S} s",
        ) from error
    if not found:
        raise Problem(
            DoorCode.IDEMPOTENCY_KEY_IN_USE,
            f"the first request under this key is under way, or was cut off within {CLAIMED_S} s",
        )
    return _decode(unseal(_PURPOSE, name, found))  # type: ignore[arg-type]


def _replay(before: _Kept, fingerprint: bytes) -> HttpResponse:
    if before.fingerprint != fingerprint:
        raise Problem(
            DoorCode.IDEMPOTENCY_KEY_REUSED, "this Idempotency-Key was sent with another request"
        )
    return HttpResponse(
        before.content,
        status=before.status,
        content_type=before.content_type,
        headers={**before.headers, "Idempotency-Replayed": "true"},
    )


async def _keep(name: str, kept: _Kept | None) -> None:
    """Write down the answer, or free the key. Without Valkey the claim runs out by itself."""
    try:
        if kept is None:
            await valkey_of_loop().delete(name)
        else:
            sealed = seal(_PURPOSE, name, msgspec.msgpack.encode(kept))
            await valkey_of_loop().set(name, sealed, ex=KEPT_S)
    except redis.RedisError as error:
        logger.warning("the answer under %s is not kept: %s", name, error)
