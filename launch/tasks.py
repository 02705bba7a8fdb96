"""What happens to staff's own words in the background."""

from celery import shared_task

from launch import drafts
from tenants.context import for_every_clinic


@shared_task(name="launch.forget_drafts")
def forget_drafts() -> None:
    """Delete drafts that nobody came back to for a week, in every working clinic. A lost message costs a day."""
    for_every_clinic(drafts.forget_old)
