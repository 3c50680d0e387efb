"""Tables of the depository, cut by noun; no decisions here."""

from custody.models.accounts import (
    GUARANTEE,
    MEMBER_ACCOUNT_MIN,
    OUTSIDE,
    REVENUE,
    SUSPENSE,
    Account,
    Asset,
)
from custody.models.cash import (
    BankAccount,
    BankBalance,
    CashDeposit,
    PaymentOrder,
    VirtualAccount,
)
from custody.models.evidence import (
    BankNotice,
    EvidenceKey,
    RegistrarNotice,
    VaultBar,
    VaultReceipt,
)
from custody.models.issuance import (
    CustodyIntent,
    Issuance,
)
from custody.models.ledger import (
    Entry,
    LedgerInstrument,
    LedgerPosition,
    Posting,
)
from custody.models.withdrawals import (
    AutomaticLimit,
    BarReservation,
    ReleaseDue,
    TokenDeposit,
    VaultRelease,
    Withdrawal,
    WithdrawalCharge,
    WithdrawalHalt,
)

__all__ = [
    "GUARANTEE",
    "MEMBER_ACCOUNT_MIN",
    "OUTSIDE",
    "REVENUE",
    "SUSPENSE",
    "Account",
    "Asset",
    "AutomaticLimit",
    "BankAccount",
    "BankBalance",
    "BankNotice",
    "BarReservation",
    "CashDeposit",
    "CustodyIntent",
    "Entry",
    "EvidenceKey",
    "Issuance",
    "LedgerInstrument",
    "LedgerPosition",
    "PaymentOrder",
    "Posting",
    "RegistrarNotice",
    "ReleaseDue",
    "TokenDeposit",
    "VaultBar",
    "VaultReceipt",
    "VaultRelease",
    "VirtualAccount",
    "Withdrawal",
    "WithdrawalCharge",
    "WithdrawalHalt",
]
