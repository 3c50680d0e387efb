"""How processes of the project are told ready and well: by what they answer."""

import json
import socket
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any

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


def health_read(url: str) -> Any:
    """Return what the door reports at /health as parsed JSON, or None when it does not answer."""
    try:
        with _direct.open(f"{url}/health", timeout=TIMEOUT_S) as response:
            return json.load(response)
    except urllib.error.HTTPError as refused:
        return json.load(refused) if refused.code == HTTPStatus.SERVICE_UNAVAILABLE else None
    except (urllib.error.URLError, OSError):
        return None


def web_answers(url: str) -> bool:
    """Tell whether the REST door tells the time."""
    try:
        with _direct.open(f"{url}/v1/time", timeout=TIMEOUT_S) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
