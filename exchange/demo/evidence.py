"""The world outside a played market: bank, vault, auditor and registrar, each with its own key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings

from compliance import officer_keys, policy
from custody import services as custody
from custody.evidence import count_message, notice_message, receipt_message, registrar_message
from exchange.demo.officers import ENROLMENT

_NAMES = {
    "bank": "busan-trust-bank",
    "vault": "gamcheon-vault",
    "auditor": "yeongdo-assay",
    "registrar": "suyeong-registrar",
}
_PARTS_PER_MILLION = 1_000_000
_FINENESS_PPM = 999_900
# What one bar, or lot of a base metal, weighs at the most, in mg and g.
_KILOGRAM, _TONNE = 1_000_000, 1_000_000
_BAR_UNITS = {"XAG": 30 * _KILOGRAM, "CU": _TONNE, "NI": _TONNE, "SN": _TONNE}


@dataclass(frozen=True)
class Sources:
    """Signers of evidence whose key files lie in `folder`."""

    folder: Path

    def enrol(self) -> None:
        """Make the keys known to custody and trusted by its signer; again changes nothing."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for kind, name in _NAMES.items():
            public_key = officer_keys.public_key_of(self._key(kind))
            custody.evidence_key_create(
                name=name, kind=kind, public_key=public_key, actor=ENROLMENT
            )
            policy.evidence_trust("custody", name, kind, public_key)

    def cash_booked(self, *, account: int, asset: str, units: int) -> str:
        """Have the bank say that cash came in, and return the notice's id."""
        document = self._booking("bank", account, asset, units)
        document["signature"] = self._sign("bank", notice_message, document)
        return custody.bank_notice_receive(document=document).notice_id

    def shares_booked(self, *, account: int, asset: str, units: int) -> str:
        """Have the registrar say that shares were booked over, and return the notice's id."""
        document = self._booking("registrar", account, asset, units)
        document["signature"] = self._sign("registrar", registrar_message, document)
        return custody.registrar_notice_receive(document=document).notice_id

    def bars_stored(self, *, account: int, asset: str, units: int) -> str:
        """Have the vault receive bars and the auditor count them; return the receipt's id."""
        size = _BAR_UNITS.get(asset, _KILOGRAM)
        whole, rest = divmod(units, size)
        bars = [_bar(weight) for weight in [size] * whole + [rest] * bool(rest)]
        document: dict[str, Any] = {
            "receipt_id": f"receipt-{uuid4().hex[:12].upper()}",
            "vault": _NAMES["vault"],
            "account": account,
            "asset": asset,
            "bars": bars,
            "fine_units": units,
            "auditor": _NAMES["auditor"],
            "auditor_fine_units": units,
        }
        document["vault_signature"] = self._sign("vault", receipt_message, document)
        document["auditor_signature"] = self._sign("auditor", count_message, document)
        return custody.vault_receipt_receive(document=document).receipt_id

    def _booking(self, kind: str, account: int, asset: str, amount_units: int) -> dict[str, Any]:
        return {
            "notice_id": f"notice-{uuid4()}",
            kind: _NAMES[kind],
            "account": account,
            "asset": asset,
            "amount_units": amount_units,
            "booked_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _sign(
        self,
        kind: str,
        message: Callable[[UUID, Mapping[str, Any]], bytes],
        document: Mapping[str, Any],
    ) -> str:
        content = message(settings.INSTANCE_ID, document)
        return officer_keys.key_sign(self._key(kind), content).hex()

    def _key(self, kind: str) -> Path:
        return self.folder / f"{kind}.key"


def _bar(fine_units: int) -> dict[str, Any]:
    return {
        "refiner": "LS-MnM",
        "serial": uuid4().hex[:12].upper(),
        "year": 2026,
        "gross_units": -(-fine_units * _PARTS_PER_MILLION // _FINENESS_PPM),
        "fine_units": fine_units,
        "fineness_ppm": _FINENESS_PPM,
        "vault": _NAMES["vault"],
    }
