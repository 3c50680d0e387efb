"""Sign-up: an application, how far it is, and the first API key of who was admitted."""

from typing import Any
from uuid import UUID

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api.addresses import client_address_whole
from exchange.api.budgets import Budget
from exchange.api.decoding import NoQuery, body_decode, query_decode
from exchange.api.errors import DoorCode, Problem
from exchange.api.schema import documented
from exchange.api.times import moment_format
from exchange.api.views import PublicView
from exchange.members import models, selectors, services
from exchange.members.api import shapes
from exchange.members.api.keys import key_show


class ApplicationSecret(BaseAuthentication):
    """Names the scheme to the OpenAPI document."""


class MembersView(PublicView):
    """Where membership is applied for."""

    budgets = {"POST": Budget.SIGN_UP}

    @documented(
        "apply",
        "Apply for membership",
        body=shapes.Apply,
        answer=shapes.NewApplication,
        status=201,
    )
    def post(self, request: Request) -> Response:
        query_decode(request, NoQuery)
        body = body_decode(request, shapes.Apply)
        application, secret = services.application_submit(
            legal_name=body.legal_name,
            kind=body.kind,
            jurisdiction=body.jurisdiction,
            email=body.email,
            label=body.label,
            actor=f"address:{client_address_whole(request.META)}",
        )
        return Response(
            shapes.NewApplication(_show(application), secret),
            status=201,
            headers={"Location": f"/v1/members/applications/{application.pk}"},
        )


class ApplicationView(PublicView):
    """An application, for whom its secret is known to."""

    authentication_classes = (ApplicationSecret,)

    @documented("get_application", "Get how far an application is", answer=shapes.Application)
    def get(self, request: Request, application_id: UUID) -> Response:
        query_decode(request, NoQuery)
        application = selectors.application_get(
            application_id=application_id, secret=_secret(request)
        )
        return Response(_show(application))


class FirstKeyView(PublicView):
    """The first API key of a member."""

    authentication_classes = (ApplicationSecret,)
    budgets = {"POST": Budget.PUBLIC}

    @documented(
        "collect_first_api_key",
        "Make the first API key of a member, once",
        body=shapes.CreateKey,
        answer=shapes.NewApiKey,
        status=201,
    )
    def post(self, request: Request, application_id: UUID) -> Response:
        query_decode(request, NoQuery)
        secret = _secret(request)
        body = body_decode(request, shapes.CreateKey)
        key, key_secret = services.first_key_collect(
            application_id=application_id,
            secret=secret,
            scopes=body.scopes,
            label=body.label,
            networks=body.networks,
            expires_at=body.expires_at,
        )
        return Response(shapes.NewApiKey(key_show(key), key_secret), status=201)


def _secret(request: Request) -> str:
    scheme, _, secret = str(request.META.get("HTTP_AUTHORIZATION", "")).partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise Problem(
            DoorCode.AUTHENTICATION_MISSING, "send Authorization: Bearer <application secret>"
        )
    return secret.strip()


def _show(application: models.Application) -> shapes.Application:
    """Return an application as its sender reads it."""
    party, member = application.party, application.member
    state: shapes.ApplicationStateName = "applied"
    if member is not None and member.account.engine_sequence is not None:
        state = "admitted"
    elif party.state in (party.State.RESTRICTED, party.State.CLOSED):
        state = "refused"
    elif party.state == party.State.IDENTIFIED:
        state = "identified"
    return shapes.Application(
        application_id=str(application.pk),
        state=state,
        label=application.label,
        account=str(member.account_id) if member else None,
        address=member.account.address if member else None,
        key_collected=application.first_key_id is not None,
        applied_at=moment_format(application.applied_at),
    )


class ApplicationSecretScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes `ApplicationSecret`."""

    target_class = ApplicationSecret
    name = "applicationSecret"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the scheme object."""
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The secret that came with the application.",
        }
