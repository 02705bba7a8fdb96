"""What tests of the console read."""

from typing import Any

from audit.models import Event
from tenants.context import clinic_context


def text(answer: Any) -> str:
    return str(answer.content.decode())


def lines_of(label: str) -> list[tuple[str, int | None, str, dict[str, Any]]]:
    with clinic_context(label):
        return [(e.action, e.user_id, e.user_email, e.details) for e in Event.objects.order_by("pk")]
