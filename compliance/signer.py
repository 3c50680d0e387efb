"""The only place where a body's chain key is opened; used by the body's own signer process.

It believes evidence, signatures and the body's policy file, never a row for being in the
database. What must not live here: anything that a web process or worker imports.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from eth_account import Account
from eth_account.messages import encode_typed_data

from compliance import calldata, intent_life, policy, selectors
from compliance.acts import payload_check, signature_verify
from compliance.errors import BodyRefused, OfficersAwaited, Untrusted
from compliance.intents import ChainIntent
from compliance.models import Act, HolderAddress, RegistryIntent
from compliance.services.acts import act_signed_bytes
from compliance.wake import wake
from matching.client import EngineUnavailable, engine
from matching.protocol.queries import GetStatus

logger = logging.getLogger(__name__)
SIGN_LIMIT = 100
# Keystore format 3 by scrypt; its cost matters little, for passphrases here are random.
SCRYPT_ITERATIONS = 2**14

_DOMAIN_FIELDS = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
    {"name": "salt", "type": "bytes32"},
]
_EXECUTE_FIELDS = [
    {"name": "target", "type": "address"},
    {"name": "data", "type": "bytes"},
    {"name": "id", "type": "bytes32"},
    {"name": "deadline", "type": "uint256"},
]
_COVERAGE_FIELDS = [{"name": "sequence", "type": "uint256"}]
_ATTESTATION_FIELDS = [
    {"name": "holder", "type": "uint256"},
    {"name": "account", "type": "uint256"},
    {"name": "location", "type": "address"},
]


class BodySigner:
    """A body's key, open in this process."""

    def __init__(self, body: str, key: bytes) -> None:
        self.body = body
        self._key = key
        self.address: str = Account.from_key(key).address

    @classmethod
    def open(cls, body: str) -> "BodySigner":
        """Open the body's key store with NEXUS_SIGNER_PASSPHRASE.

        Raises `LookupError` without passphrase or key store, `ValueError` for a wrong passphrase.
        """
        return cls(body, keystore_open(body, passphrase()))

    def sign_typed(self, full_message: dict[str, Any]) -> bytes:
        """Return the 65-byte signature `r | s | v` (v 27 or 28) over EIP-712 typed data."""
        signable = encode_typed_data(full_message=full_message)
        return bytes(Account.sign_message(signable, self._key).signature)


def execute_typed(
    *, pin: policy.ChainPin, target: str, data: bytes, identifier: bytes, deadline: int
) -> dict[str, Any]:
    """Return the `Execute` that the body's `Authority` checks, as docs/contracts.md has it."""
    return {
        "types": {"EIP712Domain": _DOMAIN_FIELDS, "Execute": _EXECUTE_FIELDS},
        "primaryType": "Execute",
        "domain": {
            "name": "Nexus Authority",
            "version": "1",
            "chainId": pin.chain_id,
            "verifyingContract": pin.authority,
            "salt": pin.salt,
        },
        "message": {"target": target, "data": data, "id": identifier, "deadline": deadline},
    }


def attestation_typed(*, holder: int, account: int, address: str) -> dict[str, Any]:
    """Return what custody's signer signs to say whose address this is, within this instance."""
    salt = settings.INSTANCE_ID.bytes.ljust(32, b"\0")
    return {
        "types": {
            "EIP712Domain": [_DOMAIN_FIELDS[0], _DOMAIN_FIELDS[1], _DOMAIN_FIELDS[4]],
            "Attestation": _ATTESTATION_FIELDS,
        },
        "primaryType": "Attestation",
        "domain": {"name": "Nexus Custody", "version": "1", "salt": salt},
        "message": {"holder": holder, "account": account, "location": address},
    }


def coverage_typed(sequence: int) -> dict[str, Any]:
    """Return what the clearing house's signer signs to say that every fill up to here is title."""
    salt = settings.INSTANCE_ID.bytes.ljust(32, b"\0")
    return {
        "types": {
            "EIP712Domain": [_DOMAIN_FIELDS[0], _DOMAIN_FIELDS[1], _DOMAIN_FIELDS[4]],
            "Coverage": _COVERAGE_FIELDS,
        },
        "primaryType": "Coverage",
        "domain": {"name": "Nexus Clearing", "version": "1", "salt": salt},
        "message": {"sequence": sequence},
    }


