"""Settings of money at banks, and of what withdrawals cost."""

import os

# The bank with the segregated account, by the name of its evidence key; without one the first that
# was admitted, by name.
CUSTODY_CASH_BANK = os.environ.get("NEXUS_CUSTODY_CASH_BANK", "")
# What every virtual account of ours begins with: the range that the bank gave us. Members were told
# their numbers, so it never changes in an instance.
CUSTODY_VIRTUAL_ACCOUNT_PREFIX = os.environ.get("NEXUS_CUSTODY_VIRTUAL_ACCOUNT_PREFIX", "790")
# What one payment into a virtual account brings at least, in whole won; officers decide on less.
# The figure is ours; what passes at most without them is the limit of the day (`limit_set`).
CUSTODY_DEPOSIT_MIN_WON = max(1, int(os.environ.get("NEXUS_CUSTODY_DEPOSIT_MIN_WON", "1000")))
# What whole bars cost to withdraw, as at the KRX gold market: won a bar, and VAT on the value.
CUSTODY_BAR_FEE_WON = int(os.environ.get("NEXUS_CUSTODY_BAR_FEE_WON", "22000"))
CUSTODY_BAR_VAT_PPM = int(os.environ.get("NEXUS_CUSTODY_BAR_VAT_PPM", "100000"))
