"""Settings > Our clinic > Integrations: connected patient apps and the API key."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.cliniko.app_state import approved_apps, store
from sandbox.cliniko.data.accounts import Account, ConnectedApp
from sandbox.cliniko.errors import SandboxError
from sandbox.cliniko.pages.app_urls import NOT_TRUSTED, is_approved
from sandbox.cliniko.pages.views import account_or_404

integrations = Blueprint("integrations", __name__, url_prefix="/<account>/settings/integrations")
EMPTY = ConnectedApp("", "")
MAX_APPS = 20


@integrations.get("")
def show(account: str) -> str:
    clinic = account_or_404(account)
    return _page(clinic, [*store().apps(clinic.name), EMPTY], saved="saved" in request.args)


@integrations.post("")
def save(account: str) -> Response | str | tuple[str, int]:
    """Save all rows or none. "Add another app" posts here too, and only adds a row to the form."""
    clinic = account_or_404(account)
    apps = _rows()
    if "add" in request.form:
        return _page(clinic, [*apps, EMPTY, EMPTY])
    problems = {row: problem for row, app in enumerate(apps) if (problem := _problem(app))}
    if problems:
        return _page(clinic, [*apps, EMPTY], problems=problems), 400
    store().connect_apps(clinic.name, apps)
    return redirect(url_for("integrations.show", account=clinic.name, saved=1), 303)


@integrations.post("/key")
def replace_key(account: str) -> Response:
    """Revoke the account's key and issue another."""
    clinic = account_or_404(account)
    key = _key(clinic)
    if key:
        store().revoke_key(key)
    store().issue_key(clinic.name)
    return redirect(url_for("integrations.show", account=clinic.name), 303)


def _rows() -> list[ConnectedApp]:
    names, urls = request.form.getlist("app_name"), request.form.getlist("app_url")
    apps = [ConnectedApp(name.strip(), url.strip()) for name, url in zip(names, urls, strict=False)]
    return [app for app in apps if app != EMPTY][:MAX_APPS]


def _problem(app: ConnectedApp) -> str | None:
    if not app.name:
        return "App name can't be blank"
    return None if is_approved(app.url, approved_apps()) else NOT_TRUSTED


def _page(
    clinic: Account, apps: list[ConnectedApp], *, problems: dict[int, str] | None = None, saved: bool = False
) -> str:
    page = {"account": clinic, "apps": apps, "problems": problems or {}, "saved": saved, "key": _key(clinic)}
    return render_template("integrations.html", **page)


def _key(clinic: Account) -> str | None:
    try:
        return store().key(clinic.name)
    except SandboxError:
        return None
