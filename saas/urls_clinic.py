"""The addresses on a clinic's host."""

from django.urls import include, path

from saas.health import healthz, readyz

urlpatterns = [
    path("", include("accounts.urls")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]

handler429 = "accounts.views.too_many_tries"  # asked for by allauth's rate limits
