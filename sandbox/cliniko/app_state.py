"""The store, rate limiter and approved apps of a Flask application."""

from flask import Flask, current_app

from sandbox.cliniko.rate_limit import RateLimiter
from sandbox.cliniko.store import Store


def store_of(app: Flask) -> Store:
    """Return the store of an application, for tests that change its records."""
    store: Store = app.extensions["cliniko_store"]
    return store


def rate_limiter_of(app: Flask) -> RateLimiter:
    limiter: RateLimiter = app.extensions["cliniko_rate_limiter"]
    return limiter


def store() -> Store:
    return store_of(current_app)


def rate_limiter() -> RateLimiter:
    return rate_limiter_of(current_app)


def approved_apps() -> tuple[str, ...]:
    approved: tuple[str, ...] = current_app.extensions["cliniko_approved"]
    return approved
