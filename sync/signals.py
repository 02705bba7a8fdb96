"""What the mirror tells rooms above it."""

from django.dispatch import Signal

# Cliniko does not accept the clinic's key any more. Sent inside the clinic, once for a key; a receiver that raises is
# asked again an hour later.
key_refused = Signal()

# The clinic moved to another Cliniko account: what was kept under the first one's ids means other people from now on.
# Sent inside the clinic and inside the transaction; a receiver that raises keeps the new key from being stored.
account_changed = Signal()

# The clinic chose to keep some fields no longer, and they are gone here. Sent inside the clinic and inside the
# transaction.
fields_excluded = Signal()
