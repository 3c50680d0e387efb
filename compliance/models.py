"""Tables of identification, officers and the audit log."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person who signs in; what they may do hangs on an `Officer` or a member, never on this row."""
