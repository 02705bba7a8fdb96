"""The product's settings with short slices: turns go round among many clinics without importing millions of records."""

from saas.settings import *  # noqa: F403 - all of them but the next line

SYNC_SLICE_PAGES = 8
