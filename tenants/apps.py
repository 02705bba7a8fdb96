from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = "Clinics"

    def ready(self) -> None:
        from django.core.signals import request_finished

        from tenants import checks, metrics  # noqa: F401 - registers the system checks

        request_finished.connect(metrics.flush_if_due)  # sent after the response
