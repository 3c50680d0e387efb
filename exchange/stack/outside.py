"""Parts that run elsewhere: asked once before anything starts, so that a wrong URL is named."""

import re
from collections.abc import Callable, Mapping

import psycopg
import redis

from exchange.stack.chain import chain_call
from exchange.stack.errors import StackError

TIMEOUT_S = 5


def outside_probe(urls: Mapping[str, str]) -> None:
    """Raise StackError unless each of DATABASE_URL, REDIS_URL and CHAIN_URL that is set answers."""
    for name, url in urls.items():
        try:
            _PROBES[name](url)
        except (OSError, ValueError, StackError, psycopg.Error, redis.RedisError) as error:
            reason = str(error).strip().splitlines()
            raise StackError(
                f"{name} is {_masked(url)}, which does not answer "
                f"({reason[0] if reason else type(error).__name__}): start it, or unset {name} "
                "for the embedded one"
            ) from error


def _database(url: str) -> None:
    psycopg.connect(url, connect_timeout=TIMEOUT_S).close()


def _valkey(url: str) -> None:
    with redis.Redis.from_url(url, socket_connect_timeout=TIMEOUT_S) as client:
        client.ping()


def _chain(url: str) -> None:
    chain_call(url, "eth_chainId")


def _masked(url: str) -> str:
    return re.sub(r"(://[^:/@]*:)[^@]*@", r"\1***@", url)


_PROBES: Mapping[str, Callable[[str], None]] = {
    "DATABASE_URL": _database,
    "REDIS_URL": _valkey,
    "CHAIN_URL": _chain,
}