def attestation_check(
    *, attestor: str, holder: int, account: int, address: str, attestation: bytes
) -> None:
    """Raise `Untrusted` unless custody's key `attestor` has attested the address."""
    typed = attestation_typed(holder=holder, account=account, address=address)
    _signed_by_check(typed, attestation, attestor, f"address of account {account}")


def coverage_check(*, attestor: str, sequence: int, signature: bytes) -> None:
    """Raise `Untrusted` unless the clearing house's key `attestor` says that all is title."""
    typed = coverage_typed(sequence)
    _signed_by_check(typed, signature, attestor, f"coverage up to {sequence}")


def _signed_by_check(typed: dict[str, Any], signature: bytes, signer: str, what: str) -> None:
    try:
        found = Account.recover_message(encode_typed_data(full_message=typed), signature=signature)
    except Exception as error:  # eth_account raises several kinds for malformed bytes
        raise Untrusted(f"attestation of {what} is malformed: {error}") from error
    if not signer or found != signer:
        raise Untrusted(f"{what} is attested by {found}, expected {signer or 'nobody'}")


def act_check(act: Act, trust: policy.Policy) -> None:
    """Raise `Untrusted` unless two distinct officers whom the policy lists have signed the act.

    Keys come from the policy file alone, so officer rows that somebody inserted count for nothing.
    """
    payload_check(act.kind, act.payload)
    if act.approver is None or act.approver_signature is None:
        raise Untrusted(f"act {act.id} is approved by nobody")
    names = (act.proposer.user.username, act.approver.user.username)
    signatures = (bytes(act.proposer_signature), bytes(act.approver_signature))
    if names[0] == names[1]:
        raise Untrusted(f"act {act.id}: {names[0]} cannot be two officers")
    message = act_signed_bytes(act)
    for name, signature in zip(names, signatures, strict=True):
        key = trust.officers.get(name)
        if key is None:
            raise Untrusted(f"act {act.id}: the policy does not list {name}")
        if not signature_verify(key, signature, message):
            raise Untrusted(f"act {act.id}: signature of {name} does not cover it")


def pin_of(trust: policy.Policy, body: str) -> policy.ChainPin:
    """Return the pinned contracts. Raises `Untrusted` when none of this instance are pinned."""
    if trust.chain is None or trust.chain.salt != settings.INSTANCE_ID.bytes.ljust(32, b"\0"):
        raise Untrusted(f"policy of {body} pins no contracts of this instance: deploy first")
    return trust.chain


def intents_sign(
    signer: BodySigner,
    intents: Iterable[ChainIntent],
    check: Callable[[Any, policy.Policy], None],
    signed: Callable[[Any], object] | None = None,
) -> int:
    """Sign intents that `check` lets pass, defer others with the reason; return how many.

    What officers must decide waits for them in a state of its own.
    """
    trust, done = policy.policy_load(signer.body), 0
    for intent in intents:
        try:
            pin = pin_of(trust, signer.body)
            check(intent, trust)
            done += _intent_sign(signer, intent, pin, signed)
        except OfficersAwaited as awaited:
            intent_life.intent_awaiting(intent, error=str(awaited))
        except (BodyRefused, EngineUnavailable) as refusal:
            logger.warning("%s: intent %s not signed: %s", signer.body, intent.id, refusal)
            intent_life.intent_deferred(intent, error=str(refusal))
    if done:
        wake(intent_life.EXECUTE_TASK)  # once, for what is carried together costs less
    return done


def _intent_sign(
    signer: BodySigner,
    intent: ChainIntent,
    pin: policy.ChainPin,
    signed: Callable[[Any], object] | None,
) -> bool:
    deadline = int(time.time()) + intent_life.LIFETIME_S
    typed = execute_typed(
        pin=pin,
        target=intent.target,
        data=bytes(intent.data),
        identifier=intent.chain_id_bytes,
        deadline=deadline,
    )
    return intent_life.intent_signed(
        intent,
        body=signer.body,
        signature=signer.sign_typed(typed),
        deadline=deadline,
        then=signed,
    )


