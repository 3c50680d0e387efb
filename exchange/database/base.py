"""The backend of `settings.DATABASES`: Django's own, but for how it tells a dead connection.

Django asks `SELECT 1` at the beginning of each request, half of what a request costs that asks the
database once. A server that went away has said so on the socket: that an idle connection has
something to read is enough to know.
"""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """Return whether the connection is open and nothing waits to be read on it."""
        connection = self.connection
        if connection is None or connection.closed:
            return False
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0)
