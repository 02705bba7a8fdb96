"""URLs of a clinic's host."""

from django.urls import include, path

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("ops.urls")),
    path("", include("exports.urls")),
    path("", include("launch.urls")),
]

handler404 = "launch.views.button.not_found"
handler429 = "accounts.views.sign_in.too_many_attempts"  # used by allauth's rate limits
handler500 = "tenants.views.server_error"
