"""Pages: accounts, patient list, and a patient with the Patient Actions bar."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.cliniko.app_state import store
from sandbox.cliniko.data.accounts import Account
from sandbox.cliniko.data.records import Record
from sandbox.cliniko.pages.search import find_patients
from sandbox.cliniko.pages.template_filters import age

pages = Blueprint("pages", __name__)
PATIENT_RESOURCES = ("medical_alerts", "individual_appointments")
REFERENCE_RESOURCES = ("practitioners", "businesses", "appointment_types")


@pages.get("/")
def accounts() -> str:
    return render_template("accounts.html", accounts=store().accounts())


@pages.get("/<account>/")
def account_home(account: str) -> Response:
    return redirect(url_for("pages.patients", account=account_or_404(account).name))


@pages.get("/<account>/patients")
def patients(account: str) -> str:
    clinic = account_or_404(account)
    text, archived = request.args.get("search", "")[:100], "archived" in request.args
    page = request.args.get("page", 1, type=int)
    results = find_patients(store(), clinic.name, text, page=min(max(page, 1), 10**6), archived=archived)
    return render_template("patients.html", account=clinic, results=results, search=text, archived=archived)


@pages.get("/<account>/patients/<id>")
def patient(account: str, id: str) -> str:
    clinic = account_or_404(account)
    record = patient_or_404(clinic, id)
    return render_template("patient.html", account=clinic, patient=record, **patient_context(clinic, record))


@pages.get("/<account>/patients/<id>/edit")
def edit_patient(account: str, id: str) -> str:
    clinic = account_or_404(account)
    record = patient_or_404(clinic, id)
    return render_template("edit.html", account=clinic, patient=record, **patient_context(clinic, record))


def patient_context(clinic: Account, record: Record) -> dict[str, Any]:
    """Return the template context of a patient's page."""
    records = {name: store().for_patient(clinic.name, name, record.id) for name in PATIENT_RESOURCES}
    names = {name: {str(each.id): each.body for each in store().all(clinic.name, name)} for name in REFERENCE_RESOURCES}
    now = store().timestamp()
    appointments = records["individual_appointments"]
    return {
        "alerts": records["medical_alerts"],
        "upcoming": [each for each in appointments if each.body["starts_at"] >= now],
        "past": [each for each in reversed(appointments) if each.body["starts_at"] < now],
        "classes": store().classes_of(clinic.name, record.id),
        "names": names,
        "apps": store().apps(clinic.name),
        "age": age(record.body["date_of_birth"], store().now().date()),
    }


def account_or_404(name: str) -> Account:
    return store().account(name) or abort(404, f"There is no account {name} in this sandbox.")


def patient_or_404(clinic: Account, id: str) -> Record:
    return store().patient(clinic.name, id) or abort(404, f"{clinic.settings['account']['name']} has no patient {id}.")
