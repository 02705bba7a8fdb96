"""The product's settings with short slices, so that many clinics take turns without importing millions of records."""

from saas.settings import *  # noqa: F403 - all of them but the next line

SYNC_SLICE_PAGES = 8
