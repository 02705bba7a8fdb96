"""The addresses below /ops/: the console, and the sign-in of ops."""

from django.urls import path

from accounts.urls import own_sign_in
from ops.console import actions, audit_log, break_glass, clinic, clinic_list

urlpatterns = [
    *own_sign_in,
    path("", clinic_list.clinics, name="home"),
    path("log", audit_log.log, name="ops_log"),
    path("new", clinic.new, name="clinic_new"),
    path("do/<slug:name>", actions.act, name="act"),
    path("clinics/<slug:label>/", clinic.clinic, name="clinic"),
    path("clinics/<slug:label>/invite", clinic.invite, name="clinic_invite"),
    path("clinics/<slug:label>/look", break_glass.begin, name="look"),
    path("clinics/<slug:label>/look/end", break_glass.end, name="look_end"),
    path("clinics/<slug:label>/kept", break_glass.looked, name="looked"),
    path("clinics/<slug:label>/kept/<int:kept_id>", break_glass.open_one, name="look_open"),
]
