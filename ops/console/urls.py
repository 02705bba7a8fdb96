"""The addresses below /ops/: the console, and the sign-in of ops."""

from django.urls import path

from accounts.urls import own_sign_in
from ops.console import actions, clinic, listing, logbook

urlpatterns = [
    *own_sign_in,
    path("", listing.clinics, name="home"),
    path("log", logbook.log, name="ops_log"),
    path("new", clinic.new, name="clinic_new"),
    path("do/<slug:name>", actions.act, name="act"),
    path("clinics/<slug:label>/", clinic.clinic, name="clinic"),
    path("clinics/<slug:label>/invite", clinic.invite, name="clinic_invite"),
]
