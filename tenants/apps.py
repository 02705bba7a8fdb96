from celery.signals import task_postrun, worker_process_shutdown
from django.apps import AppConfig
from django.core.signals import request_finished


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = "Clinics"

    def ready(self) -> None:
        from tenants import checks, metrics  # noqa: F401 - registers the system checks

        request_finished.connect(metrics.flush_if_due)  # sent after the response
        task_postrun.connect(metrics.flush_if_due)
        worker_process_shutdown.connect(metrics.flush)
