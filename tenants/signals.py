"""Signals sent to apps that the sender may not import."""

from datetime import datetime
from typing import Literal, NamedTuple, cast

from django.dispatch import Signal

Misdirection = Literal["two_levels", "former_name"]

# A request reached a host that is almost a clinic's: one level too many (www.bondi.sidechart.example) or a former name.
# Sent inside that clinic with `request` and `how`. Receivers can't change the response.
misdirected = Signal()


class LaunchTotals(NamedTuple):
    """Launches counted in the current clinic since its button was set up."""

    launches: int
    latest_at: datetime | None


# Sent inside a clinic. The app that records launches returns LaunchTotals.
launch_totals_requested = Signal()


def launch_totals() -> LaunchTotals:
    """Return the current clinic's launch totals."""
    ((_, totals),) = cast("list[tuple[object, LaunchTotals]]", launch_totals_requested.send(sender=LaunchTotals))
    return totals
