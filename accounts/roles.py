"""Roles and their permissions."""

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


_READER = frozenset({Permission.VIEW_PATIENTS})
_WRITER = _READER | {Permission.WRITE_NOTES}
_ADMIN = _WRITER | {
    Permission.MANAGE_STAFF,
    Permission.VIEW_SETTINGS,
    Permission.MANAGE_KEY,
    Permission.MANAGE_SECURITY,
    Permission.VIEW_LOG,
    Permission.EXPORT_PATIENTS,
}
PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: _ADMIN,
    Role.CLINICIAN: _WRITER,
    Role.RECEPTION: _WRITER,
    Role.READONLY: _READER,
}

# As on the staff page and in docs/clinics.md.
PERMISSION_LABELS: dict[Permission, str] = {
    Permission.VIEW_PATIENTS: "Search and open patients, read notes",
    Permission.WRITE_NOTES: "Write notes for the team",
    Permission.VIEW_SETTINGS: "See and change the clinic's settings",
    Permission.MANAGE_STAFF: "Invite and suspend staff, change their roles",
    Permission.MANAGE_SECURITY: "Set the sign-in rules, sign other staff out",
    Permission.MANAGE_KEY: "Change the Cliniko API key",
    Permission.VIEW_LOG: "View and download the access log",
    Permission.EXPORT_PATIENTS: "Download everything stored about a patient",
    Permission.MANAGE_OWNERS: "Make someone an owner, change owners' accounts",
    Permission.RESET_SECOND_FACTOR: "Reset someone's two-step verification",
    Permission.EXPORT_CLINIC: "Export all of the clinic's data",
    Permission.MANAGE_PRIVACY: "Choose what is stored and for how long",
}


def permission_table() -> list[tuple[str, list[tuple[Role, bool]]]]:
    """Return each permission's label with every role and whether it has the permission."""
    return [
        (label, [(role, permission in PERMISSIONS[role]) for role in Role])
        for permission, label in PERMISSION_LABELS.items()
    ]


def may(user: object, permission: Permission) -> bool:
    """Return True if the user's role has this permission. Visitors and suspended users have none."""
    role = getattr(user, "role", "") if getattr(user, "is_active", False) else ""
    return permission in PERMISSIONS.get(role, frozenset())


def grantable_roles(user: object) -> tuple[Role, ...]:
    """Return the roles that `user` may give out, and whose holders they may change. Only owners manage owners."""
    if not may(user, Permission.MANAGE_STAFF):
        return ()
    return tuple(role for role in Role if role != Role.OWNER or may(user, Permission.MANAGE_OWNERS))


View = Callable[..., HttpResponseBase]


def permission_required(permission: Permission) -> Callable[[View], View]:
    """Answer 403 to users without this permission. Middleware has already sent visitors to sign in."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not may(request.user, permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate
