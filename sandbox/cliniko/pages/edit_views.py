"""Forms that change a patient; Sidechart should pick up every change."""

from datetime import UTC, date, datetime

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from sandbox.cliniko.app_state import store
from sandbox.cliniko.clock import format_time
from sandbox.cliniko.data.accounts import Account
from sandbox.cliniko.errors import SandboxError
from sandbox.cliniko.pages.views import account_or_404, patient_or_404
from sandbox.cliniko.seed.account_settings import zone_of

edits = Blueprint("edits", __name__, url_prefix="/<account>/patients")
TEXT_FIELDS = ("title", "first_name", "last_name", "preferred_first_name", "email", "occupation", "notes")


@edits.post("")
def add_patient(account: str) -> Response:
    clinic = account_or_404(account)
    names = {name: text(name) for name in ("first_name", "last_name")}
    if not any(names.values()):
        raise SandboxError("Enter a first or last name.")
    return redirect_to(clinic, store().add_patient(clinic.name, **names))


@edits.post("/<id>/edit")
def save(account: str, id: str) -> Response:
    clinic = account_of_patient(account, id)
    fields = {name: text(name) for name in TEXT_FIELDS if name in request.form}
    phones = zip(request.form.getlist("phone_type"), request.form.getlist("number"), strict=False)
    numbers = [{"phone_type": kind or "Mobile", "number": number.strip()} for kind, number in phones if number.strip()]
    store().edit(clinic.name, "patients", id, **fields, date_of_birth=date_of_birth(), patient_phone_numbers=numbers)
    return redirect_to(clinic, id)


@edits.post("/<id>/archive")
def archive(account: str, id: str) -> Response:
    clinic = account_of_patient(account, id)
    store().archive(clinic.name, id)
    return redirect_to(clinic, id)


@edits.post("/<id>/unarchive")
def unarchive(account: str, id: str) -> Response:
    clinic = account_of_patient(account, id)
    store().unarchive(clinic.name, id)
    return redirect_to(clinic, id)


@edits.post("/<id>/merge")
def merge(account: str, id: str) -> Response:
    clinic = account_of_patient(account, id)
    survivor = patient_or_404(clinic, text("survivor"))
    store().merge(clinic.name, id, survivor.id)
    return redirect_to(clinic, str(survivor.id))


@edits.post("/<id>/delete")
def delete(account: str, id: str) -> Response:
    clinic = account_of_patient(account, id)
    store().delete(clinic.name, id)
    return redirect(url_for("pages.patients", account=clinic.name), 303)


@edits.post("/<id>/alerts")
def add_alert(account: str, id: str) -> Response:
    clinic = account_of_patient(account, id)
    if not text("name"):
        raise SandboxError("Enter the text of the medical alert.")
    store().add_alert(clinic.name, id, text("name"))
    return redirect_to(clinic, id)


@edits.post("/<id>/alerts/<alert>/delete")
def delete_alert(account: str, id: str, alert: str) -> Response:
    clinic = account_of_patient(account, id)
    check_belongs_to(clinic, "medical_alerts", alert, id)
    store().delete(clinic.name, alert, resource="medical_alerts")
    return redirect_to(clinic, id)


@edits.post("/<id>/appointments")
def add_appointment(account: str, id: str) -> Response:
    clinic = account_of_patient(account, id)
    store().add_appointment(clinic.name, id, starts_at(clinic), notes=text("notes") or None)
    return redirect_to(clinic, id)


@edits.post("/<id>/appointments/<appointment>/cancel")
def cancel_appointment(account: str, id: str, appointment: str) -> Response:
    clinic = account_of_patient(account, id)
    check_belongs_to(clinic, "individual_appointments", appointment, id)
    store().cancel_appointment(clinic.name, appointment, text("reason") or "Other")
    return redirect_to(clinic, id)


def text(name: str) -> str:
    return request.form.get(name, "").strip()


def date_of_birth() -> str | None:
    try:
        return date.fromisoformat(text("date_of_birth")).isoformat() if text("date_of_birth") else None
    except ValueError:
        raise SandboxError("Enter the date of birth as a date, such as 1963-08-21.") from None


def starts_at(clinic: Account) -> str:
    """Return the submitted local time in UTC, as the API has it."""
    try:
        local = datetime.fromisoformat(text("starts_at"))
    except ValueError:
        raise SandboxError("Enter a date and time for the appointment.") from None
    return format_time(local.replace(tzinfo=zone_of(clinic.settings)).astimezone(UTC))


def account_of_patient(account: str, id: str) -> Account:
    clinic = account_or_404(account)
    patient_or_404(clinic, id)
    return clinic


def check_belongs_to(clinic: Account, resource: str, id: str, patient_id: str) -> None:
    record = store().record(clinic.name, resource, id)
    if not record or record.patient_id != int(patient_id):
        raise SandboxError(f"This patient has no {resource.replace('_', ' ')} {id}.")


def redirect_to(clinic: Account, id: str) -> Response:
    return redirect(url_for("pages.patient", account=clinic.name, id=id), 303)
