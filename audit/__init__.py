"""The audit log: who did what and when, append-only and hash-chained. Pages call it the access log."""
