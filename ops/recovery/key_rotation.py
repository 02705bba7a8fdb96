"""Rotate sealing keys: reseal every secret with the first of SEALING_KEYS, so that the others can be removed."""

from dataclasses import dataclass, field

import structlog
from django.db import DatabaseError, transaction

from accounts import second_factors
from ops.errors import Refused
from sync.connection import sealing
from tenants.context import enter_clinic
from tenants.models import Clinic

log = structlog.get_logger(__name__)


@dataclass
class ResealResult:
    """How many clinics were resealed, and what couldn't be decrypted or reached, by label. Fields are the JSON keys."""

    clinics: int = 0
    keys_unopened: list[str] = field(default_factory=list)
    factors_unopened: dict[str, int] = field(default_factory=dict)
    unreachable: list[str] = field(default_factory=list)
    factors_of_ops_unopened: int = 0

    def summary(self, *, dry_run: bool) -> str:
        verb = "would be" if dry_run else "is"
        lines = [f"{self.clinics} clinics: all that can be decrypted {verb} sealed with the first of SEALING_KEYS."]
        lines += [f"{label}: the Cliniko API key can't be decrypted." for label in self.keys_unopened]
        lines += [f"{label}: {n} second factors can't be decrypted." for label, n in self.factors_unopened.items()]
        if self.factors_of_ops_unopened:
            lines.append(f"{self.factors_of_ops_unopened} second factors of operators can't be decrypted.")
        return "\n".join([*lines, *(f"{label}: its tables can't be read." for label in self.unreachable)])

    def require_all(self) -> None:
        """Raise Refused if an old key may still be needed."""
        if self.keys_unopened or self.factors_unopened or self.unreachable or self.factors_of_ops_unopened:
            raise Refused("Some secrets can't be decrypted: keep the old SEALING_KEYS until they can, or are replaced.")


def reseal(*, dry_run: bool = False) -> ResealResult:
    """Reseal the secrets of operators and of every clinic, suspended ones too, each in its own transaction.

    A dry run rolls back and only finds what can't be decrypted. Call from the public schema; safe to repeat.
    """
    result = ResealResult()
    with transaction.atomic():
        result.factors_of_ops_unopened = second_factors.reseal()
        transaction.set_rollback(dry_run)
    for clinic in Clinic.objects.exclude(state=Clinic.State.PURGED).order_by("label"):
        try:
            with enter_clinic(clinic), transaction.atomic():
                key_opens, unopened = sealing.reseal(), second_factors.reseal()
                transaction.set_rollback(dry_run)
        except DatabaseError as failure:
            log.error("clinic_not_resealed", clinic=clinic.label, exc_info=failure)
            result.unreachable.append(clinic.label)
            continue
        result.clinics += 1
        if not key_opens:
            result.keys_unopened.append(clinic.label)
        if unopened:
            result.factors_unopened[clinic.label] = unopened
    return result
