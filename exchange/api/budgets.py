"""How many requests somebody may send: a token bucket each in Valkey.

One round trip asks for all requests of a moment, and uses up their nonces with it. What must not
live here: the figures (settings.limits), who somebody is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha1
from math import ceil
from typing import cast

from django.conf import settings
from redis.exceptions import NoScriptError

from exchange.api.errors import DoorCode, Problem
from exchange.api.gathering import Gathered
from exchange.api.valkey import key, valkey_of_loop

# A bucket as the generic cell rate algorithm keeps it (ITU-T I.371): one number, the moment in
# microseconds at which it will be full again. A nonce seen before takes nothing from the bucket,
# or else a replay would; and none is used up when the bucket is empty. No more than a whole bucket
# is believed, so that a clock set back locks nobody out.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local taken = {}
for i = 1, #KEYS / 2 do
  local bucket, nonce = KEYS[2 * i - 1], KEYS[2 * i]
  local interval, whole = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  if nonce ~= '' and redis.call('EXISTS', nonce) == 1 then
    taken[i] = {-1, 0}
  else
    local full = tonumber(redis.call('GET', bucket) or 0)
    full = math.max(now, math.min(full, now + whole)) + interval
    if full - now > whole then
      taken[i] = {0, full - now}
    else
      redis.call('SET', bucket, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
      if nonce ~= '' then redis.call('SET', nonce, '', 'EX', ARGV[3 * i]) end
      taken[i] = {1, full - now}
    end
  end
end
return taken
"""
_TAKE_SHA = sha1(_TAKE.encode(), usedforsecurity=False).hexdigest()
_US_PER_S = 1_000_000


class Budget(StrEnum):
    """Names of `settings.RATE_BUDGETS`."""

    ORDER = "order"
    CANCEL = "cancel"
    READ = "read"
    WRITE = "write"
    PUBLIC = "public"
    SIGN_UP = "sign_up"
    IDEMPOTENCY = "idempotency"


class Repeated(Exception):
    """The nonce was used before."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a budget, and in how many seconds it is whole again."""

    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        """Return the headers that tell the client."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }


@dataclass(frozen=True, slots=True)
class Take:
    """One request from an owner's budget; `nonce`, a Valkey key, is used up with it."""

    budget: Budget
    owner: str
    nonce: str = ""
    nonce_kept_s: int = 0


async def budgets_take(takes: Sequence[Take]) -> list[Standing | Exception]:
    """Take requests from budgets, each with what is left or why not: `Problem`, `Repeated`.

    Raises `redis.RedisError`.
    """
    names: list[str] = []
    figures: list[int] = []
    for take in takes:
        interval_us, burst = _rate(take.budget)
        names += key("budget", take.budget, take.owner), take.nonce
        figures += interval_us, burst * interval_us, take.nonce_kept_s
    found = await _taken(names, figures)
    return [
        _standing(take.budget, taken, full_us)
        for take, (taken, full_us) in zip(takes, found, strict=True)
    ]


_take = Gathered(budgets_take)


async def budget_take(
    budget: Budget, owner: str, *, nonce: str = "", nonce_kept_s: int = 0
) -> Standing:
    """Take one request. Raises `Problem` rate_limited, `Repeated`, `redis.RedisError`."""
    return await _take(Take(budget, owner, nonce, nonce_kept_s))


def _rate(budget: Budget) -> tuple[int, int]:
    """Return the microseconds of one request, and how many may come at once."""
    requests, seconds, burst = settings.RATE_BUDGETS[budget]
    return seconds * _US_PER_S // requests, burst


def _standing(budget: Budget, taken: int, full_us: int) -> Standing | Exception:
    if taken < 0:
        return Repeated()
    interval_us, burst = _rate(budget)
    if not taken:
        full_us -= interval_us
    standing = Standing(burst, burst - ceil(full_us / interval_us), ceil(full_us / _US_PER_S))
    if taken:
        return standing
    requests, seconds, _ = settings.RATE_BUDGETS[budget]
    wait_s = ceil((full_us - (burst - 1) * interval_us) / _US_PER_S)
    return Problem(
        DoorCode.RATE_LIMITED,
        f"the budget {budget} of {burst} at once and {requests} in {seconds} s is used up; "
        f"wait {wait_s} s",
        headers={**standing.headers(), "Retry-After": str(wait_s)},
    )


async def _taken(names: list[str], figures: list[int]) -> list[tuple[int, int]]:
    valkey = valkey_of_loop()
    try:
        taken = await valkey.evalsha(_TAKE_SHA, len(names), *names, *figures)
    except NoScriptError:
        taken = await valkey.eval(_TAKE, len(names), *names, *figures)
    return cast(list[tuple[int, int]], taken)
