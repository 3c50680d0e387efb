"""Refusals of the bodies: a stable code and a message that says what to do; no faults here."""


class BodyRefused(Exception):
    """A body refused a request; `code` never changes its meaning, the message is for people."""

    code = "refused"


class NotFound(BodyRefused):
    code = "not_found"


class Invalid(BodyRefused):
    """The request itself is malformed or out of bounds."""

    code = "invalid"


class Forbidden(BodyRefused):
    """The person or body may not do this."""

    code = "forbidden"


class SignatureInvalid(BodyRefused):
    code = "signature_invalid"


class Conflict(BodyRefused):
    """The record stands otherwise than the request assumes (state, version, other content)."""

    code = "conflict"


class Untrusted(BodyRefused):
    """A signer found no trusted evidence or approval behind what it was asked to sign."""

    code = "untrusted"


class OfficersAwaited(Untrusted):
    """Nothing is wrong, but only two officers may let it pass: it waits for their decision."""


class NotYet(BodyRefused):
    """Something must happen first; the same request succeeds later."""

    code = "not_yet"
