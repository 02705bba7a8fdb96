"""What the mirror tells rooms above it."""

from django.dispatch import Signal

# Cliniko does not accept the clinic's key any more. Sent inside the clinic, once for a key; a receiver that raises is
# asked again an hour later.
key_refused = Signal()
