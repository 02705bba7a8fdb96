"""What users may change about each other: roles and suspension."""

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from accounts.roles import Role, grantable_roles
from audit.log import Action, record


class ChangeRefused(Exception):
    """The user may not make this change. The message is a sentence for them."""


class LastOwner(ChangeRefused):
    """A clinic needs an owner who can sign in."""

    def __init__(self) -> None:
        super().__init__("This is the clinic's only owner who can sign in. Make someone else an owner first.")


def roles_for(person: User, *, by: User) -> tuple[Role, ...]:
    """Return the roles that `by` may give this person. Only owners may change their own."""
    if person.role not in grantable_roles(by) or (person.pk == by.pk and by.role != Role.OWNER):
        return ()
    return grantable_roles(by)


def may_suspend(person: User, *, by: User) -> bool:
    """Return True if `by` may suspend or reinstate this person. Users can't suspend themselves."""
    return person.pk != by.pk and person.role in grantable_roles(by)


def change_role(person: User, role: Role, *, by: User) -> None:
    """Change a user's role. Raises ChangeRefused, LastOwner, AuditUnavailable."""
    with transaction.atomic():
        person, by, is_last_owner = _lock(person, by)
        if role not in roles_for(person, by=by):
            raise ChangeRefused(f"Your role can't make {person.name} {Role(role).label}.")
        if role == person.role:
            return
        if is_last_owner:
            raise LastOwner
        User.objects.filter(pk=person.pk).update(role=role)
        record(Action.ROLE_CHANGED, by=by, person=person.email, role=role)


def suspend(person: User, *, by: User) -> None:
    """Suspend a user and end their sessions. Raises ChangeRefused, LastOwner, AuditUnavailable."""
    with transaction.atomic():
        person, by, is_last_owner = _lock(person, by)
        if not may_suspend(person, by=by):
            raise ChangeRefused(f"Your role can't suspend {person.name}.")
        if not person.is_active:
            return
        if is_last_owner:
            raise LastOwner
        User.objects.filter(pk=person.pk).update(is_active=False)
        person.open_sessions.all().delete()
        record(Action.SUSPENDED, by=by, person=person.email, role=person.role)


def reinstate(person: User, *, by: User) -> None:
    """Unsuspend a user, with their former role, password and second factors. Raises ChangeRefused, AuditUnavailable."""
    with transaction.atomic():
        person, by, _ = _lock(person, by)
        if not may_suspend(person, by=by):
            raise ChangeRefused(f"Your role can't unsuspend {person.name}.")
        if person.is_active:
            return
        User.objects.filter(pk=person.pk).update(is_active=True)
        record(Action.REINSTATED, by=by, person=person.email, role=person.role)


def _lock(person: User, by: User) -> tuple[User, User, bool]:
    """Lock and reload both users, and return whether `person` is the last owner, all valid until the commit.

    All owners are locked too: of two owners who demote each other at once, the second finds that they no longer are
    one. Ordering by id prevents deadlocks.
    """
    rows = User.objects.select_for_update(no_key=True).filter(Q(role=Role.OWNER) | Q(pk__in=[person.pk, by.pk]))
    users = {row.pk: row for row in rows.order_by("pk")}
    owners = {row.pk for row in users.values() if row.role == Role.OWNER and row.is_active}
    return users[person.pk], users[by.pk], owners == {person.pk}
