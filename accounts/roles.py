"""What each role may do: one table, asked through `permission_required` and `may`."""

from collections.abc import Callable
from enum import Enum
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponseBase


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    CLINICIAN = "clinician", "Clinician"
    RECEPTION = "reception", "Reception"
    READONLY = "readonly", "Read-only"


class Permission(Enum):
    VIEW_PATIENTS = "view_patients"
    WRITE_NOTES = "write_notes"
    VIEW_SETTINGS = "view_settings"
    MANAGE_STAFF = "manage_staff"
    MANAGE_SECURITY = "manage_security"
    MANAGE_KEY = "manage_key"
    VIEW_LOG = "view_log"
    EXPORT_PATIENTS = "export_patients"
    MANAGE_OWNERS = "manage_owners"
    RESET_SECOND_FACTOR = "reset_second_factor"
    EXPORT_CLINIC = "export_clinic"
    MANAGE_PRIVACY = "manage_privacy"


_OF_EVERYONE = frozenset({Permission.VIEW_PATIENTS})
_OF_WRITERS = _OF_EVERYONE | {Permission.WRITE_NOTES}
_OF_MANAGERS = _OF_WRITERS | {
    Permission.MANAGE_STAFF,
    Permission.VIEW_SETTINGS,
    Permission.MANAGE_KEY,
    Permission.MANAGE_SECURITY,
    Permission.VIEW_LOG,
    Permission.EXPORT_PATIENTS,
}

_OF_OWNERS = {
    Permission.MANAGE_OWNERS,
    Permission.RESET_SECOND_FACTOR,
    Permission.EXPORT_CLINIC,
    Permission.MANAGE_PRIVACY,
}

PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.OWNER: _OF_MANAGERS | _OF_OWNERS,
    Role.ADMIN: _OF_MANAGERS,
    Role.CLINICIAN: _OF_WRITERS,
    Role.RECEPTION: _OF_WRITERS,
    Role.READONLY: _OF_EVERYONE,
}

# As the staff page and docs/clinics.md say it.
PERMISSION_LABELS: dict[Permission, str] = {
    Permission.VIEW_PATIENTS: "Search and open patients, read notes",
    Permission.WRITE_NOTES: "Write the clinic's own notes",
    Permission.VIEW_SETTINGS: "See and change the clinic's settings",
    Permission.MANAGE_STAFF: "Invite and suspend people, change their roles",
    Permission.MANAGE_SECURITY: "Set the rules of sign-in, end others' sessions",
    Permission.MANAGE_KEY: "Change the Cliniko API key",
    Permission.VIEW_LOG: "Read the access log, download it",
    Permission.EXPORT_PATIENTS: "Download all that is held about a patient",
    Permission.MANAGE_OWNERS: "Make owners, change what owners are",
    Permission.RESET_SECOND_FACTOR: "Reset somebody's lost second step",
    Permission.EXPORT_CLINIC: "Export all that is held of the clinic",
    Permission.MANAGE_PRIVACY: "Choose what is stored, and for how long",
}


def permission_table() -> list[tuple[str, list[tuple[Role, bool]]]]:
    """Each permission's sentence, and of each role whether it holds it."""
    return [
        (sentence, [(role, permission in PERMISSIONS[role]) for role in Role])
        for permission, sentence in PERMISSION_LABELS.items()
    ]


def may(user: object, permission: Permission) -> bool:
    """Whether `user` may do this in the clinic they are signed in at; never for a visitor or a disabled account."""
    role = getattr(user, "role", "") if getattr(user, "is_active", False) else ""
    return permission in PERMISSIONS.get(role, frozenset())


def grantable_roles(user: object) -> tuple[Role, ...]:
    """The roles that `user` may hand out, and whose bearers they may change: nobody hands out more than they hold."""
    if not may(user, Permission.MANAGE_STAFF):
        return ()
    return tuple(role for role in Role if role != Role.OWNER or may(user, Permission.MANAGE_OWNERS))


View = Callable[..., HttpResponseBase]


def permission_required(permission: Permission) -> Callable[[View], View]:
    """Answer 403 to staff whose role does not hold `permission`. Visitors were sent to sign in before."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not may(request.user, permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate
