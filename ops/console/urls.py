"""URLs below /ops/: the console, and operators' sign-in and account."""

from django.urls import path

from accounts.urls import sign_in_urls
from ops.console import actions, audit_log, break_glass, clinic, clinic_list

urlpatterns = [
    *sign_in_urls,
    path("", clinic_list.clinics, name="home"),
    path("log", audit_log.activity, name="console_activity"),
    path("new", clinic.new, name="clinic_new"),
    path("do/<slug:name>", actions.confirm, name="console_action"),
    path("clinics/<slug:label>/", clinic.clinic, name="clinic"),
    path("clinics/<slug:label>/invite", clinic.invite, name="clinic_invite"),
    path("clinics/<slug:label>/look", break_glass.begin, name="break_glass"),
    path("clinics/<slug:label>/look/end", break_glass.end, name="break_glass_end"),
    path("clinics/<slug:label>/kept", break_glass.records, name="unreadable_records"),
    path("clinics/<slug:label>/kept/<int:pk>", break_glass.open_record, name="unreadable_record"),
]
