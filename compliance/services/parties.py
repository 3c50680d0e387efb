"""Parties from application to eligibility in engine and identity registry."""

import secrets
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from compliance import calldata, locks
from compliance.acts import HOLDER_MAX
from compliance.errors import Conflict, Invalid, NotFound
from compliance.intent_life import intent_request
from compliance.intents import IntentState
from compliance.models import Act, ChainAddresses, HolderAddress, Party, RegistryIntent
from compliance.services.acts import act_claim, act_complete, act_fail
from compliance.services.audit import audit_append
from compliance.wake import wake
from matching.client import engine
from matching.protocol.commands import SetEligibility
from matching.protocol.events import EligibilityChanged
from matching.protocol.faults import crash_point

BODY = "compliance"
HOLDER_MIN = 1000


@transaction.atomic
def party_apply(*, legal_name: str, kind: str, jurisdiction: str, actor: str) -> Party:
    """Record an applicant under a fresh random holder number; may trade nothing yet.

    `jurisdiction` is an ISO 3166 alpha-2 code. Raises `Invalid`.
    """
    if not 1 <= len(legal_name.strip()) <= 200:
        raise Invalid("legal name must have 1 to 200 characters")
    if kind not in Party.Kind.values:
        raise Invalid(f"kind must be one of {Party.Kind.values}, found {kind!r}")
    if not (len(jurisdiction) == 2 and jurisdiction.isascii() and jurisdiction.isupper()):
        raise Invalid(f"jurisdiction must be two capital letters, found {jurisdiction!r}")
    party = Party.objects.create(
        holder=HOLDER_MIN + secrets.randbelow(HOLDER_MAX - HOLDER_MIN),
        legal_name=legal_name.strip(),
        kind=kind,
        jurisdiction=jurisdiction,
    )
    audit_append(body=BODY, actor=actor, action="party.applied", subject=f"party:{party.holder}")
    return party


@transaction.atomic
def act_execute(*, act_id: UUID) -> None:
    """Carry an approved act of compliance over to its party, once, and wake what follows.

    An act that the party has overtaken fails for good.
    """
    act = act_claim(act_id=act_id, body=BODY)
    if act.state != Act.State.APPROVED:
        return
    try:
        party = _act_apply(act)
    except (NotFound, Conflict, Invalid) as error:
        act_fail(act_id=act.id, error=str(error))
        return
    wake("compliance.eligibility_apply", party.pk)
    act_complete(act_id=act.id, result={"holder": party.holder, "version": party.version})


def _act_apply(act: Act) -> Party:
    party = locks.party_lock(act.payload["holder"])
    if act.payload["version"] != party.version + 1:
        raise Conflict(f"party stands at version {party.version}")
    if party.state == Party.State.CLOSED:
        raise Conflict("party is closed")
    if act.kind == "compliance.identify":
        party.classes = act.payload["classes"]
        party.state = Party.State.IDENTIFIED if party.classes else Party.State.RESTRICTED
    elif act.kind == "compliance.freeze":
        party.frozen = True
    elif act.kind == "compliance.unfreeze":
        party.frozen = False
    else:
        raise Invalid(f"compliance does not execute {act.kind}")
    party.version, party.engine_sequence = act.payload["version"], None
    party.save()
    return party


def eligibility_apply(*, party_id: int) -> None:
    """Tell the engine the party's eligibility, then ask for the registry's; may run any time.

    Raises `EngineUnavailable`, and `Conflict` when the engine refuses.
    """
    party = Party.objects.filter(pk=party_id).first()
    if party is None:
        raise NotFound(f"no party {party_id}")
    if party.version == 0:
        return
    if party.engine_sequence is None:
        sequence = _engine_set(party)
        crash_point("eligibility.answered")
        fresh = Party.objects.filter(pk=party.pk, version=party.version)
        freeze = (party.frozen_sequence or sequence) if party.frozen else None
        if not fresh.update(engine_sequence=sequence, frozen_sequence=freeze):
            return  # a later act has overtaken this version and wakes this service itself
    registry_intents_request(holder=party.holder)


def _engine_set(party: Party) -> int:
    answer = engine().send(
        SetEligibility(
            holder=party.holder, version=party.version, classes=party.classes, frozen=party.frozen
        )
    )
    # Repeated by a process that died before it stored the number: a frozen holder has traded
    # nothing since the first time, so the later number bounds the freeze as well.
    first = answer.events[0]
    if not isinstance(first, EligibilityChanged):
        raise Conflict(f"engine refused eligibility of holder {party.holder}: {first}")
    return answer.sequence


@transaction.atomic
def address_register(
    *, holder: int, account: int, address: str, attestation: bytes
) -> HolderAddress:
    """Note the address that custody attests for an account; the same again changes nothing.

    Raises `Conflict` when account or address is known otherwise.
    """
    known = HolderAddress.objects.filter(account=account).first()
    if known is None:
        try:
            with transaction.atomic():
                known = HolderAddress.objects.create(
                    holder=holder, account=account, address=address, attestation=attestation
                )
        except IntegrityError as error:
            raise Conflict(f"address {address} belongs to another account") from error
        party = Party.objects.filter(holder=holder).first()
        if party is not None and party.version:
            wake("compliance.eligibility_apply", party.pk)
    if (known.holder, known.address) != (holder, address):
        raise Conflict(f"account {account} is known as {known.address} of holder {known.holder}")
    return known


@transaction.atomic
def registry_intents_request(*, holder: int) -> list[RegistryIntent]:
    """Ask for one registry entry per address for the party's present version, once each.

    Does nothing while the engine has not taken the version or no contracts stand.
    """
    party = locks.party_lock(holder)
    chain = ChainAddresses.objects.filter(body=BODY).first()
    if chain is None or party.engine_sequence is None:
        return []
    requested = []
    for address in locks.addresses_lock(holder, below_version=party.version):
        requested.append(_registry_intent(party, address, chain))
        address.intent_version = party.version
        address.save(update_fields=["intent_version"])
    return requested


def _registry_intent(party: Party, address: HolderAddress, chain: ChainAddresses) -> RegistryIntent:
    # The registry takes rising versions only, so an older wish that is not on its way is void.
    RegistryIntent.objects.filter(
        address=address,
        state__in=[IntentState.REQUESTED, IntentState.SIGNED, IntentState.FAILED],
    ).update(state=IntentState.VOID, error=f"superseded by version {party.version}")
    status: dict[str, Any] = {
        "verified": party.classes != 0,
        "frozen": party.frozen,
        "frozen_sequence": party.frozen_sequence or 0,
        "version": party.version,
    }
    intent = RegistryIntent(
        kind="set_status",
        target=chain.targets["identity_registry"],
        data=calldata.set_status(address.address, **status),
        subject={"holder": party.holder, "account": address.account, **status},
        address=address,
        version=party.version,
    )
    intent_request(intent, body=BODY)
    return intent
