"""How many requests somebody may send: a token bucket each in Valkey, asked in one round trip.

The same round trip uses up a nonce, so that a signed request costs one. What must not live here:
the figures (settings.limits), who somebody is.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import ceil

from django.conf import settings
from redis.commands.core import Script

from exchange.api.errors import DoorCode, Problem
from exchange.api.valkey import key, valkey

# The bucket as the generic cell rate algorithm keeps it (ITU-T I.371): one number, the moment in
# microseconds at which it will be full again. A nonce seen before takes nothing from the bucket,
# or else a replay would; and none is used up when the bucket is empty. No more than a whole bucket
# is believed, so that a clock set back locks nobody out.
_TAKE = """
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then return {-1, 0} end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, whole = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = tonumber(redis.call('GET', KEYS[1]) or 0)
full = math.max(now, math.min(full, now + whole)) + interval
if full - now > whole then return {0, full - now} end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
if KEYS[2] then redis.call('SET', KEYS[2], '', 'EX', ARGV[3]) end
return {1, full - now}
"""
_US_PER_S = 1_000_000


class Budget(StrEnum):
    """Names of `settings.RATE_BUDGETS`."""

    ORDER = "order"
    CANCEL = "cancel"
    READ = "read"
    WRITE = "write"
    PUBLIC = "public"
    SIGN_UP = "sign_up"


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


def budget_take(
    budget: Budget, owner: str, *, nonce: str | None = None, nonce_kept_s: int = 0
) -> Standing:
    """Take one request from an owner's budget, and use up the nonce (a Valkey key) with it.

    Raises `Problem` rate_limited, `Repeated`, `redis.RedisError`.
    """
    requests, seconds, burst = settings.RATE_BUDGETS[budget]
    interval_us = seconds * _US_PER_S // requests
    names = [key("budget", budget, owner), *([nonce] if nonce else [])]
    taken, full_us = _script()(names, [interval_us, burst * interval_us, nonce_kept_s])
    if taken < 0:
        raise Repeated
    if not taken:
        full_us -= interval_us
    standing = Standing(burst, burst - ceil(full_us / interval_us), ceil(full_us / _US_PER_S))
    if not taken:
        wait_s = ceil((full_us - (burst - 1) * interval_us) / _US_PER_S)
        raise Problem(
            DoorCode.RATE_LIMITED,
            f"the budget {budget} of {burst} at once and {requests} in {seconds} s is used up; "
            f"wait {wait_s} s",
            headers={**standing.headers(), "Retry-After": str(wait_s)},
        )
    return standing


@cache
def _script() -> Script:
    return valkey().register_script(_TAKE)
