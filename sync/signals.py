"""Signals for packages that sync must not import."""

from django.dispatch import Signal

# Cliniko rejects the clinic's key. Sent inside the clinic, once per key. If a receiver raises, the signal is sent again
# an hour later.
key_refused = Signal()

# The clinic moved to another Cliniko account, whose IDs belong to other people: delete everything that refers to the
# old IDs. Sent inside the clinic and the transaction. If a receiver raises, the new key isn't stored.
account_changed = Signal()

# The clinic excluded some fields, and their data is deleted here. Sent inside the clinic and the transaction.
fields_excluded = Signal()
