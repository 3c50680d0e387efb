"""The member's API keys."""

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api.addresses import network_within
from exchange.api.decoding import NoQuery, body_decode, query_decode
from exchange.api.errors import DoorCode, Problem
from exchange.api.schema import documented
from exchange.api.times import moment_format
from exchange.members import models, selectors, services
from exchange.members.api import shapes
from exchange.members.api.views import MemberView
from exchange.members.scopes import Scope


class ApiKeysView(MemberView):
    """All keys of the member."""

    scopes = {"GET": Scope.READ, "POST": Scope.KEYS}

    @documented("list_api_keys", "List API keys, without secrets", answer=shapes.ApiKeys)
    def get(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        return Response(
            shapes.ApiKeys([key_show(key) for key in selectors.api_keys(account=self.account)])
        )

    @documented(
        "create_api_key",
        "Make an API key that may do no more than the key in use, from no more networks, no longer",
        body=shapes.CreateKey,
        answer=shapes.NewApiKey,
        status=201,
    )
    def post(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        body = body_decode(request, shapes.CreateKey)
        used = self.principal
        beyond = set(body.scopes) - used.scopes
        if beyond:
            raise Problem(
                DoorCode.SCOPE_MISSING, f"this key lacks the scopes {', '.join(sorted(beyond))}"
            )
        networks = body.networks or list(used.networks)
        if used.networks and not all(network_within(each, used.networks) for each in networks):
            raise Problem(
                DoorCode.SCOPE_MISSING, f"this key is bound to {', '.join(used.networks)}"
            )
        expires_at = body.expires_at or used.expires_at
        if used.expires_at and expires_at and expires_at > used.expires_at:
            expiry = moment_format(used.expires_at)
            raise Problem(DoorCode.SCOPE_MISSING, f"this key expires at {expiry}")
        key, secret = services.api_key_create(
            account=self.account,
            scopes=body.scopes,
            actor=f"api_key:{used.access_key}",
            label=body.label,
            networks=networks,
            expires_at=expires_at,
        )
        return Response(shapes.NewApiKey(key_show(key), secret), status=201)


class ApiKeyView(MemberView):
    """One key of the member."""

    scopes = {"DELETE": Scope.KEYS}

    @documented("revoke_api_key", "Revoke an API key for good", answer=shapes.RevokedKey)
    def delete(self, request: Request, access_key: str) -> Response:
        query_decode(request, NoQuery)
        own = selectors.api_key_get(account=self.account, access_key=access_key)
        key = services.api_key_revoke(
            access_key=own.access_key, actor=f"api_key:{self.principal.access_key}"
        )
        assert key.revoked_at is not None
        return Response(shapes.RevokedKey(key.access_key, moment_format(key.revoked_at)))


def key_show(key: models.ApiKey) -> shapes.ApiKey:
    """Return a key as its member reads it."""
    return shapes.ApiKey(
        access_key=key.access_key,
        scopes=key.scopes,  # type: ignore[arg-type]  # the database holds them to these
        label=key.label,
        networks=key.networks,
        created_at=moment_format(key.created_at),
        expires_at=moment_format(key.expires_at) if key.expires_at else None,
    )
