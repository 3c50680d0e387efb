"""Settings of the door's budgets, and of the proxies in front of it. The figures are our choice.

A budget is (requests, seconds, burst): so many requests in so many seconds in the long run, and at
most `burst` at once. `NEXUS_RATE_ORDER=100,1,500` in the environment replaces that of orders.
"""

import os

Figures = tuple[int, int, int]


def _figures(name: str, default: Figures) -> Figures:
    given = os.environ.get(f"NEXUS_RATE_{name.upper()}")
    if given is None:
        return default
    requests, seconds, burst = map(int, given.split(","))
    return requests, seconds, burst


# Of a member, each on its own: cancels pass when orders do not. Of an address: what is public. Keys
# are kept for a day, an order's in 750 bytes: a member holds 20,000 of them at the most, 15 MB.
RATE_BUDGETS: dict[str, Figures] = {
    name: _figures(name, figures)
    for name, figures in {
        "order": (100, 1, 500),
        "cancel": (200, 1, 1_000),
        "read": (100, 1, 500),
        "write": (10, 1, 200),
        "public": (100, 1, 1_000),
        "sign_up": (1, 60, 30),
        "idempotency": (10_000, 86_400, 10_000),
    }.items()
}
# How many proxies of ours stand before the door; each appends the address it heard from to
# X-Forwarded-For. With none the header is somebody's word and not read.
TRUSTED_PROXIES = int(os.environ.get("NEXUS_TRUSTED_PROXIES", "0"))
