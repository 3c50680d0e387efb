"""Settings of money at banks."""

import os

# The bank with the segregated account, by the name of its evidence key; without one the first that
# was admitted, by name.
CUSTODY_CASH_BANK = os.environ.get("NEXUS_CUSTODY_CASH_BANK", "")
# What every virtual account of ours begins with: the range that the bank gave us. Members were told
# their numbers, so it never changes in an instance.
CUSTODY_VIRTUAL_ACCOUNT_PREFIX = os.environ.get("NEXUS_CUSTODY_VIRTUAL_ACCOUNT_PREFIX", "790")
