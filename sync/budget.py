"""One key's share of the requests that Cliniko allows, as the client asks for it."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from sync.cliniko import ApiKey
from sync.counted import REQUESTS, status_class
from sync.errors import BudgetSpent
from sync.sealing import fingerprint
from tenants import budgets
from tenants.budgets import Allowance, Purpose


@dataclass(frozen=True)
class Share:
    """Implements sync.cliniko.Budget: what one purpose may spend of a key's requests."""

    fingerprint: str
    purpose: Purpose
    allowance: Allowance

    def spend(self) -> None:
        until = budgets.spend(self.fingerprint, self.purpose, self.allowance)
        if until:
            raise BudgetSpent(until)

    def answered(self, status: int | None) -> None:
        REQUESTS.add(purpose=self.purpose, status=status_class(status))

    def block(self, until: datetime) -> None:
        budgets.block(self.fingerprint, until)

    def left(self) -> int:
        """Requests of this minute that nobody has made yet."""
        return max(0, self.allowance.limit - budgets.spent(self.fingerprint))


def share_of(key: ApiKey, purpose: Purpose) -> Share:
    allowance = Allowance(settings.CLINIKO_REQUESTS_PER_MINUTE, settings.CLINIKO_REQUESTS_RESERVED)
    return Share(fingerprint(key, keys=settings.SEALING_KEYS), purpose, allowance)
