"""What the resources of sign-up and API keys take and give: decoding and OpenAPI alike."""

from typing import Annotated, Literal

import msgspec

from exchange.api.decoding import Strict
from exchange.api.times import Moment
from exchange.members.services import NETWORKS_MAX

ScopeName = Literal["read", "trade", "withdraw", "keys"]
ApplicationStateName = Literal["applied", "identified", "admitted", "refused"]
Label = Annotated[str, msgspec.Meta(max_length=64)]


class Apply(Strict, frozen=True):
    """An application for membership; `label` is how the member is called, by default the name."""

    legal_name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    kind: Literal["person", "organisation"]
    jurisdiction: Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$", examples=["KR"])]
    email: Annotated[str, msgspec.Meta(max_length=254, examples=["trader@example.com"])]
    label: Label = ""


class Application(msgspec.Struct, frozen=True):
    """How far an application is; `account` and its `address` on chain come with the admission."""

    application_id: str
    state: ApplicationStateName
    label: str
    account: str | None
    address: str | None
    key_collected: bool
    applied_at: str


class NewApplication(msgspec.Struct, frozen=True):
    """An application, and the secret that opens it: it is shown this once."""

    application: Application
    secret: str


class CreateKey(Strict, frozen=True):
    """A key to make: some of the scopes of the key in use, and from which networks it is good.

    `networks` are addresses or CIDR ranges, IPv4 or IPv6; none means from anywhere.
    """

    scopes: Annotated[list[ScopeName], msgspec.Meta(min_length=1, max_length=4)]
    label: Label = ""
    networks: Annotated[list[str], msgspec.Meta(max_length=NETWORKS_MAX)] = []
    expires_at: Moment | None = None


class ApiKey(msgspec.Struct, frozen=True):
    """An API key without its secret."""

    access_key: str
    scopes: list[ScopeName]
    label: str
    networks: list[str]
    created_at: str
    expires_at: str | None


class NewApiKey(msgspec.Struct, frozen=True):
    """An API key and its secret, which is shown this once."""

    api_key: ApiKey
    secret: str


class ApiKeys(msgspec.Struct, frozen=True):
    """All keys that are not revoked, newest first."""

    api_keys: list[ApiKey]


class RevokedKey(msgspec.Struct, frozen=True):
    """A key revoked for good; it is refused everywhere from a second after `revoked_at`."""

    access_key: str
    revoked_at: str
