"""Middleware that sets the clinic of a request in the compared setups."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from tenants.database import connection
from tenants.models import Clinic

GetResponse = Callable[[HttpRequest], HttpResponse]


class OneClinic:
    """Set the only clinic, known from the start."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response
        self.clinic = Clinic(schema_name=connection.schema_name, label="bench", name="Bench")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        connection.tenant = self.clinic
        request.clinic = self.clinic  # type: ignore[attr-defined] # the name our views use
        return self.get_response(request)


class TenantIsClinic:
    """Set request.clinic to the tenant that django-tenants' middleware found."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.clinic = request.tenant  # type: ignore[attr-defined] # the name our views use
        return self.get_response(request)
