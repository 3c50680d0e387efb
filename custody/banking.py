"""Names and numbers at banks: pure rules, no database.

A virtual account's number follows from the account's, so that custody's signer need not believe a
row to know whose it is.
"""

import unicodedata

from django.conf import settings

ACCOUNT_DIGITS = 10


def name_key(name: str) -> str:
    """Return what must be equal in two spellings of a name: letters and digits, without case.

    Banks cut, space and capitalise names each in their own way.
    """
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in plain if character.isalnum())


def virtual_account_number(account: int) -> str:
    """Return the number under which the bank takes in money for an account.

    Prefix of the bank's range, the account in ten digits, and a check digit (ISO/IEC 7812-1), so
    that no single wrong digit and no swap of neighbours names somebody else but 09 for 90.
    """
    body = f"{settings.CUSTODY_VIRTUAL_ACCOUNT_PREFIX}{account:0{ACCOUNT_DIGITS}d}"
    return body + _check_digit(body)


def _check_digit(body: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    return str(-total % 10)
