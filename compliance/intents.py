"""The intent: a signed wish of a body below, carried out on chain by the clearing house.

What lives here is the abstract table, shared by compliance and custody; its life stands in
`intent_life`. What must not: what a body signs and why (its signer's), how transactions are sent.
"""

import uuid
from dataclasses import dataclass

from django.db import models
from django.utils import timezone


class IntentState(models.TextChoices):
    """`awaiting`: officers must decide first; `failed`: given up; `void`: nobody wants it now."""

    REQUESTED = "requested"
    AWAITING = "awaiting"
    SIGNED = "signed"
    SUBMITTED = "submitted"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    VOID = "void"


UNSIGNED = (IntentState.REQUESTED, IntentState.AWAITING)


class ChainIntent(models.Model):
    """One call of a body's `Authority`; its id, left-padded to 32 bytes, is the id on chain.

    `data` is the full calldata for `target`; `deadline` is in Unix seconds and set by the signer
    with the 65-byte signature.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=32)
    target = models.CharField(max_length=42)
    data = models.BinaryField()
    deadline = models.BigIntegerField(default=0)
    signature = models.BinaryField(null=True)
    state = models.CharField(
        max_length=16, choices=IntentState.choices, default=IntentState.REQUESTED
    )
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    subject = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        indexes = [models.Index(fields=["state", "due_at"])]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["requested", "awaiting", "failed", "void"])
                | models.Q(signature__isnull=False, deadline__gt=0),
                name="%(app_label)s_%(class)s_signed",
            )
        ]

    @property
    def chain_id_bytes(self) -> bytes:
        """Return the id as the `Authority` knows it: 32 bytes."""
        return self.id.bytes.rjust(32, b"\0")


@dataclass(frozen=True)
class ExecutableIntent:
    """A signed intent as the clearing house carries it to the body's `authority`."""

    id: uuid.UUID
    body: str
    kind: str
    authority: str
    target: str
    data: bytes
    id_bytes: bytes
    deadline: int
    signature: bytes
