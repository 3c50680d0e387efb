"""Fee and VAT of bars that leave a vault: reckoned, taken with the debit, brought to revenue.

The member pays them in won together with the tokens. They move on chain once the burn is final, and
only then are they revenue in the engine; a withdrawal that comes back brings them back.
"""

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from compliance import calldata, intent_life
from compliance import selectors as compliance_selectors
from compliance.wake import wake
from custody import locks, selectors
from custody.catalogue import CASH
from custody.errors import NotYet
from custody.models import REVENUE, CustodyIntent, Withdrawal, WithdrawalCharge
from custody.services.crediting import engine_credit
from matching.client import engine
from matching.protocol.queries import GetInstruments, Instruments

BODY = "custody"
KIND = "charge"
CREDIT_TASK = "custody.charge_credit"
_PARTS_PER_MILLION = 1_000_000

State = WithdrawalCharge.State


def bar_charges(*, asset: int, amount_units: int, destination: str) -> tuple[int, int]:
    """Return fee and VAT of a withdrawal of bars, in base units of KRW.

    A fee for each bar, and VAT on the value withdrawn at the last price, rounded down to whole won:
    the member gains (KRX gold market). Raises `Invalid`, `NotFound`, `NotYet` before there is a
    price, `EngineUnavailable`.
    """
    won = 10**CASH.decimals
    names, _ = selectors.destination_parse(destination)
    bars = [selectors.bar_find(name) for name in names]
    vat = _value(asset, amount_units) * settings.CUSTODY_BAR_VAT_PPM // _PARTS_PER_MILLION
    return len(bars) * settings.CUSTODY_BAR_FEE_WON * won, vat - vat % won


def _value(asset: int, amount_units: int) -> int:
    """Return what units are worth in base units of KRW: at the last price, or mid-band."""
    reply = engine().ask(GetInstruments())
    assert isinstance(reply, Instruments)
    for one in reply.instruments:
        terms = one.definition
        middle = (terms.price_ticks_low + terms.price_ticks_high) // 2
        # Of the last trade, or of a base price set since: a split may lie between.
        ticks = one.reference_ticks if one.last_price_ticks else middle
        if (terms.base_asset, terms.quote_asset) == (asset, CASH.id) and ticks:
            quote_units = amount_units * ticks * terms.quote_units_per_tick_lot
            return quote_units // terms.base_units_per_lot
    raise NotYet(f"nothing says yet what asset {asset} is worth, so that VAT cannot be reckoned")


def charge_open(withdrawal: Withdrawal) -> None:
    """Keep, in the caller's transaction, that a withdrawal is charged. Raises `NotYet`."""
    if not selectors.charges_of(withdrawal):
        return
    if not selectors.account_get(REVENUE).ready:
        raise NotYet("the revenue account is not known to engine and chain yet")
    WithdrawalCharge.objects.create(withdrawal=withdrawal)


def charge_void(withdrawal: Withdrawal) -> None:
    """Note, in the caller's transaction, that nothing was charged or all is given back."""
    charge = WithdrawalCharge.objects.filter(withdrawal=withdrawal)
    charge.update(state=State.VOID, closed_at=timezone.now())


def charge_give_back(withdrawal: Withdrawal) -> None:
    """Credit the charges to the account again; once, however often. Raises `EngineUnavailable`."""
    for charge in selectors.charges_of(withdrawal):
        engine_credit(
            account=withdrawal.account_id,
            asset=charge.asset,
            amount_units=charge.amount_units,
            reference=f"{selectors.return_reference(withdrawal.pk)}:{charge.name}",
        )


def charge_move(withdrawal: Withdrawal) -> None:
    """Wish, in the caller's transaction, that charges of a final burn move to revenue on chain."""
    charge = WithdrawalCharge.objects.filter(withdrawal=withdrawal).first()
    if charge is None:
        return
    chain = compliance_selectors.chain_addresses_get(BODY)
    addresses = selectors.account_addresses([withdrawal.account_id, REVENUE])
    assert chain is not None
    units = selectors.charged_units(withdrawal)
    intent = CustodyIntent(
        id=selectors.charge_intent_id(withdrawal.pk),
        kind=KIND,
        target=chain.targets[f"token:{CASH.code}"],
        data=calldata.custody_transfer(addresses[withdrawal.account_id], addresses[REVENUE], units),
        subject={"account": withdrawal.account_id, "asset": CASH.id, "amount_units": units},
        account=withdrawal.account,
    )
    intent_life.intent_request(intent, body=BODY)
    charge.intent = intent
    charge.save(update_fields=["intent"])


def charge_moved(intent_id: UUID) -> None:
    """Note, in the caller's transaction, that the chain holds the transfer; wake the credit."""
    moved = WithdrawalCharge.objects.filter(intent_id=intent_id, state=State.DUE)
    if moved.update(state=State.MOVED, due_at=timezone.now(), attempts=0):
        wake(CREDIT_TASK, str(WithdrawalCharge.objects.get(intent_id=intent_id).pk))


def charge_credit(*, withdrawal_id: UUID) -> None:
    """Credit fee and VAT to revenue, each under its own reference; once, however often.

    Raises `NotFound`, `NotYet` before the transfer is final, `EngineUnavailable`, `Conflict`.
    """
    charge = selectors.charge_get(withdrawal_id)
    if charge.state == State.CREDITED:
        return
    if charge.state != State.MOVED:
        raise NotYet(f"the charge of withdrawal {withdrawal_id} is {charge.state}")
    for one in selectors.charges_of(charge.withdrawal):
        engine_credit(
            account=REVENUE,
            asset=one.asset,
            amount_units=one.amount_units,
            reference=selectors.charge_reference(withdrawal_id, one.name),
        )
    with transaction.atomic():
        locked = locks.charge_lock(withdrawal_id)
        locked.state, locked.closed_at = State.CREDITED, locked.closed_at or timezone.now()
        locked.save(update_fields=["state", "closed_at"])
