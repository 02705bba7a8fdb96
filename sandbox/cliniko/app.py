"""Flask application that serves the API and the pages from one store."""

from collections.abc import Sequence
from pathlib import Path

from flask import Flask
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException

from sandbox.cliniko.api.views import api
from sandbox.cliniko.clock import Clock, utc_now
from sandbox.cliniko.error_handlers import date_and_log, handle_api_error, handle_http_error, handle_sandbox_error
from sandbox.cliniko.errors import ApiError, SandboxError
from sandbox.cliniko.pages import template_filters
from sandbox.cliniko.pages.edit_views import edits
from sandbox.cliniko.pages.integrations import integrations
from sandbox.cliniko.pages.views import pages
from sandbox.cliniko.rate_limit import RateLimiter
from sandbox.cliniko.store import Store

APPROVED = ("http://*.localhost:8000/patients",)


class JSON(DefaultJSONProvider):
    sort_keys = False


class Sandbox(Flask):
    json_provider_class = JSON


def create_app(
    database: Store | Path | str,
    *,
    requests_per_minute: int = 200,
    approved_apps: Sequence[str] = APPROVED,
    now: Clock = utc_now,
) -> Flask:
    """Build the sandbox on a store, or on a database file, which is created if missing."""
    app = Sandbox(__name__, template_folder="pages/templates", static_folder="pages/static")
    app.extensions["cliniko_store"] = database if isinstance(database, Store) else Store(database, now=now)
    app.extensions["cliniko_rate_limiter"] = RateLimiter(requests_per_minute)
    app.extensions["cliniko_approved"] = tuple(approved_apps)
    for blueprint in (api, integrations, edits, pages):
        app.register_blueprint(blueprint)
    app.register_error_handler(ApiError, handle_api_error)
    app.register_error_handler(SandboxError, handle_sandbox_error)
    app.register_error_handler(HTTPException, handle_http_error)
    app.after_request(date_and_log)
    template_filters.register(app)
    return app
