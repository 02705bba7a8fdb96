"""The doors of the peers: how their requests come to know the clinic."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from tenants.database import connection
from tenants.models import Clinic

GetResponse = Callable[[HttpRequest], HttpResponse]


class OneClinic:
    """There is one clinic, known from the start."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response
        self.clinic = Clinic(schema_name=connection.schema_name, label="bench", name="Bench")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        connection.tenant = self.clinic
        request.clinic = self.clinic  # type: ignore[attr-defined] # as our door names it
        return self.get_response(request)


class TenantIsClinic:
    """What django-tenants' middleware found, under the name that our pages know it by."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.clinic = request.tenant  # type: ignore[attr-defined] # likewise
        return self.get_response(request)
