"""Operators' tools: onboarding, lifecycle, the console, `manage.py clinic` and `manage.py ops`."""
