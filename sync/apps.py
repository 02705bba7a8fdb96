from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "sync"
    verbose_name = "Mirror"
    clinic_only = True  # checked by tenants.checks
