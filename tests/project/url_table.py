"""The table of every URL and its response for each role, used by several tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

TICKET = "/login?t=…"  # redirect to sign in and back


@dataclass(frozen=True)
class Row:
    """Expected responses: a status or a redirect's target. Staff of other clinics get the same as visitors."""

    method: str
    route: str
    path: str
    visitor: str
    manager: str  # owner and admin
    staff: str  # clinician, reception and read-only
    admin: str | None = None  # if it differs from the owner's

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


RESET_KEY = r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[0-9A-Za-z-]+)/$"
FROM_CLINIKO = "settings/staff/from-cliniko"
PERSON = "settings/staff/<int:user_id>"
RESEND = "settings/staff/invitations/<int:invitation_id>/resend"
REVOKE = "settings/staff/invitations/<int:invitation_id>/revoke"
PATIENT = "patients/<cliniko_id:patient_id>/"
PASSKEY = "account/passkeys/<int:passkey_id>"
SESSION_END = "account/sessions/<int:session_id>/end"
SECURITY = "settings/security/people/<int:user_id>"
CODES = "account/recovery-codes/new"
ASK_AT_STEP = "login/second-step/passkey"
CARDS = "patients/<cliniko_id:patient_id>/card-numbers"
NOTES = "patients/<cliniko_id:patient_id>/notes"
NOTE = "patients/<cliniko_id:patient_id>/notes/<int:note_id>"
ACCESS = "patients/<cliniko_id:patient_id>/access"
DOWNLOAD = "settings/export/<int:export_id>/download"
FIELDS = "settings/privacy/fields/<slug:name>"
FRESH = "patients/<cliniko_id:patient_id>/fresh"

