"""How a process of the project is told ready: by what it answers, not by having been started."""

import socket
import urllib.error
import urllib.request
from pathlib import Path

TIMEOUT_S = 5
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy


def engine_answers(path: Path) -> bool:
    """Tell whether the engine accepts connections, which it does once its journal is replayed."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(TIMEOUT_S)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def web_answers(url: str) -> bool:
    """Tell whether the REST door tells the time."""
    try:
        with _direct.open(f"{url}/v1/time", timeout=TIMEOUT_S) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
