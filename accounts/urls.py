"""The addresses of sign-in, invitations and staff, on a clinic's host."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
