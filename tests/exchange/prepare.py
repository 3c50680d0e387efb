"""Prepare an exchange for tests of its doors, inside one process of the instance; prints JSON.

Members come the real way, by acts of two officers each; only what Celery would carry on is called
directly, and no chain is needed.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import django

django.setup()

from decimal import Decimal

from django.utils import timezone

from compliance import officer_keys
from compliance import services as compliance
from custody import services as custody
from exchange.listings import services as listings
from exchange.listings.calendars import continuous_phase
from exchange.listings.defaults import SEGMENTS, default_listings
from exchange.members import services as members
from exchange.members.models import ApiKey, Member
from matching.protocol.units import InstrumentClass

ACTOR = "process:tests"
BASE_PRICES = {"XAU-KRW": Decimal(100_000), "XAG-KRW": Decimal(1_000)}


class Officers:
    """Two officers of a body."""

    def __init__(self, body: str, folder: Path) -> None:
        self.body = body
        self.keys = [folder / f"{body}-{uuid4().hex}" for _ in (1, 2)]
        self.officers = [
            compliance.officer_create(
                username=key.name,
                body=body,
                public_key=officer_keys.key_create(key),
                actor=ACTOR,
            )
            for key in self.keys
        ]

    def act(self, kind: str, **payload: Any) -> Any:
        """Have an act proposed by one and approved by the other; return its id."""
        act_id, reason = uuid4(), "test"
        draft = compliance.act_draft(kind=kind, payload=payload)
        signatures = [
            officer_keys.act_sign(
                key, act_id=act_id, body=self.body, kind=kind, payload=draft, reason=reason
            )
            for key in self.keys
        ]
        compliance.act_propose(
            officer=self.officers[0],
            kind=kind,
            payload=draft,
            reason=reason,
            signature=signatures[0],
            act_id=act_id,
        )
        compliance.act_approve(act_id=act_id, officer=self.officers[1], signature=signatures[1])
        return act_id


def market_prepare(venue: Officers) -> None:
    custody.assets_register()
    custody.account_prepare(number=2)
    for listing in default_listings(BASE_PRICES):
        listings.instrument_list(listing=listing, actor=ACTOR)
        phase = int(continuous_phase(listing.calendar))
        act = venue.act("venue.set_phase", instrument=listing.id, phase=phase)
        listings.act_execute(act_id=act)
    for segment in SEGMENTS:
        listings.segment_list(listing=segment, actor=ACTOR)


def member_prepare(officers: Officers, number: int) -> dict[str, Any]:
    party = compliance.party_apply(
        legal_name=f"Member {number}", kind="organisation", jurisdiction="KR", actor=ACTOR
    )
    act = officers.act(
        "compliance.identify", holder=party.holder, classes=int(InstrumentClass.METAL)
    )
    compliance.act_execute(act_id=act)
    compliance.eligibility_apply(party_id=party.pk)
    member = members.member_admit(holder=party.holder, label=f"m{number}", actor=ACTOR)
    custody.account_prepare(number=member.account_id)
    return {"holder": party.holder, **key_prepare(member.account_id, ["read", "trade"])}


def key_prepare(account: int, scopes: list[str], **options: Any) -> dict[str, Any]:
    key, secret = members.api_key_create(account=account, scopes=scopes, actor=ACTOR, **options)
    return {"account": account, "access_key": key.access_key, "secret": secret}


def keys_prepare(account: int) -> dict[str, dict[str, Any]]:
    """Make one key of each kind that is refused somewhere."""
    keys = {
        "reading": key_prepare(account, ["read"]),
        "trading": key_prepare(account, ["trade"]),
        "every": key_prepare(account, ["read", "trade", "withdraw", "keys"]),
        "keys": key_prepare(account, ["read", "trade", "keys"]),
        "revoked": key_prepare(account, ["read", "trade"]),
        "expired": key_prepare(account, ["read"]),
    }
    expired = ApiKey.objects.filter(access_key=keys["expired"]["access_key"])
    expired.update(expires_at=timezone.now() - timedelta(seconds=1))
    members.api_key_revoke(access_key=keys["revoked"]["access_key"], actor=ACTOR)
    return keys


def main(count: int) -> None:
    with TemporaryDirectory() as folder:
        market_prepare(Officers("venue", Path(folder)))
        officers = Officers("compliance", Path(folder))
        prepared = [member_prepare(officers, number) for number in range(count)]
        suspended = member_prepare(officers, count)
        Member.objects.filter(account_id=suspended["account"]).update(state="suspended")
        keys = {**keys_prepare(prepared[0]["account"]), "suspended": suspended}
        print(json.dumps({"members": prepared[1:], "keys": keys}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
