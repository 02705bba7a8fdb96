"""The Flask application: the API and the pages over one store."""

from collections.abc import Sequence
from pathlib import Path

from flask import Flask
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException

from sandbox.cliniko.api.views import api
from sandbox.cliniko.app_state import limits_of, store_of
from sandbox.cliniko.clock import Clock, utc_now
from sandbox.cliniko.error_handlers import answer_api_error, answer_http_error, answer_sandbox_error, finish
from sandbox.cliniko.errors import ApiError, SandboxError
from sandbox.cliniko.pages import template_filters
from sandbox.cliniko.pages.edit_views import edits
from sandbox.cliniko.pages.integrations import integrations
from sandbox.cliniko.pages.views import pages
from sandbox.cliniko.rate_limit import Limits
from sandbox.cliniko.store import Store

__all__ = ["APPROVED", "create_app", "limits_of", "store_of"]

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
    """Build the sandbox over a database file (made when missing), or over a store that brings its own clock."""
    app = Sandbox(__name__, template_folder="pages/templates", static_folder="pages/static")
    app.extensions["cliniko_store"] = database if isinstance(database, Store) else Store(database, now=now)
    app.extensions["cliniko_limits"] = Limits(requests_per_minute)
    app.extensions["cliniko_approved"] = tuple(approved_apps)
    for blueprint in (api, integrations, edits, pages):
        app.register_blueprint(blueprint)
    app.register_error_handler(ApiError, answer_api_error)
    app.register_error_handler(SandboxError, answer_sandbox_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.after_request(finish)
    template_filters.register(app)
    return app
