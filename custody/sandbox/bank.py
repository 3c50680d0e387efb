"""A bank for development, with a key and books of its own: `python -m custody.sandbox.bank`.

It shares nothing with the exchange but the shapes of signed documents; it reads and writes JSON and
loads no Django. What must not live here: anything that custody believes without a signature.
"""

import argparse
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from compliance.acts import signature_verify
from compliance.errors import BodyRefused
from custody.cash_documents import (
    BankBalance,
    DepositNotice,
    Document,
    Payment,
    PaymentAnswer,
    document_message,
    document_parse,
)

TABLES = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE movement (
    name TEXT PRIMARY KEY, currency TEXT NOT NULL, amount INTEGER NOT NULL, document TEXT NOT NULL
) STRICT;
CREATE TABLE closed_account (name TEXT PRIMARY KEY) STRICT;
"""


class Bank:
    """The bank whose books and key lie in a folder; every answer is kept before it is given."""

    def __init__(self, folder: Path) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(
            bytes.fromhex((folder / "bank.key").read_text())
        )
        self._books = sqlite3.connect(folder / "bank.sqlite", isolation_level=None)
        settings = dict(self._books.execute("SELECT name, value FROM setting").fetchall())
        self.name: str = settings["name"]
        self.instance = UUID(settings["instance"])
        self.custody_key = bytes.fromhex(settings.get("custody_key", ""))

    @classmethod
    def found(cls, folder: Path, name: str, instance: UUID) -> "Bank":
        """Found a bank in a folder that has none. Raises `FileExistsError`."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(os.open(folder / "bank.key", flags, 0o600), "w") as file:
            file.write(Ed25519PrivateKey.generate().private_bytes_raw().hex())
        with closing(sqlite3.connect(folder / "bank.sqlite")) as books, books:
            books.executescript(TABLES)
            settings = [("name", name), ("instance", str(instance))]
            books.executemany("INSERT INTO setting VALUES (?, ?)", settings)
        return cls(folder)

    @property
    def public_key(self) -> str:
        """The key by which custody knows this bank, in hex."""
        return self._key.public_key().public_bytes_raw().hex()

    def trust(self, custody_key: bytes) -> None:
        """Pay from now on what this key of custody signs."""
        self._books.execute(
            "INSERT OR REPLACE INTO setting VALUES ('custody_key', ?)", [custody_key.hex()]
        )
        self.custody_key = custody_key

    def account_close(self, name: str) -> None:
        """Let payments to an account `bank:number` fail from now on."""
        self._books.execute("INSERT OR IGNORE INTO closed_account VALUES (?)", [name])

    def deposit(self, *, number: str, payer: str, source: str, currency: str, amount: int) -> str:
        """Take in money for a virtual account; return the signed notice as JSON."""
        source_bank, _, source_number = source.partition(":")
        notice = DepositNotice(
            notice_id=f"{self.name}-{uuid4()}",
            bank=self.name,
            virtual_account=number,
            depositor_name=payer,
            source_bank=source_bank,
            source_number=source_number,
            currency=currency,
            amount=amount,
            booked_at=_now(),
        )
        document = self._signed(notice)
        self._book(f"deposit:{notice.notice_id}", currency, amount, document)
        return document

    def pay(self, document: dict[str, Any]) -> str:
        """Pay an order of custody, or reject it, once; return the signed answer as JSON.

        Raises `PermissionError` for an order that custody did not sign for this bank.
        """
        order = document_parse(Payment, document)
        message, signature = document_message(self.instance, order), bytes.fromhex(order.signature)
        if order.bank != self.name or not signature_verify(self.custody_key, signature, message):
            raise PermissionError(f"order {order.order_id} is not custody's to {self.name}")
        known = self._books.execute(
            "SELECT document FROM movement WHERE name = ?", [f"payment:{order.order_id}"]
        ).fetchone()
        if known:
            return str(known[0])
        reason = self._refusal(order)
        answer = PaymentAnswer(
            order_id=order.order_id,
            bank=self.name,
            outcome="rejected" if reason else "paid",
            reason=reason,
            currency=order.currency,
            amount=order.amount,
            booked_at=_now(),
        )
        answered, paid = self._signed(answer), 0 if reason else order.amount
        self._book(f"payment:{order.order_id}", order.currency, -paid, answered)
        return answered

    def balance(self, currency: str) -> str:
        """Return a signed statement of the segregated account as JSON."""
        amount = self._balance(currency)
        return self._signed(
            BankBalance(bank=self.name, currency=currency, amount=amount, booked_at=_now())
        )

    def _refusal(self, order: Payment) -> str:
        target = f"{order.to_bank}:{order.to_number}"
        if self._books.execute("SELECT 1 FROM closed_account WHERE name = ?", [target]).fetchone():
            return "account closed"
        return "insufficient funds" if order.amount > self._balance(order.currency) else ""

    def _balance(self, currency: str) -> int:
        rows = self._books.execute(
            "SELECT coalesce(sum(amount), 0) FROM movement WHERE currency = ?", [currency]
        )
        return int(rows.fetchone()[0])

    def _book(self, name: str, currency: str, amount: int, document: str) -> None:
        self._books.execute(
            "INSERT INTO movement VALUES (?, ?, ?, ?)", [name, currency, amount, document]
        )

    def _signed(self, document: Document) -> str:
        signature = self._key.sign(document_message(self.instance, document)).hex()
        return msgspec.json.encode(msgspec.structs.replace(document, signature=signature)).decode()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _init(options: argparse.Namespace) -> str:
    bank = Bank.found(options.folder, options.name, options.instance)
    return json.dumps({"name": bank.name, "public_key": bank.public_key})


