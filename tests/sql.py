"""What a request or a call asked the database."""

from django.test.utils import CaptureQueriesContext


def questions(captured: CaptureQueriesContext) -> list[str]:
    """The statements, without those that only choose the schema: a server before PostgreSQL 18 is told it each time."""
    return [each["sql"] for each in captured.captured_queries if not each["sql"].startswith("SET search_path")]
