"""What the embedded stack refuses or fails with; every message names what to do."""


class StackError(Exception):
    """Say that an instance cannot start, stop or be used as asked."""
