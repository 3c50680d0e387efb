"""Make members of the tests' exchange ready for money, inside one process of it; prints JSON.

A bank is admitted, numbers are given, bars stored, and the chain's word on accounts is put in by
hand, since this exchange has no chain; then the ledger follows the engine once.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import django

django.setup()

from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from compliance import officer_keys
from compliance.errors import Conflict
from custody import services as custody
from custody.models import Account, Asset
from custody.sandbox.vault import Vault
from exchange.members import services as members

ACTOR = "process:tests"


def member_prepare(account: int) -> dict[str, Any]:
    """Make one account ready; return a key that may withdraw, and its holder's name."""
    address = f"0x{account:040x}"
    Account.objects.filter(pk=account).update(registered_at=timezone.now(), address=address)
    custody.virtual_account_open(number=account)
    key, secret = members.api_key_create(account=account, scopes=["read", "withdraw"], actor=ACTOR)
    return {"account": account, "access_key": key.access_key, "secret": secret}


def bars_store(account: int, folder: Path) -> None:
    """Have a vault of the account's own store three bars for it, and an auditor count them."""
    names = {"vault": f"vault-{account}", "auditor": f"auditor-{account}"}
    vault = Vault.found(folder, names["vault"], names["auditor"], settings.INSTANCE_ID)
    for kind, name in names.items():
        key = bytes.fromhex(vault.public_key(kind))
        custody.evidence_key_create(name=name, kind=kind, public_key=key, actor=ACTOR)
    bars = [
        {"refiner": "LS-MnM", "serial": f"{account}-{number}", "year": 2026}
        | {"gross_units": 1_001, "fine_units": 1_000, "fineness_ppm": 999_900}
        for number in range(3)
    ]
    receipt = vault.store(account=account, asset="XAU", bars=bars)
    custody.vault_receipt_receive(document=vault.audit(receipt))


def main(accounts: list[int]) -> None:
    with TemporaryDirectory() as folder, suppress(Conflict):  # admitted for another module's tests
        key = officer_keys.key_create(Path(folder) / "bank.key")
        custody.evidence_key_create(name="hana", kind="bank", public_key=key, actor=ACTOR)
    for asset in Asset.objects.filter(token_address=None):
        Asset.objects.filter(pk=asset.pk).update(token_address=f"0x{0xA0 + asset.pk:040x}")
    print(json.dumps([member_prepare(account) for account in accounts]))
    with TemporaryDirectory() as folder:
        for account in accounts:
            bars_store(account, Path(folder) / str(account))
    call_command("ledger_follow", once=True)


if __name__ == "__main__":
    main([int(account) for account in sys.argv[1:]])
