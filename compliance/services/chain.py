"""Where the contracts stand, who signs for a body, and what becomes of compliance's intents."""

import re
from collections.abc import Mapping
from uuid import UUID

from django.conf import settings
from django.db import transaction

from compliance import intent_life, policy
from compliance.errors import Conflict, Invalid
from compliance.intents import ExecutableIntent
from compliance.models import ChainAddresses, RegistryIntent, SignerKey
from compliance.services.audit import audit_append

ADDRESS_PATTERN = re.compile(r"0x[0-9a-fA-F]{40}")


@transaction.atomic
def chain_addresses_set(
    *,
    body: str = "compliance",
    authority: str,
    targets: Mapping[str, str],
    chain_id: int,
    clearing_id: int,
) -> ChainAddresses:
    """Write down where a body's contracts stand, and pin them in its signer's policy file.

    For the deployment alone: needs write access to the keys folder, which no web process or worker
    has. The same again changes nothing. Raises `Invalid`, `Conflict` when other ones are recorded.
    """
    for name, address in {"authority": authority, **targets}.items():
        if not ADDRESS_PATTERN.fullmatch(address):
            raise Invalid(f"{name} must be a 20-byte hex address, found {address!r}")
    salt = settings.INSTANCE_ID.bytes.ljust(32, b"\0")
    pin = policy.ChainPin(authority, dict(targets), chain_id, salt, clearing_id)
    row = ChainAddresses.objects.filter(body=body).first()
    if row is None:
        row = ChainAddresses.objects.create(
            body=body,
            authority=authority,
            targets=dict(targets),
            chain_id=chain_id,
            salt=salt,
            clearing_id=clearing_id,
        )
        audit_append(
            body=body,
            actor="process:deployment",
            action="chain_addresses.set",
            subject=f"body:{body}",
            detail={"authority": authority, "targets": dict(targets), "chain_id": chain_id},
        )
    elif chain_pin(row) != pin:
        raise Conflict(f"{body}: recorded {chain_pin(row)}, deployment says {pin}")
    policy.chain_pin(body, pin)
    return row


def chain_pin(row: ChainAddresses) -> policy.ChainPin:
    """Return the row as the value that policies hold."""
    return policy.ChainPin(
        row.authority, dict(row.targets), row.chain_id, bytes(row.salt), row.clearing_id
    )


@transaction.atomic
def signer_key_set(*, body: str, address: str) -> None:
    """Record a body's signer address for the deployment. Raises `Conflict` for a second one."""
    key, created = SignerKey.objects.get_or_create(body=body, defaults={"address": address})
    if key.address != address:
        raise Conflict(f"{body} signs by {key.address}, its keystore holds {address}")
    if created:
        audit_append(
            body=body,
            actor="process:signer_init",
            action="signer_key.set",
            subject=f"body:{body}",
            detail={"address": address},
        )


def intents_executable(limit: int = 100) -> list[ExecutableIntent]:
    """Return compliance's signed intents that are due."""
    return intent_life.intents_executable(
        RegistryIntent.objects.all(), body="compliance", limit=limit
    )


def intent_submitted(intent_id: UUID) -> None:
    """Note that a transaction carries the intent."""
    intent_life.intent_submitted(RegistryIntent.objects.all(), intent_id)


def intent_confirmed(intent_id: UUID) -> None:
    """Note that the registry holds the status."""
    intent_life.intent_confirmed(RegistryIntent.objects.all(), intent_id)


def intent_failed(intent_id: UUID, error: str) -> None:
    """Note a failed attempt to carry the intent; it is due again later."""
    intent_life.intent_failed(RegistryIntent.objects.all(), intent_id, error)
