from django.urls import path

from tenants import views

urlpatterns = [
    path("", views.landing, name="landing"),
    path("find-clinic", views.find_clinic, name="find_clinic"),
]
