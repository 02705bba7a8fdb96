"""The addresses on the base host."""

from django.urls import include, path

urlpatterns = [
    path("", include("tenants.urls")),
    path("", include("ops.urls")),
]

handler500 = "tenants.views.server_error"