# Patient 42 exists. Forms are sent empty.
CLINIC_ROWS = [
    Row("GET", "", "/", TICKET, "200", "200"),
    Row("POST", "", "/", "/login", "405", "405"),
    Row("GET", "search", "/search", TICKET, "/", "/"),
    Row("POST", "search", "/search", "/login", "200", "200"),
    Row("GET", "patients", "/patients?patient_id=42", TICKET, "/patients/42/", "/patients/42/"),
    Row("GET", "patients", "/patients", "400", "400", "400"),
    Row("POST", "patients", "/patients?patient_id=42", "405", "405", "405"),
    Row("GET", "patients/", "/patients/?patient_id=42", TICKET, "/patients/42/", "/patients/42/"),
    Row("POST", "patients/", "/patients/?patient_id=42", "405", "405", "405"),
    Row("GET", PATIENT, "/patients/42/", TICKET, "200", "200"),
    Row("HEAD", PATIENT, "/patients/42/", TICKET, "200", "200"),
    Row("POST", PATIENT, "/patients/42/", "/login", "405", "405"),
    Row("GET", FRESH, "/patients/42/fresh", TICKET, "405", "405"),
    Row("POST", FRESH, "/patients/42/fresh", "/login", "403", "403"),  # without a view
    Row("GET", "account/", "/account/", TICKET, "200", "200"),
    Row("POST", "account/", "/account/", "/login", "405", "405"),
    Row("GET", "account/confirm", "/account/confirm", TICKET, "200", "200"),
    Row("POST", "account/confirm", "/account/confirm", "/login", "200", "200"),
    Row("POST", "account/confirm/passkey", "/account/confirm/passkey", "/login", "200", "200"),
    Row("GET", "account/passkeys/add", "/account/passkeys/add", TICKET, "200", "200"),
    Row("POST", "account/passkeys/add", "/account/passkeys/add", "/login", "200", "200"),
    Row("POST", "account/passkeys/ask", "/account/passkeys/ask", "/login", "200", "200"),
    Row("POST", f"{PASSKEY}/rename", "/account/passkeys/1/rename", "/login", "404", "404"),  # no such passkey
    Row("POST", f"{PASSKEY}/remove", "/account/passkeys/1/remove", "/login", "404", "404"),
    Row("GET", "account/app", "/account/app", TICKET, "200", "200"),
    Row("POST", "account/app", "/account/app", "/login", "200", "200"),
    Row("POST", "account/app/remove", "/account/app/remove", "/login", "404", "404"),
    Row("GET", "account/recovery-codes", "/account/recovery-codes", TICKET, "/account/", "/account/"),
    Row("POST", CODES, f"/{CODES}", "/login", "/account/recovery-codes", "/account/recovery-codes"),
    Row("POST", SESSION_END, "/account/sessions/1/end", "/login", "/account/", "/account/"),
    Row("POST", "account/sessions/end-others", "/account/sessions/end-others", "/login", "/account/", "/account/"),
    Row("GET", "session", "/session", "401", "200", "200"),
    Row("POST", "session", "/session", "401", "200", "200"),
    Row("GET", "settings/security", "/settings/security", TICKET, "200", "403"),
    Row("POST", "settings/security", "/settings/security", "/login", "422", "403"),
    Row("GET", f"{SECURITY}/end-sessions", "/settings/security/people/1/end-sessions", TICKET, "405", "405"),
    Row("POST", f"{SECURITY}/end-sessions", "/settings/security/people/1/end-sessions", "/login", "404", "403"),
    Row("GET", f"{SECURITY}/reset", "/settings/security/people/1/reset", TICKET, "405", "405"),
    Row("POST", f"{SECURITY}/reset", "/settings/security/people/1/reset", "/login", "404", "403"),
    Row("GET", CARDS, "/patients/42/card-numbers", TICKET, "405", "405"),
    Row("POST", CARDS, "/patients/42/card-numbers", "/login", "404", "404"),  # switched off
    Row("GET", NOTES, "/patients/42/notes", TICKET, "405", "405"),
    Row("POST", NOTES, "/patients/42/notes", "/login", "403", "403"),  # without a view
    Row("GET", NOTES + "/draft", "/patients/42/notes/draft", TICKET, "405", "405"),
    Row("POST", NOTES + "/draft", "/patients/42/notes/draft", "/login", "403", "403"),  # without a view
    Row("GET", NOTE, "/patients/42/notes/1", TICKET, "405", "405"),
    Row("POST", NOTE, "/patients/42/notes/1", "/login", "403", "403"),  # without a view
    Row("GET", NOTE + "/pin", "/patients/42/notes/1/pin", TICKET, "405", "405"),
    Row("POST", NOTE + "/pin", "/patients/42/notes/1/pin", "/login", "403", "403"),  # without a view
    Row("GET", NOTE + "/delete", "/patients/42/notes/1/delete", TICKET, "405", "405"),
    Row("POST", NOTE + "/delete", "/patients/42/notes/1/delete", "/login", "403", "403"),  # without a view
    Row("GET", NOTE + "/restore", "/patients/42/notes/1/restore", TICKET, "405", "405"),
    Row("POST", NOTE + "/restore", "/patients/42/notes/1/restore", "/login", "403", "403"),  # without a view
    Row("GET", "settings/card-numbers", "/settings/card-numbers", TICKET, "405", "403"),
    Row("POST", "settings/card-numbers", "/settings/card-numbers", "/login", "/settings/", "403"),
    Row("GET", ACCESS, "/patients/42/access", TICKET, "200", "403"),
    Row("GET", ACCESS + "/csv", "/patients/42/access/csv", TICKET, "405", "403"),
    Row("POST", ACCESS + "/csv", "/patients/42/access/csv", "/login", "200", "403"),
    Row("GET", ACCESS + "/pack", "/patients/42/access/pack", TICKET, "405", "403"),
    Row("POST", ACCESS + "/pack", "/patients/42/access/pack", "/login", "200", "403"),
    Row("GET", "settings/export", "/settings/export", TICKET, "200", "403", "403"),
    Row("GET", "settings/export/progress", "/settings/export/progress", TICKET, "200", "403", "403"),
    Row("GET", "settings/export/ask", "/settings/export/ask", TICKET, "405", "405"),
    Row("POST", "settings/export/ask", "/settings/export/ask", "/login", "/settings/export", "403", "403"),
    Row("GET", DOWNLOAD, "/settings/export/1/download", TICKET, "405", "405"),
    Row("POST", DOWNLOAD, "/settings/export/1/download", "/login", "/settings/export", "403", "403"),  # no export
    Row("GET", "settings/access", "/settings/access", TICKET, "200", "403"),
    Row("GET", "settings/access/csv", "/settings/access/csv", TICKET, "405", "403"),
    Row("POST", "settings/access/csv", "/settings/access/csv", "/login", "200", "403"),
    Row("GET", "settings/privacy", "/settings/privacy", TICKET, "200", "403"),
    Row("POST", "settings/privacy", "/settings/privacy", "/login", "405", "403"),
    Row("GET", FIELDS, "/settings/privacy/fields/nothing", TICKET, "405", "405"),
    Row("POST", FIELDS, "/settings/privacy/fields/nothing", "/login", "404", "403"),  # no such group
    Row("POST", FIELDS, "/settings/privacy/fields/notes", "/login", "422", "403", admin="403"),  # not ticked
    Row("GET", "settings/privacy/periods", "/settings/privacy/periods", TICKET, "405", "405"),
    Row("POST", "settings/privacy/periods", "/settings/privacy/periods", "/login", "422", "403", admin="403"),
    Row("GET", "settings/", "/settings/", TICKET, "200", "403"),
    Row("GET", "welcome", "/welcome", TICKET, "200", "403"),
    Row("GET", "welcome/import", "/welcome/import", TICKET, "200", "403"),
    Row("GET", "welcome/later", "/welcome/later", TICKET, "405", "403"),
    Row("POST", "welcome/later", "/welcome/later", "/login", "400", "403"),  # without a step
    Row("GET", "welcome/end", "/welcome/end", TICKET, "405", "403"),
    Row("POST", "welcome/end", "/welcome/end", "/login", "/", "403"),
    Row("GET", "welcome/again", "/welcome/again", TICKET, "405", "403"),
    Row("POST", "welcome/again", "/welcome/again", "/login", "/welcome", "403"),
    Row("GET", "settings/key", "/settings/key", TICKET, "200", "403"),
    Row("POST", "settings/key", "/settings/key", "/login", "422", "403"),  # without a key
    Row("GET", "settings/sync", "/settings/sync", TICKET, "200", "403"),
    Row("GET", "settings/sync/standing", "/settings/sync/standing", TICKET, "200", "403"),
    Row("GET", "settings/sync/now", "/settings/sync/now", TICKET, "405", "403"),
    Row("POST", "settings/sync/now", "/settings/sync/now", "/login", "/settings/sync", "403"),
    Row("GET", "settings/sync/compare", "/settings/sync/compare", TICKET, "405", "403"),
    Row("POST", "settings/sync/compare", "/settings/sync/compare", "/login", "/settings/sync", "403"),
    Row("GET", "settings/sync/pause", "/settings/sync/pause", TICKET, "405", "403"),
    Row("POST", "settings/sync/pause", "/settings/sync/pause", "/login", "/settings/sync", "403"),
    Row("GET", "settings/sync/resume", "/settings/sync/resume", TICKET, "405", "403"),
    Row("POST", "settings/sync/resume", "/settings/sync/resume", "/login", "/settings/sync", "403"),
    Row("GET", "settings/button", "/settings/button", TICKET, "200", "403"),
    Row("GET", "settings/button/heard", "/settings/button/heard", TICKET, "200", "403"),
    Row("GET", "settings/staff/", "/settings/staff/", TICKET, "200", "403"),
    Row("GET", "settings/staff/invite", "/settings/staff/invite", TICKET, "405", "405"),
    Row("POST", "settings/staff/invite", "/settings/staff/invite", "/login", "422", "403"),
    Row("GET", FROM_CLINIKO, f"/{FROM_CLINIKO}", TICKET, "200", "403"),  # Cliniko is unreachable
    Row("GET", f"{FROM_CLINIKO}/invite", f"/{FROM_CLINIKO}/invite", TICKET, "405", "403"),
    Row("POST", f"{FROM_CLINIKO}/invite", f"/{FROM_CLINIKO}/invite", "/login", "/settings/staff/", "403"),
    Row("GET", f"{PERSON}/role", "/settings/staff/0/role", TICKET, "405", "405"),
    Row("POST", f"{PERSON}/role", "/settings/staff/0/role", "/login", "400", "403"),  # without a role
    Row("GET", f"{PERSON}/suspend", "/settings/staff/0/suspend", TICKET, "405", "405"),
    Row("POST", f"{PERSON}/suspend", "/settings/staff/0/suspend", "/login", "404", "403"),  # no such user
    Row("GET", f"{PERSON}/reinstate", "/settings/staff/0/reinstate", TICKET, "405", "405"),
    Row("POST", f"{PERSON}/reinstate", "/settings/staff/0/reinstate", "/login", "404", "403"),
    Row("GET", RESEND, "/settings/staff/invitations/1/resend", TICKET, "405", "405"),
    Row("POST", RESEND, "/settings/staff/invitations/1/resend", "/login", "/settings/staff/", "403"),
    Row("GET", REVOKE, "/settings/staff/invitations/1/revoke", TICKET, "405", "405"),
    Row("POST", REVOKE, "/settings/staff/invitations/1/revoke", "/login", "/settings/staff/", "403"),
    Row("GET", "login", "/login", "200", "/", "/"),
    Row("POST", "login", "/login", "200", "/", "/"),
    Row("GET", "login/second-step", "/login/second-step", "/login", "/", "/"),
    Row("POST", "login/second-step", "/login/second-step", "/login", "/", "/"),
    Row("GET", ASK_AT_STEP, f"/{ASK_AT_STEP}", "405", "405", "405"),
    Row("POST", ASK_AT_STEP, f"/{ASK_AT_STEP}", "403", "403", "403"),  # not at that step
    Row("GET", "login/passkey", "/login/passkey", "/login", "/", "/"),
    Row("POST", "login/passkey", "/login/passkey", "/login", "/", "/"),
    Row("GET", "login/passkey/ask", "/login/passkey/ask", "405", "405", "405"),
    Row("POST", "login/passkey/ask", "/login/passkey/ask", "200", "200", "200"),
    Row("GET", "logout", "/logout", "/login", "200", "200"),
    Row("POST", "logout", "/logout", "/login", "/login", "/login"),
    Row("GET", "inactive/", "/inactive/", "200", "200", "200"),
    Row("GET", "password/change/", "/password/change/", TICKET, "200", "200"),
    Row("POST", "password/change/", "/password/change/", "/login", "200", "200"),
    Row("GET", "password/reset/", "/password/reset/", "200", "200", "200"),
    Row("POST", "password/reset/", "/password/reset/", "200", "200", "200"),
    Row("GET", "password/reset/done/", "/password/reset/done/", "200", "200", "200"),
    Row("GET", RESET_KEY, "/password/reset/key/1-none/", "200", "200", "200"),  # says the link is no longer valid
    Row("POST", RESET_KEY, "/password/reset/key/1-none/", "200", "200", "200"),
    Row("GET", "password/reset/key/done/", "/password/reset/key/done/", "200", "200", "200"),
    Row("GET", "invite/<str:token>/", "/invite/none/", "404", "404", "404"),
    Row("POST", "invite/<str:token>/", "/invite/none/", "404", "404", "404"),
    Row("GET", "metrics", "/metrics", "404", "404", "404"),
    Row("GET", "healthz", "/healthz", "200", "200", "200"),
    Row("GET", "readyz", "/readyz", "200", "200", "200"),
]

