"""The Flask application: the API and the pages over one store."""

from collections.abc import Sequence
from pathlib import Path

from flask import Flask
from werkzeug.exceptions import HTTPException

from sandbox.cliniko.api import answer_error, answer_http_error, api, log_request
from sandbox.cliniko.clock import Clock, utc_now
from sandbox.cliniko.errors import ApiError
from sandbox.cliniko.limits import Limits
from sandbox.cliniko.store import Store

APPROVED = ("http://*.localhost:8000/patients",)


def create_app(
    database: Store | Path | str,
    *,
    requests_per_minute: int = 200,
    approved_apps: Sequence[str] = APPROVED,
    now: Clock = utc_now,
) -> Flask:
    """Build the sandbox over a database file (made when missing), or over a store that the caller keeps."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["cliniko_store"] = database if isinstance(database, Store) else Store(database, now=now)
    app.extensions["cliniko_limits"] = Limits(requests_per_minute)
    app.extensions["cliniko_approved"] = tuple(approved_apps)
    app.register_blueprint(api)
    app.register_error_handler(ApiError, answer_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.after_request(log_request)
    return app


def store_of(app: Flask) -> Store:
    """The store behind an application, for tests that change what staff see."""
    store: Store = app.extensions["cliniko_store"]
    return store


def limits_of(app: Flask) -> Limits:
    limits: Limits = app.extensions["cliniko_limits"]
    return limits
