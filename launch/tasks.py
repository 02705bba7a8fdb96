"""Scheduled tasks of the clinic's own data."""

from celery import shared_task

from launch import drafts
from tenants.context import for_every_clinic


@shared_task(name="launch.delete_expired_drafts")
def delete_expired_drafts() -> None:
    """Delete expired drafts in every active clinic. A lost message delays this by a day."""
    for_every_clinic(drafts.delete_expired)
