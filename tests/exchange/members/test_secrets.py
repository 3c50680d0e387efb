"""API keys' secrets: sealed in the database, bound to their row and to this instance's key."""

import pytest

from exchange.api import sealing
from exchange.members.secrets import access_key_make, secret_make, secret_open, secret_seal


def test_secret_opens_only_for_its_own_access_key_and_unaltered() -> None:
    access_key, secret = access_key_make(), secret_make()
    sealed = secret_seal(access_key, secret)
    assert secret.encode() not in sealed
    assert secret_open(access_key, sealed) == secret
    assert secret_seal(access_key, secret) != sealed
    for name, data in ((access_key_make(), sealed), (access_key, sealed[:-1] + b"\x00")):
        with pytest.raises(ValueError, match="does not open"):
            secret_open(name, data)


def test_secret_does_not_open_when_the_instances_key_is_another(settings: object) -> None:
    sealed = secret_seal("NX1", "secret")
    sealing._cipher.cache_clear()
    settings.SECRET_KEY = "another"  # type: ignore[attr-defined]
    try:
        with pytest.raises(ValueError, match="NEXUS_SECRET_KEY"):
            secret_open("NX1", sealed)
    finally:
        sealing._cipher.cache_clear()


def test_secrets_have_256_bits() -> None:
    assert len(secret_make()) == 43
    assert len({secret_make() for _ in range(100)}) == 100
