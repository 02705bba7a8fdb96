"""Every error of the client has one outcome."""

import pytest
from django.utils import timezone

from sync.cliniko import errors
from sync.connection.outcome import Outcome, outcome_of
from sync.connection.state import NoKey


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (errors.RateLimited(timezone.now()), Outcome.RATE_LIMITED),
        (errors.BudgetSpent(timezone.now()), Outcome.RATE_LIMITED),
        (errors.Unreachable(), Outcome.UNREACHABLE),
        (errors.ServerError(), Outcome.UNREACHABLE),
        (errors.KeyInvalid(), Outcome.KEY_INVALID),
        (errors.KeyForbidden(), Outcome.KEY_FORBIDDEN),
        (errors.RequestRefused(), Outcome.UNREADABLE),
        (errors.NotFilterable(), Outcome.UNREADABLE),
        (errors.RecordNotFound(), Outcome.UNREADABLE),
        (NoKey(), Outcome.NO_KEY),
    ],
)
def test_an_error_has_one_outcome(failure: errors.ClinikoError, outcome: Outcome) -> None:
    assert outcome_of(failure) is outcome
