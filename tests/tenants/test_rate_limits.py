"""A key's requests are counted exactly across processes, and no minute holds more than the limit."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import chain
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenants import rate_limits
from tenants.models import KeyBudget
from tenants.rate_limits import BACKGROUND_BATCH, WINDOW, Allowance, Purpose
from tests.tenants.backdating import advance_clock

BACKGROUND: Purpose = "background"
LAUNCHES: Purpose = "launches"
PURPOSES = (BACKGROUND, LAUNCHES)
USUAL = Allowance(limit=200, reserve=60)
SMALL = Allowance(limit=12, reserve=6)
KEY = "f" * 32
MARGIN = 1.5  # seconds: more than a few statements take, less than the three seconds between spread-out requests


def spend_requests(times: int, purpose: Purpose, allowance: Allowance = USUAL, key: str = KEY) -> int:
    """Spend this many requests and return how many were allowed."""
    return sum(rate_limits.spend(key, purpose, allowance) is None for _ in range(times))


@pytest.fixture
def concurrent_requests(db: None) -> Iterator[Callable[[list[Purpose]], Counter[Purpose]]]:
    """Return a function that makes requests from eight connections at once and counts those allowed by purpose."""
    key = uuid4().hex

    def spend(purposes: list[Purpose]) -> list[Purpose]:
        try:
            return [purpose for purpose in purposes if rate_limits.spend(key, purpose, USUAL) is None]
        finally:
            connection.close()

    def delete_budget() -> None:
        KeyBudget.objects.filter(fingerprint=key).delete()
        connection.close()

    def spend_concurrently(purposes: list[Purpose]) -> Counter[Purpose]:
        return Counter(chain(*workers.map(spend, [purposes[number::8] for number in range(8)])))

    with ThreadPoolExecutor(8) as workers:
        yield spend_concurrently
        workers.submit(delete_budget).result()


@pytest.mark.parametrize(("purpose", "allowed"), [("background", 140), ("launches", 180)])
def test_exactly_the_limit_of_concurrent_requests_is_allowed(
    concurrent_requests: Callable[..., Counter[Purpose]], purpose: Purpose, allowed: int
) -> None:
    assert concurrent_requests([purpose] * 300) == {purpose: allowed}


def test_both_purposes_together_stay_below_the_limit(concurrent_requests: Callable[..., Counter[Purpose]]) -> None:
    allowed = concurrent_requests(["background", "launches"] * 200)
    assert allowed.total() == 200
    assert allowed["background"] >= USUAL.background_minimum


def test_background_requests_leave_the_reserve_to_launches(db: None) -> None:
    assert spend_requests(150, "background") == 140
    assert spend_requests(70, "launches") == 60


def test_a_flood_of_launches_leaves_a_minimum_to_background_requests(db: None) -> None:
    assert spend_requests(190, "launches") == 180
    assert spend_requests(30, "background") == USUAL.background_minimum == 20
    assert spend_requests(1, "launches") == 0


def test_launches_above_the_reserve_reduce_the_background_share(db: None) -> None:
    assert spend_requests(100, "launches") == 100
    assert spend_requests(100, "background") == 40


def test_keys_have_separate_budgets(db: None) -> None:
    assert spend_requests(150, "background") == 140
    assert spend_requests(1, "background", key="0" * 32) == 1


def test_requests_older_than_a_minute_no_longer_count(db: None) -> None:
    spend_requests(140, "background")
    advance_clock(58)
    assert spend_requests(1, "background") == 0
    advance_clock(3)
    assert spend_requests(150, "background") == 140


@settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 14), st.sampled_from(PURPOSES), st.sampled_from([0, 1, 20, 40, 61]))))
def test_no_sixty_seconds_hold_more_than_the_limit(db: None, steps: list[tuple[int, Purpose, int]]) -> None:
    key, now = uuid4().hex, 0
    requests: list[tuple[int, Purpose]] = []
    for times, purpose, pause in steps:
        for _ in range(times):
            recent = Counter(each for at, each in requests if at > now - 61)
            if not rate_limits.spend(key, purpose, SMALL):
                requests.append((now, purpose))
                assert sum(at > now - 60 for at, _ in requests) <= SMALL.limit
            elif purpose == "launches":
                assert recent.total() >= SMALL.limit or recent["launches"] >= SMALL.limit - SMALL.background_minimum
            else:
                assert recent.total() >= SMALL.limit - SMALL.reserve
                assert recent["background"] >= SMALL.background_minimum
        now += pause
        advance_clock(pause)


def next_attempt(purpose: Purpose, allowance: Allowance) -> datetime:
    free_at = rate_limits.spend(KEY, purpose, allowance)
    assert free_at is not None
    return free_at


def spread(purposes: list[Purpose], allowance: Allowance) -> None:
    """Make these requests three seconds apart."""
    for purpose in purposes:
        assert spend_requests(1, purpose, allowance) == 1
        advance_clock(3)


@pytest.mark.parametrize(
    "before",
    [
        [LAUNCHES] * 10,
        [LAUNCHES] * 10 + [BACKGROUND] * 2,
        [BACKGROUND] * 6 + [LAUNCHES] * 6,
        [BACKGROUND, LAUNCHES] * 3 + [LAUNCHES] * 6,
    ],
)
def test_a_refused_launch_gets_the_exact_time_of_its_next_attempt(db: None, before: list[Purpose]) -> None:
    spread(before, SMALL)
    wait = (next_attempt("launches", SMALL) - timezone.now()).total_seconds()
    advance_clock(wait - MARGIN)
    assert spend_requests(1, "launches", SMALL) == 0
    advance_clock(MARGIN)
    assert spend_requests(2, "launches", SMALL) == 1


def test_background_work_waits_until_a_batch_of_requests_is_free(db: None) -> None:
    spread([BACKGROUND] * 6, SMALL)
    wait = (next_attempt("background", SMALL) - timezone.now()).total_seconds()
    advance_clock(wait - MARGIN)
    assert spend_requests(9, "background", SMALL) == BACKGROUND_BATCH - 1
    advance_clock(MARGIN)
    assert spend_requests(9, "background", SMALL) == 1


def test_background_work_delayed_by_launches_waits_for_its_own_minimum_share(db: None) -> None:
    spread([BACKGROUND] * 2 + [LAUNCHES] * 10, SMALL)
    wait = (next_attempt("background", SMALL) - timezone.now()).total_seconds()
    assert wait < WINDOW.total_seconds() - 11
    advance_clock(wait - MARGIN)
    assert spend_requests(1, "background", SMALL) == 0
    advance_clock(MARGIN)
    assert spend_requests(9, "background", SMALL) == 1


def test_a_blocked_key_makes_no_requests_until_its_block_ends(db: None) -> None:
    spend_requests(1, "background")
    until = timezone.now() + timedelta(seconds=30)
    rate_limits.block(KEY, until)
    assert [rate_limits.spend(KEY, purpose, USUAL) for purpose in PURPOSES] == [until, until]
    advance_clock(30 - MARGIN)
    assert spend_requests(1, "launches") == 0
    advance_clock(MARGIN)
    assert [spend_requests(1, purpose) for purpose in PURPOSES] == [1, 1]


def test_a_later_block_does_not_shorten_an_earlier_one(db: None) -> None:
    spend_requests(1, "background")
    now = timezone.now()
    for seconds in (30, 10):
        rate_limits.block(KEY, now + timedelta(seconds=seconds))
    assert next_attempt("launches", USUAL) == now + timedelta(seconds=30)


def test_a_refused_request_is_not_counted(db: None) -> None:
    assert spend_requests(150, "background") == 140
    assert rate_limits.count_recent(KEY) == 140
    advance_clock(61)
    assert rate_limits.count_recent(KEY) == 0


def test_a_budget_row_does_not_grow(db: None) -> None:
    for _ in range(5):
        spend_requests(12, "launches", SMALL)
        advance_clock(61)
    budget = KeyBudget.objects.get(fingerprint=KEY)
    assert len(budget.launches) <= SMALL.limit


def test_budgets_unused_for_a_day_are_deleted(db: None) -> None:
    for key in ("old", "new"):
        spend_requests(1, "launches", key=key)
        if key == "old":
            advance_clock(timedelta(days=1, minutes=1).total_seconds())
    rate_limits.delete_unused()
    assert list(KeyBudget.objects.values_list("fingerprint", flat=True)) == ["new"]
