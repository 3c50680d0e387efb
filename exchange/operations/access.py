"""Who may see the inside: whoever is on this host, or holds the operator's token."""

import hmac
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def operator_admitted(request: HttpRequest) -> bool:
    """Tell whether the request comes from this host itself, or carries the token.

    A request that a proxy of this host passed on is somebody else's.
    """
    token, sent = settings.OPERATOR_TOKEN, request.META.get("HTTP_AUTHORIZATION", "")
    if token and hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        return True
    if "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META:
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
