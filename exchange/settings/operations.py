"""Settings of health and metrics: who must be alive, what may lag, who may look."""

import os

# Names of the processes that must be alive; all of the table when the environment says nothing.
HEALTH_PROCESSES = tuple(filter(None, os.environ.get("NEXUS_PROCESSES", "").split(","))) or None
# Whether a standby must hold every batch, where the environment names no processes.
HEALTH_STANDBY = bool(os.environ.get("NEXUS_STANDBY"))
# How long something may wait before /health names it, in seconds.
HEALTH_LAG_MAX_S = int(os.environ.get("NEXUS_HEALTH_LAG_MAX_S", "30"))
HEALTH_SWEEP_MAX_S = int(os.environ.get("NEXUS_HEALTH_SWEEP_MAX_S", "60"))
HEALTH_BLOCK_MAX_S = int(os.environ.get("NEXUS_HEALTH_BLOCK_MAX_S", "60"))
HEALTH_UNSETTLED_MAX_S = int(os.environ.get("NEXUS_HEALTH_UNSETTLED_MAX_S", "900"))
# Lets a monitor on another host read /health and /metrics; without it only this host may.
OPERATOR_TOKEN = os.environ.get("NEXUS_OPERATOR_TOKEN", "")
