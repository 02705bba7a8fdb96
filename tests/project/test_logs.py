"""Logs contain the clinic and the request id."""

from collections.abc import Callable

import pytest
from django.test import Client

from saas.celery import log_failure


def events(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, object]]:
    messages = (record.msg for record in caplog.records)
    return [message for message in messages if isinstance(message, dict) and message.get("event") == name]


def test_a_request_is_logged_with_its_clinic_and_id(
    clinic_client: Callable[[str], Client], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        response = clinic_client("bondi").get("/login")
    (line,) = events(caplog, "request")
    assert (line["clinic"], line["route"], line["status"]) == ("bondi", "login", 200)
    assert line["request_id"] == response["X-Request-ID"]


def test_a_failed_task_is_logged_with_its_clinics_schema(caplog: pytest.LogCaptureFixture) -> None:
    log_failure(sender=None, task_id="1", exception=ValueError("Ada"), kwargs={"schema_name": "clinic_00"})
    (line,) = events(caplog, "task_failed")
    assert line["schema_name"] == "clinic_00"
