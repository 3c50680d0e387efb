"""A vault for development, with its auditor: `python -m custody.sandbox.vault`.

Each has a key of its own in the folder. It shares nothing with the exchange but the shapes of
signed documents; it reads and writes JSON and loads no Django. What must not live here: anything
that custody believes without a signature.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from compliance.acts import signature_verify
from compliance.errors import BodyRefused
from custody import evidence
from custody.bar_documents import ReleaseOrder
from custody.cash_documents import document_message, document_parse

ROLES = ("vault", "auditor")


class Vault:
    """The vault whose bars and keys lie in a folder; what it says is kept before it is given.

    `vault.json` maps each bar, `<refiner>/<serial>/<year>`, to what was weighed and, once it left,
    to the order that took it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "vault.json"
        self._state: dict[str, Any] = json.loads(self._path.read_text())
        self._keys = {
            role: Ed25519PrivateKey.from_private_bytes(
                bytes.fromhex((folder / f"{role}.key").read_text())
            )
            for role in ROLES
        }
        self.instance = UUID(self._state["instance"])

    @classmethod
    def found(cls, folder: Path, name: str, auditor: str, instance: UUID) -> "Vault":
        """Found a vault in a folder that has none. Raises `FileExistsError`."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for role in ROLES:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with open(os.open(folder / f"{role}.key", flags, 0o600), "w") as file:
                file.write(Ed25519PrivateKey.generate().private_bytes_raw().hex())
        state: dict[str, Any] = {"vault": name, "auditor": auditor, "instance": str(instance)}
        state |= {"custody_key": "", "bars": {}, "releases": {}}
        (folder / "vault.json").write_text(json.dumps(state))
        return cls(folder)

    def public_key(self, role: str) -> str:
        """The key by which custody knows the vault or its auditor, in hex."""
        return self._keys[role].public_key().public_bytes_raw().hex()

    def trust(self, custody_key: bytes) -> None:
        """Release from now on what this key of custody signs."""
        self._state["custody_key"] = custody_key.hex()
        self._keep()

    def store(self, *, account: int, asset: str, bars: list[dict[str, Any]]) -> dict[str, Any]:
        """Take bars in and return the vault's signed receipt, which its auditor has yet to count.

        Raises `ValueError` when a bar was stored before.
        """
        listed = [bar | {"vault": self._state["vault"]} for bar in bars]
        receipt: dict[str, Any] = {
            "receipt_id": f"{self._state['vault']}-{uuid4()}",
            "vault": self._state["vault"],
            "account": account,
            "asset": asset,
            "bars": listed,
            "fine_units": sum(bar["fine_units"] for bar in listed),
        }
        for bar in listed:
            if _name(bar) in self._state["bars"]:
                raise ValueError(f"bar {_name(bar)} was stored before")
            self._state["bars"][_name(bar)] = bar | {"asset": asset, "released_by": ""}
        self._keep()
        message = evidence.receipt_message(self.instance, receipt)
        return receipt | {"vault_signature": self._sign("vault", message)}

    def audit(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """Count a receipt's bars on the shelf and return it with the auditor's signed count.

        Raises `ValueError` when a bar is not there, or weighs otherwise.
        """
        total = 0
        for bar in receipt["bars"]:
            on_shelf = self._state["bars"].get(_name(bar))
            if on_shelf is None or on_shelf["released_by"]:
                raise ValueError(f"bar {_name(bar)} is not on the shelf")
            total += on_shelf["fine_units"]
        counted = receipt | {"auditor": self._state["auditor"], "auditor_fine_units": total}
        message = evidence.count_message(self.instance, counted)
        return counted | {"auditor_signature": self._sign("auditor", message)}

    def release(self, document: dict[str, Any]) -> dict[str, Any]:
        """Hand an order's bars over, once, and return the signed release.

        Raises `PermissionError` for an order that custody did not sign for this vault, `ValueError`
        for bars that are not there or weigh otherwise.
        """
        order = document_parse(ReleaseOrder, document)
        key, message = bytes.fromhex(self._state["custody_key"]), self._order_message(order)
        signed = signature_verify(key, bytes.fromhex(order.signature), message)
        if order.vault != self._state["vault"] or not signed:
            raise PermissionError(f"order {order.order_id} is not custody's to this vault")
        if known := self._state["releases"].get(order.order_id):
            return dict(known)
        bars = [self._state["bars"].get(name) for name in order.bars]
        if any(bar is None or bar["released_by"] or bar["asset"] != order.asset for bar in bars):
            raise ValueError(f"not all bars of order {order.order_id} are on the shelf")
        if sum(bar["fine_units"] for bar in bars) != order.fine_units:
            raise ValueError(f"the bars of order {order.order_id} weigh otherwise")
        for bar in bars:
            bar["released_by"] = order.order_id
        release: dict[str, Any] = {
            "release_id": f"{order.vault}-{uuid4()}",
            "vault": order.vault,
            "withdrawal": order.order_id,
            "asset": order.asset,
            "bars": list(order.bars),
            "fine_units": order.fine_units,
            "pickup": order.pickup,
            "released_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        message = evidence.release_message(self.instance, release)
        release["signature"] = self._sign("vault", message)
        self._state["releases"][order.order_id] = release
        self._keep()
        return release

    def shelf(self) -> dict[str, int]:
        """Return fine units on the shelf by asset."""
        found: dict[str, int] = {}
        for bar in self._state["bars"].values():
            if not bar["released_by"]:
                found[bar["asset"]] = found.get(bar["asset"], 0) + bar["fine_units"]
        return found

    def _order_message(self, order: ReleaseOrder) -> bytes:
        return document_message(self.instance, order)

    def _sign(self, role: str, message: bytes) -> str:
        return self._keys[role].sign(message).hex()

    def _keep(self) -> None:
        fresh = self._path.with_suffix(".new")
        with fresh.open("w") as file:
            json.dump(self._state, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._path)


def _name(bar: dict[str, Any]) -> str:
    return f"{bar['refiner']}/{bar['serial']}/{bar['year']:04}"


def _init(options: argparse.Namespace) -> Any:
    vault = Vault.found(options.folder, options.name, options.auditor, options.instance)
    return {role: vault.public_key(role) for role in ROLES}


def _trust(options: argparse.Namespace) -> Any:
    Vault(options.folder).trust(options.key)
    return {"custody_key": options.key.hex()}


def _store(options: argparse.Namespace) -> Any:
    bars = [_bar(text) for text in options.bar]
    vault = Vault(options.folder)
    return vault.store(account=options.account, asset=options.asset, bars=bars)


def _bar(text: str) -> dict[str, Any]:
    name, gross, fine, fineness = text.rsplit(":", 3)
    refiner, serial, year = name.split("/")
    return {
        "refiner": refiner,
        "serial": serial,
        "year": int(year),
        "gross_units": int(gross),
        "fine_units": int(fine),
        "fineness_ppm": int(fineness),
    }


def _audit(options: argparse.Namespace) -> Any:
    return Vault(options.folder).audit(_read(options.file))


def _release(options: argparse.Namespace) -> Any:
    vault = Vault(options.folder)
    return {"releases": [vault.release(order) for order in _read(options.file)["releases"]]}


def _shelf(options: argparse.Namespace) -> Any:
    return Vault(options.folder).shelf()


def _read(name: str) -> Any:
    with sys.stdin if name == "-" else open(name, encoding="utf-8") as file:
        return json.load(file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m custody.sandbox.vault", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where keys and books lie")
    commands = parser.add_subparsers(required=True)

    def command(name: str, run: Callable[[argparse.Namespace], Any], help: str) -> Any:
        added = commands.add_parser(name, help=help)
        added.set_defaults(run=run)
        return added

    init = command("init", _init, "found the vault; print the keys that custody admits")
    init.add_argument("--name", required=True)
    init.add_argument("--auditor", required=True, help="the auditor's name")
    init.add_argument("--instance", type=UUID, required=True, help="the exchange's UUID")
    trust = command("trust", _trust, "release what this key of custody signs")
    trust.add_argument("key", type=bytes.fromhex, help="32 bytes of Ed25519 in hex")
    store = command("store", _store, "take bars in; print the signed receipt")
    store.add_argument("--account", type=int, required=True)
    store.add_argument("--asset", required=True)
    store.add_argument(
        "--bar", action="append", required=True, metavar="REFINER/SERIAL/YEAR:GROSS:FINE:PPM"
    )
    audit = command("audit", _audit, "count a receipt's bars; print it with the signed count")
    audit.add_argument("file", help="a receipt, or - for standard input")
    release = command("release", _release, "hand bars over; print the signed releases")
    release.add_argument("file", help="from `manage.py release_orders_send`, or -")
    command("shelf", _shelf, "print fine units on the shelf by asset")
    return parser


def main() -> None:
    """Run one command; refusals end with status 1 and a sentence."""
    options = _parser().parse_args()
    try:
        print(json.dumps(options.run(options)))
    except (BodyRefused, KeyError, OSError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
