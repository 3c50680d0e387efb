"""Identify the party of an application by two officers and admit it; prints its account.

What Celery would carry on is called directly, as in prepare.py.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.exchange.prepare import Officers  # isort: skip  (sets Django up)

from compliance import services as compliance
from custody import services as custody
from exchange.members import services as members
from exchange.members.models import Application
from matching.protocol.units import InstrumentClass


def main(application_id: str) -> None:
    party = Application.objects.select_related("party").get(pk=application_id).party
    with TemporaryDirectory() as folder:
        act = Officers("compliance", Path(folder)).act(
            "compliance.identify", holder=party.holder, classes=int(InstrumentClass.METAL)
        )
    compliance.act_execute(act_id=act)
    compliance.eligibility_apply(party_id=party.pk)
    members.applications_admit()
    member = Application.objects.get(pk=application_id).member
    assert member is not None
    custody.account_prepare(number=member.account_id)
    print(member.account_id)


if __name__ == "__main__":
    main(sys.argv[1])
