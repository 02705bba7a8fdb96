from django.urls import path

from exports import views

urlpatterns = [
    path("settings/export", views.page, name="export"),
    path("settings/export/progress", views.progress, name="export_progress"),
    path("settings/export/ask", views.request_export, name="export_request"),
    path("settings/export/<int:export_id>/download", views.download, name="export_download"),
]
