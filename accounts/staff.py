"""Who works at this clinic, and what one of them may change about another."""

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from accounts.roles import Role, grantable_roles
from audit.log import Action, record


class ChangeRefused(Exception):
    """Whoever asked may not change this about this person; the message is a sentence for them."""


class LastOwner(ChangeRefused):
    """A clinic keeps an owner who can sign in."""

    def __init__(self) -> None:
        super().__init__("This is the clinic's only owner who can sign in. Make somebody else an owner first.")


def roles_for(person: User, *, by: User) -> tuple[Role, ...]:
    """The roles that `by` may give this person, none where they may change nothing. Only owners give up their own."""
    if person.role not in grantable_roles(by) or (person.pk == by.pk and by.role != Role.OWNER):
        return ()
    return grantable_roles(by)


def may_suspend(person: User, *, by: User) -> bool:
    """Whether `by` may suspend this person, or let them in again: nobody does that to themself."""
    return person.pk != by.pk and person.role in grantable_roles(by)


def change_role(person: User, role: Role, *, by: User) -> None:
    """Give somebody another role. Raises ChangeRefused, LastOwner."""
    with transaction.atomic():
        person, by, is_last_owner = _lock(person, by)
        if role not in roles_for(person, by=by):
            raise ChangeRefused(f"Your role cannot make {person.name} {Role(role).label}.")
        if role == person.role:
            return
        if is_last_owner:
            raise LastOwner
        User.objects.filter(pk=person.pk).update(role=role)
        record(Action.ROLE_CHANGED, by=by, whom=person.email, role=role)


def suspend(person: User, *, by: User) -> None:
    """Let somebody in no more, and end their sessions. Raises ChangeRefused, LastOwner."""
    with transaction.atomic():
        person, by, is_last_owner = _lock(person, by)
        if not may_suspend(person, by=by):
            raise ChangeRefused(f"Your role cannot suspend {person.name}.")
        if not person.is_active:
            return
        if is_last_owner:
            raise LastOwner
        User.objects.filter(pk=person.pk).update(is_active=False)
        person.open_sessions.all().delete()
        record(Action.SUSPENDED, by=by, whom=person.email, role=person.role)


def reinstate(person: User, *, by: User) -> None:
    """Let somebody in again, with the role, password and second step that they had. Raises ChangeRefused."""
    with transaction.atomic():
        person, by, _ = _lock(person, by)
        if not may_suspend(person, by=by):
            raise ChangeRefused(f"Your role cannot let {person.name} in again.")
        if person.is_active:
            return
        User.objects.filter(pk=person.pk).update(is_active=True)
        record(Action.REINSTATED, by=by, whom=person.email, role=person.role)


def _lock(person: User, by: User) -> tuple[User, User, bool]:
    """Both as they are now, and whether `person` is the last owner; true until the transaction ends.

    Two owners who take each other's role at the same moment come here one after the other, and the second one finds
    that they are none any more. Everybody locks in the order of ids, so that nobody waits in a circle.
    """
    rows = User.objects.select_for_update(no_key=True).filter(Q(role=Role.OWNER) | Q(pk__in=[person.pk, by.pk]))
    held = {row.pk: row for row in rows.order_by("pk")}
    owners = {row.pk for row in held.values() if row.role == Role.OWNER and row.is_active}
    return held[person.pk], held[by.pk], owners == {person.pk}
