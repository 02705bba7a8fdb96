"""A key's share of Cliniko's rate limit."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from sync.cliniko.client import ApiKey
from sync.cliniko.errors import BudgetSpent
from sync.connection.sealing import fingerprint
from sync.metrics import REQUESTS, status_class
from tenants import rate_limits
from tenants.rate_limits import Allowance, Purpose


@dataclass(frozen=True)
class Share:
    """How many of a key's requests one purpose may make. Implements sync.cliniko.client.Budget."""

    fingerprint: str
    purpose: Purpose
    allowance: Allowance

    def spend(self) -> None:
        until = rate_limits.spend(self.fingerprint, self.purpose, self.allowance)
        if until:
            raise BudgetSpent(until)

    def record_response(self, status: int | None) -> None:
        REQUESTS.add(purpose=self.purpose, status=status_class(status))

    def block(self, until: datetime) -> None:
        rate_limits.block(self.fingerprint, until)

    def remaining(self) -> int:
        """Return how many requests the key may still make this minute, for any purpose."""
        return max(0, self.allowance.limit - rate_limits.count_recent(self.fingerprint))


def share_for(key: ApiKey, purpose: Purpose) -> Share:
    allowance = Allowance(settings.CLINIKO_REQUESTS_PER_MINUTE, settings.CLINIKO_REQUESTS_RESERVED)
    return Share(fingerprint(key, keys=settings.SEALING_KEYS), purpose, allowance)
