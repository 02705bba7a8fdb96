"""The addresses below /ops/: the console, and the sign-in of ops."""

from django.urls import path

from accounts.urls import own_sign_in
from ops.console import actions, clinic, listing, logbook, looking

urlpatterns = [
    *own_sign_in,
    path("", listing.clinics, name="home"),
    path("log", logbook.log, name="ops_log"),
    path("new", clinic.new, name="clinic_new"),
    path("do/<slug:name>", actions.act, name="act"),
    path("clinics/<slug:label>/", clinic.clinic, name="clinic"),
    path("clinics/<slug:label>/invite", clinic.invite, name="clinic_invite"),
    path("clinics/<slug:label>/look", looking.begin, name="look"),
    path("clinics/<slug:label>/look/end", looking.end, name="look_end"),
    path("clinics/<slug:label>/kept", looking.looked, name="looked"),
    path("clinics/<slug:label>/kept/<int:kept_id>", looking.open_one, name="look_open"),
]
