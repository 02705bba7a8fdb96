"""Sealing every clinic's secrets, and the second factors of ops, with the first of SEALING_KEYS, so that the others can
be taken away."""

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
class Resealed:
    """How many clinics were seen, and by label those with something that did not open or could not be reached."""

    clinics: int = 0
    keys_unopened: list[str] = field(default_factory=list)
    factors_unopened: dict[str, int] = field(default_factory=dict)
    unreachable: list[str] = field(default_factory=list)
    factors_of_ops_unopened: int = 0

    def in_words(self, *, dry_run: bool) -> str:
        is_ = "would be" if dry_run else "is"
        lines = [f"{self.clinics} clinics: everything that opens {is_} sealed with the first of SEALING_KEYS."]
        lines += [f"{label}: its Cliniko API key does not open." for label in self.keys_unopened]
        lines += [f"{label}: {count} second factors do not open." for label, count in self.factors_unopened.items()]
        if self.factors_of_ops_unopened:
            lines.append(f"{self.factors_of_ops_unopened} second factors of ops do not open.")
        return "\n".join([*lines, *(f"{label}: its tables cannot be read." for label in self.unreachable)])

    def require_all(self) -> None:
        """Raises Refused when an old key may still be needed."""
        if self.keys_unopened or self.factors_unopened or self.unreachable or self.factors_of_ops_unopened:
            raise Refused("Not everything opened: keep the old SEALING_KEYS until it does, or is entered again.")


def reseal(*, dry_run: bool = False) -> Resealed:
    """Go through ops and every clinic, suspended ones too, each in a transaction of its own; may be run again at any
    time. A dry run finds what does not open, and keeps everything as it was. The caller stands in public."""
    done = Resealed()
    with transaction.atomic():
        done.factors_of_ops_unopened = second_factors.reseal()
        transaction.set_rollback(dry_run)
    for clinic in Clinic.objects.exclude(state=Clinic.State.PURGED).order_by("label"):
        try:
            with enter_clinic(clinic), transaction.atomic():
                key_opens, unopened = sealing.reseal(), second_factors.reseal()
                transaction.set_rollback(dry_run)
        except DatabaseError as failure:
            log.error("clinic_not_resealed", clinic=clinic.label, exc_info=failure)
            done.unreachable.append(clinic.label)
            continue
        done.clinics += 1
        if not key_opens:
            done.keys_unopened.append(clinic.label)
        if unopened:
            done.factors_unopened[clinic.label] = unopened
    return done