def _trust(options: argparse.Namespace) -> str:
    Bank(options.folder).trust(options.key)
    return json.dumps({"custody_key": options.key.hex()})


def _close(options: argparse.Namespace) -> str:
    Bank(options.folder).account_close(options.account)
    return json.dumps({"closed": options.account})


def _deposit(options: argparse.Namespace) -> str:
    return Bank(options.folder).deposit(
        number=options.to,
        payer=options.payer,
        source=options.source,
        currency=options.currency,
        amount=options.amount,
    )


def _pay(options: argparse.Namespace) -> str:
    bank = Bank(options.folder)
    with sys.stdin if options.file == "-" else open(options.file, encoding="utf-8") as file:
        orders = json.load(file)["payments"]
    return '{"answers": [' + ", ".join(bank.pay(order) for order in orders) + "]}"


def _balance(options: argparse.Namespace) -> str:
    return Bank(options.folder).balance(options.currency)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m custody.sandbox.bank", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where key and books lie")
    commands = parser.add_subparsers(required=True)

    def command(name: str, run: Callable[[argparse.Namespace], str], help: str) -> Any:
        added = commands.add_parser(name, help=help)
        added.set_defaults(run=run)
        return added

    init = command("init", _init, "found the bank; print the public key that custody admits")
    init.add_argument("--name", required=True)
    init.add_argument("--instance", type=UUID, required=True, help="the exchange's UUID")
    trust = command("trust", _trust, "pay what this key of custody signs")
    trust.add_argument("key", type=bytes.fromhex, help="32 bytes of Ed25519 in hex")
    close = command("close", _close, "let payments to an account fail")
    close.add_argument("account", metavar="BANK:NUMBER")
    deposit = command("deposit", _deposit, "take in money; print the signed notice")
    deposit.add_argument("--to", required=True, help="a virtual account")
    deposit.add_argument("--payer", required=True, help="the payer's name")
    deposit.add_argument("--source", default="kb:000-0000", metavar="BANK:NUMBER")
    deposit.add_argument("--currency", default="KRW")
    deposit.add_argument("--amount", type=int, required=True, help="whole units")
    pay = command("pay", _pay, "pay custody's orders; print the signed answers")
    pay.add_argument("file", help="from `manage.py payment_orders_send`, or - for standard input")
    balance = command("balance", _balance, "print a signed statement of the segregated account")
    balance.add_argument("--currency", default="KRW")
    return parser


def main() -> None:
    """Run one command; refusals end with status 1 and a sentence."""
    options = _parser().parse_args()
    try:
        print(options.run(options))
    except (BodyRefused, OSError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
