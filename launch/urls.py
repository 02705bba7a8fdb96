"""URLs of the pages for a clinic's staff."""

from django.urls import path, register_converter

from launch.converters import ClinikoIdConverter
from launch.views import (
    access_log,
    button,
    card_numbers,
    cliniko_people,
    home,
    key,
    launch,
    notes,
    onboarding,
    patient,
    privacy,
    settings,
    sync,
)

register_converter(ClinikoIdConverter, "cliniko_id")

urlpatterns = [
    path("", home.home, name="home"),
    path("search", home.search, name="search"),
    path("patients", launch.launch, name="launch"),
    # The URL that Cliniko approved has no trailing slash, but people may type one.
    path("patients/", launch.launch, name="launch_with_slash"),
    path("patients/<cliniko_id:patient_id>/", patient.patient, name="patient"),
    path("patients/<cliniko_id:patient_id>/fresh", patient.fresh, name="patient_fresh"),
    path("patients/<cliniko_id:patient_id>/card-numbers", card_numbers.card_numbers, name="card_numbers"),
    path("patients/<cliniko_id:patient_id>/notes", notes.write, name="notes"),
    path("patients/<cliniko_id:patient_id>/notes/draft", notes.draft, name="note_draft"),
    path("patients/<cliniko_id:patient_id>/notes/<int:note_id>", notes.edit, name="note"),
    path("patients/<cliniko_id:patient_id>/notes/<int:note_id>/pin", notes.pin, name="note_pin"),
    path("patients/<cliniko_id:patient_id>/notes/<int:note_id>/delete", notes.delete, name="note_delete"),
    path("patients/<cliniko_id:patient_id>/notes/<int:note_id>/restore", notes.restore, name="note_restore"),
    path("patients/<cliniko_id:patient_id>/access", access_log.for_patient, name="patient_access"),
    path("patients/<cliniko_id:patient_id>/access/csv", access_log.patient_csv, name="patient_access_csv"),
    path("patients/<cliniko_id:patient_id>/access/pack", access_log.subject_access_file, name="subject_access"),
    path("welcome", onboarding.steps, name="onboarding"),
    path("welcome/import", onboarding.import_progress, name="onboarding_import"),
    path("welcome/later", onboarding.postpone, name="onboarding_postpone"),
    path("welcome/end", onboarding.finish, name="onboarding_finish"),
    path("welcome/again", onboarding.resume, name="onboarding_resume"),
    path("settings/", settings.settings, name="settings"),
    path("settings/key", key.key, name="key"),
    path("settings/sync", sync.sync, name="sync"),
    path("settings/sync/standing", sync.sync_status, name="sync_status"),
    path("settings/sync/now", sync.sync_now, name="sync_now"),
    path("settings/sync/compare", sync.sync_compare, name="sync_compare"),
    path("settings/sync/pause", sync.sync_pause, name="sync_pause"),
    path("settings/sync/resume", sync.sync_resume, name="sync_resume"),
    path("settings/button", button.button, name="button"),
    path("settings/button/heard", button.button_status, name="button_status"),
    path("settings/staff/from-cliniko", cliniko_people.people, name="staff_from_cliniko"),
    path("settings/staff/from-cliniko/invite", cliniko_people.invite, name="staff_from_cliniko_invite"),
    path("settings/card-numbers", settings.card_numbers, name="settings_card_numbers"),
    path("settings/privacy", privacy.privacy, name="privacy"),
    path("settings/privacy/fields/<slug:name>", privacy.fields, name="privacy_fields"),
    path("settings/privacy/periods", privacy.periods, name="privacy_periods"),
    path("settings/access", access_log.for_clinic, name="access"),
    path("settings/access/csv", access_log.clinic_csv, name="access_csv"),
]