FOUND = "http://bondi.localhost:8000/"
OPS_TICKET = "/ops/login?t=…"
SET_UP = "/ops/account/"
AT_BONDI = "clinics/<slug:label>"
LOOK = "/ops/clinics/bondi/look"  # needs a reason first
SET_UP_TICKET = "/ops/account/?t=…"


@dataclass(frozen=True)
class BaseRow:
    """Like Row. Clinic staff get the same as visitors; `new_operator` has no second factor yet."""

    method: str
    route: str
    path: str
    visitor: str
    operator: str
    new_operator: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _same_for_all(method: str, route: str, path: str, response: str) -> BaseRow:
    return BaseRow(method, route, path, response, response, response)


def _console_rows(route: str, path: str, get: str, post: str) -> list[BaseRow]:
    """Return rows of a console page: visitors sign in first, new operators set up a second factor."""
    return [
        BaseRow("GET", f"ops/{route}", f"/ops/{path}", OPS_TICKET, get, SET_UP_TICKET),
        BaseRow("POST", f"ops/{route}", f"/ops/{path}", "/ops/login", post, SET_UP),
    ]


OPEN_TO_NEW_OPERATORS = {
    *("account/", "account/confirm", "account/confirm/passkey", "account/passkeys/add", "account/passkeys/ask"),
    *("account/app", "account/recovery-codes", CODES),
}
SIGN_IN = ("account/", "login", "logout", "session", "inactive/", "password/change/", RESET_KEY, "invite/")
GUARDED = ("account/", "password/change/")