def registry_intents_sign(signer: BodySigner) -> int:
    """Sign compliance's waiting intents that acts of trusted officers stand behind."""
    rows = RegistryIntent.objects.select_related("address")
    waiting = intent_life.intents_signable(rows, limit=SIGN_LIMIT)
    return intents_sign(signer, waiting, registry_intent_check)


def registry_intent_check(intent: RegistryIntent, trust: policy.Policy) -> None:
    """Raise `Untrusted` unless the calldata says exactly what the officers' acts add up to.

    Every version of the party from 1 on needs its act, so none can be left out or replayed. The
    freeze's sequence number is the engine's; it may not lie ahead of it.
    """
    row: HolderAddress = intent.address
    attestation_check(
        attestor=trust.attestor,
        holder=row.holder,
        account=row.account,
        address=row.address,
        attestation=bytes(row.attestation),
    )
    verified, frozen = _status_of(row.holder, intent.version, trust)
    frozen_sequence = intent.subject.get("frozen_sequence", 0)
    if type(frozen_sequence) is not int or (frozen_sequence > 0) != frozen:
        raise Untrusted(f"freeze sequence {frozen_sequence!r} does not fit frozen={frozen}")
    if frozen and frozen_sequence > engine().ask(GetStatus()).sequence:
        raise Untrusted(f"freeze sequence {frozen_sequence} lies ahead of the engine")
    expected = calldata.set_status(
        row.address,
        verified=verified,
        frozen=frozen,
        frozen_sequence=frozen_sequence,
        version=intent.version,
    )
    if bytes(intent.data) != expected:
        raise Untrusted("calldata differs from what the officers' acts add up to")
    if intent.target != pin_of(trust, "compliance").targets["identity_registry"]:
        raise Untrusted(f"target {intent.target} is not the pinned identity registry")


def _status_of(holder: int, version: int, trust: policy.Policy) -> tuple[bool, bool]:
    verified = frozen = False
    acts = selectors.acts_of_holder(holder)[:version]
    if [act.payload["version"] for act in acts] != list(range(1, version + 1)):
        raise Untrusted(f"no unbroken line of acts makes version {version} of holder {holder}")
    for act in acts:
        act_check(act, trust)
        if act.payload["holder"] != holder:
            raise Untrusted(f"act {act.id} is about another holder")
        if act.kind == "compliance.identify":
            verified = act.payload["classes"] != 0
        else:
            frozen = act.kind == "compliance.freeze"
    return verified, frozen


def passphrase() -> str:
    """Return NEXUS_SIGNER_PASSPHRASE. Raises `LookupError` when it is unset."""
    value = os.environ.get("NEXUS_SIGNER_PASSPHRASE", "")
    if not value:
        raise LookupError("NEXUS_SIGNER_PASSPHRASE is unset: only a body's signer is given its own")
    return value


def keystore_path(name: str) -> Path:
    return Path(settings.KEYS) / f"{name}.json"


def keystore_create(name: str, secret: str) -> str:
    """Create an encrypted key store unless it is there; return the address of its key."""
    path = keystore_path(name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        document = Account.encrypt(
            Account.create().key, secret, kdf="scrypt", iterations=SCRYPT_ITERATIONS
        )
        fresh = path.with_suffix(f".{os.getpid()}.new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # unlike a rename never replaces a key store that appeared
        except FileExistsError:
            pass
        os.unlink(fresh)
    return str(Account.from_key(keystore_open(name, secret)).address)


def keystore_open(name: str, secret: str) -> bytes:
    """Return the 32 secret bytes. Raises `LookupError`, `ValueError` for a wrong passphrase."""
    path = keystore_path(name)
    if not path.exists():
        raise LookupError(f"no key store {path}: run `manage.py signer_init` first")
    return bytes(Account.decrypt(json.loads(path.read_text()), secret))
