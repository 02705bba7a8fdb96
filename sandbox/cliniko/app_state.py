"""What belongs to the application that is answering: its store, its limits, its approved apps."""

from flask import Flask, current_app

from sandbox.cliniko.rate_limit import Limits
from sandbox.cliniko.store import Store


def store_of(app: Flask) -> Store:
    """The store behind an application, for tests that change what staff see."""
    store: Store = app.extensions["cliniko_store"]
    return store


def limits_of(app: Flask) -> Limits:
    limits: Limits = app.extensions["cliniko_limits"]
    return limits


def store() -> Store:
    return store_of(current_app)


def limits() -> Limits:
    return limits_of(current_app)


def approved_apps() -> tuple[str, ...]:
    approved: tuple[str, ...] = current_app.extensions["cliniko_approved"]
    return approved
