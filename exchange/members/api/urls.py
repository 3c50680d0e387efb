"""Routes of sign-up and API keys."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from exchange.members.api import applications, keys


class AccessKeyConverter(StringConverter):
    regex = "NX[0-9a-f]{30}"


register_converter(AccessKeyConverter, "access_key")

urlpatterns = [
    path("members", applications.MembersView.as_view()),
    path("members/applications/<uuid:application_id>", applications.ApplicationView.as_view()),
    path("members/applications/<uuid:application_id>/key", applications.FirstKeyView.as_view()),
    path("api-keys", keys.ApiKeysView.as_view()),
    path("api-keys/<access_key:access_key>", keys.ApiKeyView.as_view()),
]
