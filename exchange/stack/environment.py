"""The environment of each process: where its parts are, and only the secrets it needs."""

import os
from collections.abc import Iterable, Mapping

from exchange.stack.chain import chain_url
from exchange.stack.instance import BODIES, Instance
from exchange.stack.postgres import database_url
from exchange.stack.valkey import redis_url

URL_OF_PART = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL", "chain": "CHAIN_URL"}
INHERITED = ("PATH", "HOME", "LANG")  # nothing else of the starting shell reaches a process


def part_urls(instance: Instance, chain_port: int, outside: Mapping[str, str]) -> dict[str, str]:
    """Return DATABASE_URL, REDIS_URL and CHAIN_URL; those in `outside` replace embedded ones."""
    return {
        "DATABASE_URL": outside.get("DATABASE_URL") or database_url(instance),
        "REDIS_URL": outside.get("REDIS_URL") or redis_url(instance),
        "CHAIN_URL": outside.get("CHAIN_URL") or chain_url(chain_port),
    }


def base_environment(instance: Instance, urls: Mapping[str, str]) -> dict[str, str]:
    """Return what every process may know; no secret is in it."""
    return {
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        **urls,
        "DJANGO_SETTINGS_MODULE": "exchange.settings",
        "NEXUS_ENGINE_FEED": str(instance.engine_feed),
        "NEXUS_ENGINE_SOCKET": str(instance.engine_socket),
        "NEXUS_HOME": str(instance.root),
        "NEXUS_INSTANCE": instance.name,
        "NEXUS_INSTANCE_ID": str(instance.identity),
        "NEXUS_JOURNAL": str(instance.journal),
        "PYTHONUNBUFFERED": "1",
        "TZ": "UTC",
    }


def trust_environment(instance: Instance, trusted_with: Iterable[str]) -> dict[str, str]:
    """Return the secrets named: `secret_key`, `lane_key`, or the body whose signer it is."""
    granted: dict[str, str] = {}
    for secret in trusted_with:
        if secret == "secret_key":
            granted["NEXUS_SECRET_KEY"] = instance.secret_key
        elif secret == "lane_key":
            granted["NEXUS_LANE_KEY_FILE"] = str(instance.keys / "lane.key")
        else:
            assert secret in BODIES, f"no secret is called {secret}"
            granted["NEXUS_KEYS"] = str(instance.keys)
            granted["NEXUS_SIGNER_PASSPHRASE"] = instance.key_passphrase(secret)
    return granted


def operator_environment(instance: Instance) -> dict[str, str]:
    """Return what one-shot commands get beyond the base: the operator's view, no passphrase."""
    return {
        **trust_environment(instance, ("secret_key", "lane_key")),
        "NEXUS_KEYS": str(instance.keys),
    }


def outside_urls() -> dict[str, str]:
    """Return the parts that the starting shell says run elsewhere."""
    return {name: os.environ[name] for name in URL_OF_PART.values() if os.environ.get(name)}
