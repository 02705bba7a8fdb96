"""The Celery application: `celery -A saas worker` and `celery -A saas beat`."""

import gc
import os

from celery import Celery
from celery.signals import setup_logging, task_failure, task_postrun, worker_process_init, worker_process_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saas.settings")

app = Celery("saas")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: object) -> None:
    """Celery leaves logging alone once this signal has a receiver; Django's LOGGING stands."""


@worker_process_init.connect
def keep_what_is_loaded(**_: object) -> None:
    """Modules stay: they are not to be searched for garbage again and again while pages of records come and go."""
    gc.freeze()


@task_postrun.connect
def write_tallies(**_: object) -> None:
    from tenants import metrics

    metrics.flush_when_due()


@worker_process_shutdown.connect
def write_last_tallies(**_: object) -> None:
    from tenants import metrics

    metrics.flush()


@task_failure.connect
def log_failure(sender: object, task_id: str, exception: BaseException, kwargs: dict[str, str], **_: object) -> None:
    """One line for a failed task, without its arguments and without the error's text, which may quote a record."""
    import structlog

    structlog.get_logger("saas.tasks").error(
        "task_failed",
        task=getattr(sender, "name", ""),
        task_id=task_id,
        schema_name=kwargs.get("schema_name"),
        exc_info=exception,
    )
