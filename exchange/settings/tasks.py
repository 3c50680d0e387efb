"""Settings of Celery. The work stands in PostgreSQL; a lost message costs one sweep, never work."""

import os

_redis_url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")

# Celery's name for a Unix socket's URL differs from the client's; a broker needs no database of
# its own, since its keys carry the instance's identity: two hosts may use one name.
CELERY_BROKER_URL = (
    "redis+socket://" + _redis_url.removeprefix("unix://").partition("?")[0]
    if _redis_url.startswith("unix://")
    else _redis_url
)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": f"celery:{os.environ.get('NEXUS_INSTANCE_ID', 'none')}:",
    "visibility_timeout": 3600,
    "socket_connect_timeout": 1,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# What never asks the chain stands in a line of its own, with a worker of its own: a node that hangs
# may hold up clearing and custody, not the market's phases.
CELERY_TASK_ROUTES = {
    "compliance.*": {"queue": "venue"},
    "venue.*": {"queue": "venue"},
}
# Every body's sweeper, whatever was woken or lost; a sweep that waited too long is left out. The
# number is the seconds between two.
SWEEPS = {
    "compliance.sweep": 2.0,
    "custody.revenue_sweep": 600.0,
    "custody.sweep": 2.0,
    "settlement.chain_observe": 2.0,
    "settlement.deposits_find": 2.0,
    "settlement.intents_execute": 1.0,
    "settlement.reconcile": 60.0,
    "settlement.sweep": 1.0,
    "venue.applications_admit": 2.0,
    "venue.fee_tiers_set": 60.0,
    "venue.phases_schedule": 1.0,
    "venue.sessions_store": 300.0,
    "venue.sweep": 2.0,
}
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    name: {"task": name, "schedule": seconds, "options": {"expires": max(5.0, seconds)}}
    for name, seconds in SWEEPS.items()
}
