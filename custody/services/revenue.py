"""The venue's revenue leaves the house daily: debit, burn, payment to the venue's own bank account.

A sweep is a withdrawal of the revenue account, so it passes every check that members' pass.
"""

from datetime import date

from custody import selectors
from custody.catalogue import CASH
from custody.models import REVENUE, BankAccount, Withdrawal
from custody.services.withdrawals import withdrawal_request
from matching.client import engine
from matching.protocol.queries import Balances, GetBalances


def revenue_sweep(*, day: date) -> Withdrawal | None:
    """Withdraw the whole won of the revenue account, once for a trade date.

    None while there is less than a won, or no bank account of the venue's own is registered; the
    fraction stays, and so does VAT. Raises as `withdrawal_request`, and `EngineUnavailable`.
    """
    reply = engine().ask(GetBalances(REVENUE))
    assert isinstance(reply, Balances)
    available = sum(one.available_units for one in reply.balances if one.asset == CASH.id)
    return _sweep(f"sweep:{day.isoformat()}", available - selectors.vat_kept())


def vat_sweep(*, day: date) -> Withdrawal | None:
    """Withdraw the VAT that withdrawals brought in, once for a trade date; as `revenue_sweep`."""
    return _sweep(f"vat:{day.isoformat()}", selectors.vat_unswept())


def _sweep(reference: str, owned_units: int) -> Withdrawal | None:
    known = selectors.withdrawals_of(REVENUE).filter(client_reference=reference).first()
    target = BankAccount.objects.filter(account_id=REVENUE).order_by("-id").first()
    if known is not None or target is None:
        return known
    units = owned_units - owned_units % 10**CASH.decimals
    if units <= 0:
        return None
    return withdrawal_request(
        account=REVENUE,
        asset=CASH.id,
        amount_units=units,
        kind=Withdrawal.Kind.CASH,
        destination=f"{target.bank}:{target.number}",
        client_reference=reference,
        actor="process:custody",
    )
