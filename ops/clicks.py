"""Launches of the clinic we are inside of. The room `launch` is unknown here: its table is named, and not imported."""

from datetime import datetime
from typing import Any

from django.apps import apps
from django.db.models import Max, Sum

LAUNCHES = ("click", "signed_out")  # of the kinds in launch.button


def latest_launch() -> datetime | None:
    """When the button in Cliniko was last clicked; patients are opened from the search, too."""
    latest: datetime | None = _launches().aggregate(Max("at"))["at__max"]
    return latest


def launches() -> int:
    """How many clicks on the button have been noted in all."""
    return _launches().aggregate(Sum("times"))["times__sum"] or 0


def _launches() -> Any:
    return apps.get_model("launch", "ButtonClick")._default_manager.filter(kind__in=LAUNCHES)
