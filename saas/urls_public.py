"""URLs of the base host."""

from django.urls import include, path

urlpatterns = [
    path("", include("tenants.urls")),
    path("", include("ops.urls")),
    path("ops/", include("ops.console.urls")),
]

handler429 = "accounts.views.sign_in.too_many_attempts"  # used by allauth's rate limits
handler500 = "tenants.views.server_error"
