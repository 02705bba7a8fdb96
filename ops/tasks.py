"""What ops have done by the clock."""

from celery import shared_task

from ops import life
from tenants.models import Clinic


@shared_task(name="ops.remind_closing")
def remind_closing() -> None:
    """Remind the owners of clinics that close soon. A lost message costs a day at most: the next one makes it up."""
    for clinic in Clinic.objects.working().filter(state=Clinic.State.CLOSING):
        life.remind(clinic)
