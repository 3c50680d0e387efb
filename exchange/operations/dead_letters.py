"""The dead letters of all bodies together."""

from compliance import dead_letters as compliance
from custody import dead_letters as custody
from exchange.members import dead_letters as members
from exchange.trading import dead_letters as trading
from settlement import dead_letters as settlement

QUEUES = (
    *members.QUEUES,
    *trading.QUEUES,
    *settlement.QUEUES,
    *custody.QUEUES,
    *compliance.QUEUES,
)
