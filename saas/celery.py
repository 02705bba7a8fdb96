"""The Celery application: `celery -A saas worker` and `celery -A saas beat`."""

import gc
import os

import structlog
from celery import Celery
from celery.signals import setup_logging, task_failure, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saas.settings")

app = Celery("saas")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_django_logging(**_: object) -> None:
    """Stop Celery from configuring logging, which it does unless this signal has a receiver."""


@worker_process_init.connect
def freeze_loaded_modules(**_: object) -> None:
    """Exclude loaded modules from garbage collection, which runs often while pages of records come and go."""
    gc.freeze()


@task_failure.connect
def log_failure(sender: object, task_id: str, exception: BaseException, kwargs: dict[str, str], **_: object) -> None:
    """Log a failed task without its arguments or the error's text, which may quote a patient's record."""
    structlog.get_logger("saas.tasks").error(
        "task_failed",
        task=getattr(sender, "name", ""),
        task_id=task_id,
        schema_name=kwargs.get("schema_name"),
        exc_info=exception,
    )
