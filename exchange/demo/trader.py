"""A trader's program: signs each request, sends it over HTTP, and times the answer."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from exchange.members.signing import request_sign

TIMEOUT_S = 30
BEHIND_ATTEMPTS = 20  # the door itself waits for the records each time
IDLE_S = 20  # below the door's keep-alive, so that no request meets a connection being closed


@dataclass(frozen=True)
class Answer:
    """What came back, and how long it took, in nanoseconds."""

    status: int
    document: dict[str, Any]
    elapsed_ns: int


@dataclass
class Trader:
    """One member's key and connection; `account` is the member's number in every book."""

    base_url: str
    label: str
    account: int
    access_key: str
    secret: str
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)
    _used_at: float = field(default=0.0, repr=False)

    def credentials(self) -> dict[str, Any]:
        """Return what a program of this member needs to sign requests."""
        return {
            "label": self.label,
            "account": self.account,
            "access_key": self.access_key,
            "secret": self.secret,
        }

    def order(self, **fields: Any) -> Answer:
        """Place an order."""
        return self.send("POST", "/v1/orders", fields)

    def amend(self, order_id: str, *, price: str, quantity: str) -> Answer:
        """Amend an order's price and open quantity, again when records were not yet written."""
        document = {"price": price, "quantity": quantity}
        for _ in range(BEHIND_ATTEMPTS):
            answer = self.send("PATCH", f"/v1/orders/{order_id}", document)
            if answer.document.get("code") != "projection_behind":
                break
        return answer

    def cancel(self, order_id: str) -> Answer:
        """Cancel an order."""
        return self.send("DELETE", f"/v1/orders/{order_id}")

    def cancel_all(self) -> Answer:
        """Cancel every open order."""
        return self.send("DELETE", "/v1/orders")

    def send(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        nonce: str | None = None,
    ) -> Answer:
        """Sign and send one request; signing is not part of the time measured."""
        body = json.dumps(document).encode() if document is not None else b""
        encoded = urlencode(query or {})
        header = request_sign(
            self.access_key, self.secret, method, path, encoded, body, nonce=nonce
        )
        headers = {"Authorization": header}
        if body:
            headers["Content-Type"] = "application/json"
        target = f"{path}?{encoded}" if encoded else path
        connection = self._connect()
        started = time.perf_counter_ns()
        connection.request(method, target, body or None, headers)
        response = connection.getresponse()
        content = response.read()
        elapsed_ns = time.perf_counter_ns() - started
        return Answer(response.status, json.loads(content), elapsed_ns)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        if time.monotonic() > self._used_at + IDLE_S:
            self.close()
        self._used_at = time.monotonic()
        if self._connection is None:
            address = urlsplit(self.base_url)
            assert address.hostname is not None
            self._connection = http.client.HTTPConnection(
                address.hostname, address.port, timeout=TIMEOUT_S
            )
        return self._connection
