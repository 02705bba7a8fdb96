"""What the doors tell rooms above them."""

from typing import Literal

from django.dispatch import Signal

Astray = Literal["two_levels", "former_name"]

# A browser came to a host that is almost a clinic's: of a level too many, www.bondi.sidechart.example, or of a name
# that the clinic had before. Sent inside that clinic with the `request` and `how`; the answer is the same whatever
# receivers do.
came_astray = Signal()
