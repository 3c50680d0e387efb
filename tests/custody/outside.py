"""The outside world: witnesses who sign at their own desks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from compliance import officer_keys, policy
from custody import evidence, services


@dataclass(frozen=True)
class Witness:
    """A bank, vault, auditor or registrar with the file of its private key."""

    name: str
    key: Path

    def sign(self, message: bytes) -> str:
        return officer_keys.key_sign(self.key, message).hex()


def witness_admit(name: str, kind: str, *, trusted: bool = True) -> Witness:
    """Make a witness known to custody; its signer trusts it unless told otherwise."""
    key = Path(settings.KEYS) / f"{name}.key"
    key.parent.mkdir(parents=True, exist_ok=True)
    public_key = officer_keys.key_create(key)
    services.evidence_key_create(name=name, kind=kind, public_key=public_key, actor="process:test")
    if trusted:
        policy.evidence_trust("custody", name, kind, public_key)
    return Witness(name, key)


def notice(bank: Witness, account: int, amount_units: int, **changed: Any) -> dict[str, Any]:
    """Return a bank's signed notice of KRW; `changed` fields are signed too."""
    document: dict[str, Any] = {
        "notice_id": f"N-{account}-{amount_units}",
        "bank": bank.name,
        "account": account,
        "asset": "KRW",
        "amount_units": amount_units,
        "booked_at": "2026-11-20T09:00:00+09:00",
        **changed,
    }
    message = evidence.notice_message(settings.INSTANCE_ID, document)
    return {**document, "signature": bank.sign(message)}


def bar(serial: str, fine_units: int, **changed: Any) -> dict[str, Any]:
    """Return a bar of so much fine gold in mg, at 999.9."""
    return {
        "refiner": "LS-NIKKO",
        "serial": serial,
        "year": 2025,
        "vault": "Incheon-2",
        "gross_units": fine_units * 10_000 // 9_999 + 1,
        "fine_units": fine_units,
        "fineness_ppm": 999_900,
        **changed,
    }


def receipt(
    vault: Witness, auditor: Witness, account: int, *bars: dict[str, Any], **changed: Any
) -> dict[str, Any]:
    """Return a receipt of gold bars, signed by vault and auditor; `changed` fields are signed."""
    total = sum(one["fine_units"] for one in bars)
    document: dict[str, Any] = {
        "receipt_id": f"R-{account}-{total}",
        "vault": vault.name,
        "account": account,
        "asset": "XAU",
        "bars": list(bars),
        "fine_units": total,
        "auditor": auditor.name,
        "auditor_fine_units": total,
        **changed,
    }
    instance = settings.INSTANCE_ID
    return {
        **document,
        "vault_signature": vault.sign(evidence.receipt_message(instance, document)),
        "auditor_signature": auditor.sign(evidence.count_message(instance, document)),
    }


def registration(
    registrar: Witness, account: int, asset: str, amount_units: int, /, **changed: Any
) -> dict[str, Any]:
    """Return a registrar's signed notice of a security; `changed` fields are signed too."""
    document: dict[str, Any] = {
        "notice_id": f"S-{account}-{amount_units}",
        "registrar": registrar.name,
        "account": account,
        "asset": asset,
        "amount_units": amount_units,
        "booked_at": "2026-11-20T09:00:00+09:00",
    } | changed
    message = evidence.registrar_message(settings.INSTANCE_ID, document)
    return {**document, "signature": registrar.sign(message)}
