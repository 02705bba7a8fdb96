"""What each role may do: one table, asked through `permission_required` and `may`."""

from collections.abc import Callable
from enum import Enum
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    CLINICIAN = "clinician", "Clinician"
    RECEPTION = "reception", "Reception"
    READONLY = "readonly", "Read-only"


class Permission(Enum):
    VIEW_PATIENTS = "view_patients"
    WRITE_NOTES = "write_notes"
    MANAGE_STAFF = "manage_staff"
    VIEW_SETTINGS = "view_settings"
    MANAGE_KEY = "manage_key"
    VIEW_LOG = "view_log"
    EXPORT_PATIENTS = "export_patients"
    MANAGE_SECURITY = "manage_security"
    RESET_SECOND_FACTOR = "reset_second_factor"


_OF_EVERYONE = frozenset({Permission.VIEW_PATIENTS})
_OF_WRITERS = _OF_EVERYONE | {Permission.WRITE_NOTES}
_OF_MANAGERS = _OF_WRITERS | {
    Permission.MANAGE_STAFF,
    Permission.VIEW_SETTINGS,
    Permission.MANAGE_KEY,
    Permission.VIEW_LOG,
    Permission.EXPORT_PATIENTS,
    Permission.MANAGE_SECURITY,
}

PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.OWNER: _OF_MANAGERS | {Permission.RESET_SECOND_FACTOR},
    Role.ADMIN: _OF_MANAGERS,
    Role.CLINICIAN: _OF_WRITERS,
    Role.RECEPTION: _OF_WRITERS,
    Role.READONLY: _OF_EVERYONE,
}

# Whom a member of staff may invite: nobody hands out more than they hold.
INVITABLE: dict[str, tuple[Role, ...]] = {
    Role.OWNER: tuple(Role),
    Role.ADMIN: tuple(role for role in Role if role is not Role.OWNER),
}


def may(user: object, permission: Permission) -> bool:
    """Whether `user` may do this in the clinic they are signed in at; never for a visitor or a disabled account."""
    role = getattr(user, "role", "") if getattr(user, "is_active", False) else ""
    return permission in PERMISSIONS.get(role, frozenset())


View = Callable[..., HttpResponse]


def permission_required(permission: Permission) -> Callable[[View], View]:
    """Answer 403 to staff whose role does not hold `permission`. Visitors were sent to sign in before."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not may(request.user, permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate
