"""The Celery queues. Every worker serves both in turn, so a long import delays no other clinic by more than a slice."""

SHORT_QUEUE = "celery"
LONG_QUEUE = "long"  # imports, unfinished syncs and exports
