"""Start and stop what a laptop lacks, PostgreSQL, Valkey, an EVM node, and our own processes.

    with Stack("name", processes=("engine", "web")) as stack:
        stack.manage("migrate")

What must not live here: Django, and any rule of the exchange.
"""

from exchange.stack.errors import StackError
from exchange.stack.instance import Instance
from exchange.stack.stack import Stack, instance_erase

__all__ = ["Instance", "Stack", "StackError", "instance_erase"]
