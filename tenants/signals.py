"""What the doors tell rooms above them."""

from django.dispatch import Signal

# A browser came to a host two levels below the base domain whose last label is a clinic's: www.bondi.sidechart.example.
# Sent inside that clinic with the `request`; the answer is the neutral page, whatever receivers do.
came_astray = Signal()
