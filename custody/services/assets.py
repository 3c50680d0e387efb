"""Assets: registered once, their terms never change."""

import re

from django.db import IntegrityError, transaction

from compliance.services import audit_append
from custody.catalogue import ASSETS
from custody.errors import Conflict, Invalid
from custody.models import Asset

CODE_PATTERN = re.compile(r"[A-Z0-9.-]{1,12}")


def assets_register() -> None:
    """Register the catalogue's assets; again changes nothing. Raises as `asset_register`."""
    for terms in ASSETS:
        asset_register(
            asset_id=terms.id,
            code=terms.code,
            name=terms.name,
            kind=terms.kind,
            decimals=terms.decimals,
        )


@transaction.atomic
def asset_register(*, asset_id: int, code: str, name: str, kind: str, decimals: int) -> Asset:
    """Register an asset; the same again returns it.

    Raises `Invalid`, `Conflict` when number or code stand for other terms.
    """
    if not CODE_PATTERN.fullmatch(code) or kind not in Asset.Kind.values:
        raise Invalid(f"asset {code!r} of kind {kind!r}: expected {CODE_PATTERN.pattern}")
    if not 0 < asset_id < 2**15 or not 0 <= decimals <= 18:
        raise Invalid(f"asset number {asset_id} or decimals {decimals} are out of bounds")
    known = Asset.objects.filter(pk=asset_id).first()
    if known is not None:
        if (known.code, known.kind, known.decimals) != (code, kind, decimals):
            raise Conflict(f"asset {asset_id} is {known.code}, {known.kind}, {known.decimals}")
        return known
    try:
        with transaction.atomic():
            asset = Asset.objects.create(
                id=asset_id, code=code, name=name, kind=kind, decimals=decimals
            )
    except IntegrityError as error:
        raise Conflict(f"asset code {code} is taken") from error
    audit_append(
        body="custody",
        actor="process:custody",
        action="asset.registered",
        subject=f"asset:{asset_id}",
        detail={"code": code, "kind": kind, "decimals": decimals},
    )
    return asset
