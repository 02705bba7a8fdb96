"""Every address of the house, and what each kind of visitor gets there: one table, read by several tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

TICKET = "/login?t=…"  # sign in, and come back here afterwards


@dataclass(frozen=True)
class Row:
    """What is answered: a status, or where a redirect leads. `visitor` is also what staff of another clinic get."""

    method: str
    route: str
    path: str
    visitor: str
    manager: str  # owner and admin
    staff: str  # clinician, reception and read-only
    admin: str | None = None  # where it is not as the owner

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

# Patient 42 is in the mirror. Nobody is named in a form, and no form is filled in.
AT_A_CLINIC = [
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
    Row("POST", FRESH, "/patients/42/fresh", "/login", "403", "403"),  # belongs to no view
    Row("GET", "account/", "/account/", TICKET, "200", "200"),
    Row("POST", "account/", "/account/", "/login", "405", "405"),
    Row("GET", "account/confirm", "/account/confirm", TICKET, "200", "200"),
    Row("POST", "account/confirm", "/account/confirm", "/login", "200", "200"),
    Row("POST", "account/confirm/passkey", "/account/confirm/passkey", "/login", "200", "200"),
    Row("GET", "account/passkeys/add", "/account/passkeys/add", TICKET, "200", "200"),
    Row("POST", "account/passkeys/add", "/account/passkeys/add", "/login", "200", "200"),
    Row("POST", "account/passkeys/ask", "/account/passkeys/ask", "/login", "200", "200"),
    Row("POST", f"{PASSKEY}/rename", "/account/passkeys/1/rename", "/login", "404", "404"),  # nobody has that one
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
    Row("POST", CARDS, "/patients/42/card-numbers", "/login", "404", "404"),  # not switched on
    Row("GET", NOTES, "/patients/42/notes", TICKET, "405", "405"),
    Row("POST", NOTES, "/patients/42/notes", "/login", "403", "403"),  # belongs to no view
    Row("GET", NOTES + "/draft", "/patients/42/notes/draft", TICKET, "405", "405"),
    Row("POST", NOTES + "/draft", "/patients/42/notes/draft", "/login", "403", "403"),  # belongs to no view
    Row("GET", NOTE, "/patients/42/notes/1", TICKET, "405", "405"),
    Row("POST", NOTE, "/patients/42/notes/1", "/login", "403", "403"),  # belongs to no view
    Row("GET", NOTE + "/pin", "/patients/42/notes/1/pin", TICKET, "405", "405"),
    Row("POST", NOTE + "/pin", "/patients/42/notes/1/pin", "/login", "403", "403"),  # belongs to no view
    Row("GET", NOTE + "/delete", "/patients/42/notes/1/delete", TICKET, "405", "405"),
    Row("POST", NOTE + "/delete", "/patients/42/notes/1/delete", "/login", "403", "403"),  # belongs to no view
    Row("GET", NOTE + "/restore", "/patients/42/notes/1/restore", TICKET, "405", "405"),
    Row("POST", NOTE + "/restore", "/patients/42/notes/1/restore", "/login", "403", "403"),  # belongs to no view
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
    Row("POST", DOWNLOAD, "/settings/export/1/download", "/login", "/settings/export", "403", "403"),  # none is there
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
    Row("POST", "welcome/later", "/welcome/later", "/login", "400", "403"),  # names no step
    Row("GET", "welcome/end", "/welcome/end", TICKET, "405", "403"),
    Row("POST", "welcome/end", "/welcome/end", "/login", "/", "403"),
    Row("GET", "welcome/again", "/welcome/again", TICKET, "405", "403"),
    Row("POST", "welcome/again", "/welcome/again", "/login", "/welcome", "403"),
    Row("GET", "settings/key", "/settings/key", TICKET, "200", "403"),
    Row("POST", "settings/key", "/settings/key", "/login", "422", "403"),  # nothing was pasted
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
    Row("GET", FROM_CLINIKO, f"/{FROM_CLINIKO}", TICKET, "200", "403"),  # says why Cliniko cannot be asked
    Row("GET", f"{FROM_CLINIKO}/invite", f"/{FROM_CLINIKO}/invite", TICKET, "405", "403"),
    Row("POST", f"{FROM_CLINIKO}/invite", f"/{FROM_CLINIKO}/invite", "/login", "/settings/staff/", "403"),
    Row("GET", f"{PERSON}/role", "/settings/staff/0/role", TICKET, "405", "405"),
    Row("POST", f"{PERSON}/role", "/settings/staff/0/role", "/login", "400", "403"),  # names no role
    Row("GET", f"{PERSON}/suspend", "/settings/staff/0/suspend", TICKET, "405", "405"),
    Row("POST", f"{PERSON}/suspend", "/settings/staff/0/suspend", "/login", "404", "403"),  # nobody has that number
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
    Row("POST", ASK_AT_STEP, f"/{ASK_AT_STEP}", "403", "403", "403"),  # nobody is at that step
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
    Row("GET", RESET_KEY, "/password/reset/key/1-none/", "200", "200", "200"),  # says that it is no longer valid
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
LOOK = "/ops/clinics/bondi/look"  # nobody has said why yet
SET_UP_TICKET = "/ops/account/?t=…"


@dataclass(frozen=True)
class BaseRow:
    """As Row. `visitor` is also what staff of a clinic get, whatever their role; `newcomer` is one of ops who has not
    set up a second factor yet."""

    method: str
    route: str
    path: str
    visitor: str
    ops: str
    newcomer: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _of_everybody(method: str, route: str, path: str, answer: str) -> BaseRow:
    return BaseRow(method, route, path, answer, answer, answer)


def _of_console(route: str, path: str, get: str, post: str) -> list[BaseRow]:
    """A page of the console: visitors sign in first, and newcomers set up their second factor."""
    return [
        BaseRow("GET", f"ops/{route}", f"/ops/{path}", OPS_TICKET, get, SET_UP_TICKET),
        BaseRow("POST", f"ops/{route}", f"/ops/{path}", "/ops/login", post, SET_UP),
    ]


OPEN_TO_NEWCOMERS = {
    *("account/", "account/confirm", "account/confirm/passkey", "account/passkeys/add", "account/passkeys/ask"),
    *("account/app", "account/recovery-codes", CODES),
}
SIGN_IN = ("account/", "login", "logout", "session", "inactive/", "password/change/", RESET_KEY, "invite/")
GUARDED = ("account/", "password/change/")


def _of_sign_in(row: Row) -> BaseRow:
    """A page of one's own sign-in, which is the same as at a clinic but for where it is."""
    answer = _below_ops(row.manager)
    ops = SET_UP if row.route in ("account/app", "account/app/remove") else answer  # they have one already
    guarded = row.route.startswith(GUARDED) and row.route not in OPEN_TO_NEWCOMERS
    set_up = SET_UP_TICKET if row.method == "GET" else SET_UP
    return BaseRow(
        row.method, f"ops/{row.route}", f"/ops{row.path}", _below_ops(row.visitor), ops, set_up if guarded else answer
    )


