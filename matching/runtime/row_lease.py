"""The lease as a row of PostgreSQL, for engines on several hosts: it runs out unless renewed.

The holder counts its term by its own monotonic clock from before it asked, PostgreSQL from after:
the holder's ends first, also when the process was stopped meanwhile.
"""

import threading
import uuid
from time import monotonic
from typing import Any

import psycopg

from matching.runtime.lease import LeaseHeld, LeaseLost, LeaseUnreachable, Standing

TERM_S = 1.0
RENEWED_EVERY_S = 0.25
TIMEOUT_MS = 500

_TABLE = """
CREATE TABLE IF NOT EXISTS engine_lease (
    instance uuid PRIMARY KEY,
    epoch bigint NOT NULL,
    holders text[],
    holder uuid,
    expires_at timestamptz NOT NULL DEFAULT clock_timestamp()
)"""
_ROW = """
INSERT INTO engine_lease (instance, epoch, holders) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"""
_READ = """
SELECT epoch, holders, expires_at > clock_timestamp() FROM engine_lease WHERE instance = %s"""
_TAKE = """
UPDATE engine_lease SET epoch = %s, holders = %s, holder = %s,
    expires_at = clock_timestamp() + %s * interval '1 second'
WHERE instance = %s"""
_MINE = " WHERE instance = %s AND holder = %s AND expires_at > clock_timestamp()"
_RENEW = "UPDATE engine_lease SET expires_at = clock_timestamp() + %s * interval '1 second'" + _MINE
_RECORD = "UPDATE engine_lease SET holders = %s" + _MINE
_RELEASE = "UPDATE engine_lease SET expires_at = clock_timestamp()" + _MINE


class RowLease:
    """One process' lease; a thread renews it several times a term."""

    def __init__(self, url: str, instance: str, node: str, before: Standing) -> None:
        self.node = node
        self.epoch = 0
        self._url = url
        self._instance = instance
        self._before = before
        self._holder = uuid.uuid4()
        self._until = 0.0
        self._released = threading.Event()
        self._connection: psycopg.Connection[Any] | None = None

    def take(self) -> None:
        """Take a row whose term has ended. Raises `LeaseHeld`, also unreached, `NotInSync`."""
        asked_at = monotonic()
        try:
            connection = self._connected()
            with connection.transaction():
                epoch, holders, held = self._read(connection, " FOR UPDATE")
                if held:
                    raise LeaseHeld(f"instance {self._instance} is led under epoch {epoch}")
                found = Standing(epoch, None if holders is None else tuple(holders))
                standing = found.taken_by(self.node)
                values = (standing.epoch, list(standing.holders or ()), self._holder, TERM_S)
                connection.execute(_TAKE, (*values, self._instance))
        except psycopg.Error as error:
            self._disconnect()
            raise LeaseHeld(f"the lease cannot be reached: {error}") from error
        self.epoch = standing.epoch
        self._until = asked_at + TERM_S
        threading.Thread(target=self._renew, name="lease", daemon=True).start()

    def standing(self) -> Standing:
        """Return what is on record. Raises `LeaseUnreachable`."""
        try:
            epoch, holders, _ = self._read(self._connected(), "")
        except psycopg.Error as error:
            self._disconnect()
            raise LeaseUnreachable(f"the lease cannot be reached: {error}") from error
        return Standing(epoch, None if holders is None else tuple(holders))

    def record(self, holders: tuple[str, ...]) -> None:
        """Write the holders while the term lasts. Raises `LeaseLost`, also unreached."""
        try:
            mine = (self._instance, self._holder)
            if self._connected().execute(_RECORD, (list(holders), *mine)).rowcount == 1:
                return
        except psycopg.Error as error:
            raise LeaseLost(f"the lease cannot be reached: {error}") from error
        raise LeaseLost(f"the lease of epoch {self.epoch} ran out: another may lead")

    def valid(self) -> bool:
        """Tell whether the term lasts."""
        return monotonic() < self._until

    def release(self) -> None:
        """End the term now."""
        self._until = 0.0
        self._released.set()
        try:
            self._connected().execute(_RELEASE, (self._instance, self._holder))
        except psycopg.Error:
            self._disconnect()  # it runs out

    def _renew(self) -> None:
        """Extend the term until it is released or lost, over a connection of this thread's own."""
        connection: psycopg.Connection[Any] | None = None
        while not self._released.wait(RENEWED_EVERY_S) and self.valid():
            asked_at = monotonic()
            try:
                connection = connection or self._connect()
                mine = (self._instance, self._holder)
                renewed = connection.execute(_RENEW, (TERM_S, *mine)).rowcount == 1
                if renewed and not self._released.is_set():
                    self._until = asked_at + TERM_S
            except psycopg.Error:
                connection = None
        if connection is not None:
            connection.close()

    def _read(self, connection: psycopg.Connection[Any], lock: str) -> Any:
        row = connection.execute(_READ + lock, (self._instance,)).fetchone()
        assert row is not None, "the row is made when the connection is"
        return row

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            connection = self._connect()
            connection.execute(_TABLE)
            before = self._before.holders
            holders = None if before is None else list(before)
            connection.execute(_ROW, (self._instance, self._before.epoch, holders))
            self._connection = connection
        return self._connection

    def _connect(self) -> psycopg.Connection[Any]:
        options = f"-c statement_timeout={TIMEOUT_MS}"
        return psycopg.connect(self._url, autocommit=True, connect_timeout=2, options=options)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
