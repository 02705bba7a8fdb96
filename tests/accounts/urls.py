"""A clinic's URLs, with stand-ins for pages of the packages above accounts."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

from accounts.roles import Permission, permission_required


def home(request: HttpRequest) -> HttpResponse:
    return render(request, "base.html")


@permission_required(Permission.VIEW_PATIENTS)
def patient(request: HttpRequest, cliniko_id: str = "") -> HttpResponse:
    return HttpResponse(f"patient {cliniko_id or request.GET['patient_id']}")


@permission_required(Permission.MANAGE_KEY)
def key(request: HttpRequest) -> HttpResponse:
    return HttpResponse("key page")


urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("ops.urls")),
    path("", home, name="home"),
    path("search", home, name="search"),
    path("welcome", home, name="onboarding"),
    path("settings/", home, name="settings"),
    path("settings/staff/from-cliniko", home, name="staff_from_cliniko"),
    path("settings/key/", key, name="key"),
    *(path(f"settings/{name}", home, name=name) for name in ("sync", "button", "privacy", "access", "export")),
    path("patients", patient, name="launch"),
    path("patients/<str:cliniko_id>/", patient, name="patient"),
]

handler429 = "accounts.views.sign_in.too_many_attempts"