def _below_ops(answer: str) -> str:
    return f"/ops{answer}" if answer.startswith("/") else answer


ON_THE_BASE_HOST = [
    _of_everybody("GET", "", "/", "200"),
    _of_everybody("POST", "", "/", "405"),
    _of_everybody("GET", "find-clinic", "/find-clinic", "400"),
    _of_everybody("GET", "find-clinic", "/find-clinic?clinic=bondi", FOUND),
    _of_everybody("GET", "metrics", "/metrics", "200"),
    _of_everybody("GET", "healthz", "/healthz", "200"),
    _of_everybody("GET", "readyz", "/readyz", "200"),
    *(_of_sign_in(row) for row in AT_A_CLINIC if row.route.startswith(SIGN_IN)),
    *(_of_sign_in(row) for row in AT_A_CLINIC if row.route == "password/reset/key/done/"),
    *_of_console("", "", "200", "200"),  # the form chooses no action
    *_of_console("log", "log", "200", "405"),
    *_of_console("new", "new", "200", "422"),
    *_of_console("do/<slug:name>", "do/compare?clinic=bondi", "200", "/ops/"),  # the form names no clinic
    *_of_console("clinics/<slug:label>/", "clinics/bondi/", "200", "405"),
    *_of_console("clinics/<slug:label>/invite", "clinics/bondi/invite", "200", "422"),
    *_of_console(f"{AT_BONDI}/look", "clinics/bondi/look", "200", "422"),
    *_of_console(f"{AT_BONDI}/look/end", "clinics/bondi/look/end", "405", "/ops/clinics/bondi/"),
    *_of_console(f"{AT_BONDI}/kept", "clinics/bondi/kept", LOOK, "405"),
    *_of_console(f"{AT_BONDI}/kept/<int:pk>", "clinics/bondi/kept/1", "405", LOOK),
]


def routes_of(urlconf: str) -> set[str]:
    """Every route that the URL resolver knows, as written in the URL modules."""
    return set(_walk(get_resolver(urlconf)))


def _walk(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield prefix + str(entry.pattern)
        else:
            yield from _walk(entry, prefix + str(entry.pattern))


def outcome(answer: Any) -> str:
    """The answer in the table's words."""
    return answer.get("Location", str(answer.status_code)).partition("?t=")[0] + (
        "?t=…" if "?t=" in answer.get("Location", "") else ""
    )
