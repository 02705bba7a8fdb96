"""The addresses of what staff see."""

from django.urls import path, register_converter

from launch.ids import ClinikoIdConverter
from launch.views import card_numbers, home, launch, patient, settings

register_converter(ClinikoIdConverter, "cliniko_id")

urlpatterns = [
    path("", home.home, name="home"),
    path("search", home.search, name="search"),
    path("patients", launch.launch, name="launch"),
    # Cliniko's approved address has no slash at its end; people who type it may.
    path("patients/", launch.launch, name="launch_with_slash"),
    path("patients/<cliniko_id:patient_id>/", patient.patient, name="patient"),
    path("patients/<cliniko_id:patient_id>/fresh", patient.fresh, name="patient_fresh"),
    path("patients/<cliniko_id:patient_id>/card-numbers", card_numbers.card_numbers, name="card_numbers"),
    path("settings/", settings.settings, name="settings"),
    path("settings/mirror", settings.mirror, name="settings_mirror"),
    path("settings/card-numbers", settings.card_numbers, name="settings_card_numbers"),
]
