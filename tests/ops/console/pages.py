"""Helpers of the console's tests."""

from typing import Any

from audit.models import Event
from tenants.context import clinic_context


def text(response: Any) -> str:
    return str(response.content.decode())


def access_events(label: str) -> list[tuple[str, int | None, str, dict[str, Any]]]:
    with clinic_context(label):
        return [(e.action, e.user_id, e.user_email, e.details) for e in Event.objects.order_by("pk")]
