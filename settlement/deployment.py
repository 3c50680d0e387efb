"""Puts the instance's contracts on the chain and tells every body where they stand.

May be run at every start: what stands is left alone, what a crash cut short is carried on.
"""

from typing import cast

from django.conf import settings
from django.db import transaction

from compliance import policy
from compliance.errors import Conflict, NotYet
from compliance.selectors import signer_addresses
from compliance.services import chain_addresses_set
from custody import selectors as custody_selectors
from custody import services as custody_services
from settlement import lanes
from settlement.chain import client, deploy, lane, purse
from settlement.chain.blueprint import Kind
from settlement.errors import InstanceDiffers, LaneUnavailable
from settlement.models import Deployment, Lane
from settlement.sight import chain_observe

BODIES: tuple[deploy.Body, ...] = ("venue", "clearing", "custody", "compliance")


def chain_deploy() -> Deployment:
    """Deploy, fill the lanes' purses, write the addresses down; the same again changes nothing.

    Raises `NotYet` without signers' keys or assets, `InstanceDiffers` when the database speaks of
    another instance or chain, `LaneUnavailable` without ether, `DeploymentError`.
    """
    node = lanes.node()
    _same_instance_check(client.chain_id(node))
    signers = signer_addresses()
    if missing := [body for body in BODIES if body not in signers]:
        raise NotYet(f"no signer key of {missing}: run `manage.py signer_init`")
    assets = custody_selectors.assets_by_id()
    if not assets:
        raise NotYet("no asset is registered: lists of tokens are sealed at deployment")
    stands = deploy.deploy(
        node,
        instance=settings.INSTANCE_ID,
        lane_key=lanes.master_key(),
        signers={body: signers[body] for body in BODIES},
        assets=[
            deploy.AssetTerms(asset.code, asset.name, cast(Kind, asset.kind), asset.decimals)
            for asset in assets.values()
        ],
        unwind_timeout_s=settings.SETTLEMENT_UNWIND_TIMEOUT_S,
    )
    tokens = {asset.pk: stands.tokens[asset.code] for asset in assets.values()}
    _lanes_fill()
    found = _written_down(stands, tokens)
    policy.attestor_trust("custody", signers["clearing"])
    _bodies_tell(stands, tokens, attestor=signers["custody"])
    chain_observe()
    return found


def _same_instance_check(chain_id: int) -> None:
    found = Deployment.objects.first()
    if found is None:
        return
    if (found.instance, found.chain_id) != (settings.INSTANCE_ID, chain_id):
        raise InstanceDiffers(
            f"the database is of instance {found.instance} on chain {found.chain_id}, "
            f"this process of instance {settings.INSTANCE_ID} on chain {chain_id}"
        )


def _lanes_fill() -> None:
    """Create the lanes and give each the ether it runs short of."""
    node, key = lanes.node(), lanes.master_key()
    for name in lanes.NAMES:
        address = lane.lane_address(lanes.lane_key(name))
        row, _ = Lane.objects.get_or_create(
            name=name,
            defaults={
                "address": address,
                "next_nonce": client.nonce_read(node, address, "latest"),
            },
        )
        if row.address != address:
            raise Conflict(f"lane {name} is {row.address}, the lane key gives {address}")
        missing = settings.SETTLEMENT_LANE_FUNDS_WEI - purse.purse_read(node, address)
        if missing > settings.SETTLEMENT_LANE_FUNDS_WEI // 2:
            try:
                purse.purse_fill(node, key, address, missing)
            except ValueError as error:
                raise LaneUnavailable(str(error)) from error


@transaction.atomic
def _written_down(stands: deploy.Deployment, tokens: dict[int, str]) -> Deployment:
    fields = {
        "instance": stands.instance,
        "chain_id": stands.chain_id,
        "settlement": stands.settlement,
        "account_registry": stands.account_registry,
        "identity_registry": stands.identity_registry,
        "suspense": stands.suspense,
        "guarantee_fund": stands.guarantee_fund,
        "authorities": dict(stands.authorities),
        "tokens": {str(asset): address for asset, address in tokens.items()},
    }
    found, created = Deployment.objects.get_or_create(
        id=1, defaults={**fields, "block_number": stands.block_number}
    )
    if not created and (differing := [k for k, v in fields.items() if getattr(found, k) != v]):
        raise Conflict(f"the chain holds other contracts than were written down: {differing}")
    return found


def _bodies_tell(stands: deploy.Deployment, tokens: dict[int, str], *, attestor: str) -> None:
    """Write addresses into every body's records and pin them in its signer's policy."""
    batch_targets = {
        "settlement": stands.settlement,
        "venue_authority": stands.authorities["venue"],
        **{f"token:{asset}": address for asset, address in tokens.items()},
    }
    targets: dict[deploy.Body, dict[str, str]] = {
        "compliance": {"identity_registry": stands.identity_registry},
        "clearing": batch_targets,
        "venue": batch_targets,
    }
    for body, named in targets.items():
        policy.attestor_trust(body, attestor)
        chain_addresses_set(
            body=body,
            authority=stands.authorities[body],
            targets=named,
            chain_id=stands.chain_id,
            clearing_id=stands.clearing_id,
        )
    custody_services.chain_addresses_set(
        authority=stands.authorities["custody"],
        account_registry=stands.account_registry,
        tokens=tokens,
        chain_id=stands.chain_id,
        clearing_id=stands.clearing_id,
        suspense=stands.suspense,
        guarantee=stands.guarantee_fund,
    )