def _sign_in_row(row: Row) -> BaseRow:
    """Return the row of a sign-in page, which works as at a clinic but below /ops."""
    response = _below_ops(row.manager)
    operator = SET_UP if row.route in ("account/app", "account/app/remove") else response  # operators already have one
    guarded = row.route.startswith(GUARDED) and row.route not in OPEN_TO_NEW_OPERATORS
    set_up = SET_UP_TICKET if row.method == "GET" else SET_UP
    return BaseRow(
        row.method,
        f"ops/{row.route}",
        f"/ops{row.path}",
        _below_ops(row.visitor),
        operator,
        set_up if guarded else response,
    )


def _below_ops(response: str) -> str:
    return f"/ops{response}" if response.startswith("/") else response


BASE_ROWS = [
    _same_for_all("GET", "", "/", "200"),
    _same_for_all("POST", "", "/", "405"),
    _same_for_all("GET", "find-clinic", "/find-clinic", "400"),
    _same_for_all("GET", "find-clinic", "/find-clinic?clinic=bondi", FOUND),
    _same_for_all("GET", "metrics", "/metrics", "200"),
    _same_for_all("GET", "healthz", "/healthz", "200"),
    _same_for_all("GET", "readyz", "/readyz", "200"),
    *(_sign_in_row(row) for row in CLINIC_ROWS if row.route.startswith(SIGN_IN)),
    *(_sign_in_row(row) for row in CLINIC_ROWS if row.route == "password/reset/key/done/"),
    *_console_rows("", "", "200", "200"),  # without an action
    *_console_rows("log", "log", "200", "405"),
    *_console_rows("new", "new", "200", "422"),
    *_console_rows("do/<slug:name>", "do/compare?clinic=bondi", "200", "/ops/"),  # without a clinic
    *_console_rows("clinics/<slug:label>/", "clinics/bondi/", "200", "405"),
    *_console_rows("clinics/<slug:label>/invite", "clinics/bondi/invite", "200", "422"),
    *_console_rows(f"{AT_BONDI}/look", "clinics/bondi/look", "200", "422"),
    *_console_rows(f"{AT_BONDI}/look/end", "clinics/bondi/look/end", "405", "/ops/clinics/bondi/"),
    *_console_rows(f"{AT_BONDI}/kept", "clinics/bondi/kept", LOOK, "405"),
    *_console_rows(f"{AT_BONDI}/kept/<int:pk>", "clinics/bondi/kept/1", "405", LOOK),
]


def routes_of(urlconf: str) -> set[str]:
    """Return every route of a URLconf, as written there."""
    return set(_walk(get_resolver(urlconf)))


def _walk(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield prefix + str(entry.pattern)
        else:
            yield from _walk(entry, prefix + str(entry.pattern))


def summarize(response: Any) -> str:
    """Return the status, or the redirect's target with the ticket abbreviated, as in the table."""
    return response.get("Location", str(response.status_code)).partition("?t=")[0] + (
        "?t=…" if "?t=" in response.get("Location", "") else ""
    )
