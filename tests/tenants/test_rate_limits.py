"""A key's requests are counted exactly, whoever makes them, and in no minute are there more than allowed."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
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
MOMENT = 1.5  # seconds: longer than a few statements take, and shorter than requests that are spread lie apart


def ask(times: int, purpose: Purpose, allowance: Allowance = USUAL, key: str = KEY) -> int:
    """How many of so many requests may be made."""
    return sum(rate_limits.spend(key, purpose, allowance) is None for _ in range(times))


@pytest.fixture
def on_their_own(db: None) -> Iterator[Callable[[list[Purpose]], Counter[Purpose]]]:
    """`on_their_own([...])`: ask for these at once from eight connections, whose commits are real, and count what was
    granted by purpose."""
    key = uuid4().hex

    def spend(purpose: Purpose) -> Purpose | None:
        return None if rate_limits.spend(key, purpose, USUAL) else purpose

    def work(purposes: list[Purpose]) -> list[Purpose | None]:
        try:
            return [spend(purpose) for purpose in purposes]
        finally:
            connection.close()

    def forget() -> None:
        KeyBudget.objects.filter(fingerprint=key).delete()
        connection.close()

    def together(purposes: list[Purpose]) -> Counter[Purpose]:
        granted = workers.map(work, [purposes[number::8] for number in range(8)])
        return Counter(purpose for each in granted for purpose in each if purpose)

    with ThreadPoolExecutor(8) as workers:
        yield together
        workers.submit(forget).result()


@pytest.mark.parametrize(("purpose", "allowed"), [("background", 140), ("launches", 180)])
def test_of_three_hundred_requests_at_once_exactly_those_allowed_are_made(
    on_their_own: Callable[..., Counter[Purpose]], purpose: Purpose, allowed: int
) -> None:
    assert on_their_own([purpose] * 300) == {purpose: allowed}


def test_both_purposes_at_once_never_make_more_than_the_limit(on_their_own: Callable[..., Counter[Purpose]]) -> None:
    granted = on_their_own(["background", "launches"] * 200)
    assert granted.total() == 200
    assert granted["background"] >= USUAL.least


def test_background_work_leaves_the_reserve_to_launches(db: None) -> None:
    assert ask(150, "background") == 140
    assert ask(70, "launches") == 60


def test_a_flood_of_launches_leaves_some_to_the_background(db: None) -> None:
    assert ask(190, "launches") == 180
    assert ask(30, "background") == USUAL.least == 20
    assert ask(1, "launches") == 0


def test_launches_that_took_more_than_the_reserve_leave_less_to_the_background(db: None) -> None:
    assert ask(100, "launches") == 100
    assert ask(100, "background") == 40


def test_one_key_does_not_count_for_another(db: None) -> None:
    assert ask(150, "background") == 140
    assert ask(1, "background", key="0" * 32) == 1


def test_what_was_asked_a_minute_ago_no_longer_counts(db: None) -> None:
    ask(140, "background")
    advance_clock(58)
    assert ask(1, "background") == 0
    advance_clock(3)
    assert ask(150, "background") == 140


@settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 14), st.sampled_from(PURPOSES), st.sampled_from([0, 1, 20, 40, 61]))))
def test_no_sixty_seconds_hold_more_than_the_limit_wherever_they_begin(
    db: None, steps: list[tuple[int, Purpose, int]]
) -> None:
    key, now = uuid4().hex, 0
    made: list[tuple[int, Purpose]] = []
    for times, purpose, pause in steps:
        for _ in range(times):
            lately = Counter(each for at, each in made if at > now - 61)
            if not rate_limits.spend(key, purpose, SMALL):
                made.append((now, purpose))
                assert sum(at > now - 60 for at, _ in made) <= SMALL.limit
            elif purpose == "launches":
                assert lately.total() >= SMALL.limit or lately["launches"] >= SMALL.limit - SMALL.least
            else:
                assert lately.total() >= SMALL.limit - SMALL.reserve
                assert lately["background"] >= SMALL.least
        now += pause
        advance_clock(pause)


def told(purpose: Purpose, allowance: Allowance) -> datetime:
    free_at = rate_limits.spend(KEY, purpose, allowance)
    assert free_at is not None
    return free_at


def spread(purposes: list[Purpose], allowance: Allowance) -> None:
    """Ask for these, three seconds apart."""
    for purpose in purposes:
        assert ask(1, purpose, allowance) == 1
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
def test_a_launch_is_told_the_very_moment_from_which_it_may_ask(db: None, before: list[Purpose]) -> None:
    spread(before, SMALL)
    wait = (told("launches", SMALL) - timezone.now()).total_seconds()
    advance_clock(wait - MOMENT)
    assert ask(1, "launches", SMALL) == 0
    advance_clock(MOMENT)
    assert ask(2, "launches", SMALL) == 1


def test_background_work_is_told_when_it_is_worth_a_turn(db: None) -> None:
    spread([BACKGROUND] * 6, SMALL)
    wait = (told("background", SMALL) - timezone.now()).total_seconds()
    advance_clock(wait - MOMENT)
    assert ask(9, "background", SMALL) == BACKGROUND_BATCH - 1
    advance_clock(MOMENT)
    assert ask(9, "background", SMALL) == 1


def test_background_work_that_a_flood_of_launches_holds_up_is_told_when_its_own_share_is_free(db: None) -> None:
    spread([BACKGROUND] * 2 + [LAUNCHES] * 10, SMALL)
    wait = (told("background", SMALL) - timezone.now()).total_seconds()
    assert wait < WINDOW.total_seconds() - 11
    advance_clock(wait - MOMENT)
    assert ask(1, "background", SMALL) == 0
    advance_clock(MOMENT)
    assert ask(9, "background", SMALL) == 1


def test_a_key_that_cliniko_refused_asks_nothing_until_then_and_is_told_so(db: None) -> None:
    ask(1, "background")
    until = timezone.now() + timedelta(seconds=30)
    rate_limits.block(KEY, until)
    assert [rate_limits.spend(KEY, purpose, USUAL) for purpose in PURPOSES] == [until, until]
    advance_clock(30 - MOMENT)
    assert ask(1, "launches") == 0
    advance_clock(MOMENT)
    assert [ask(1, purpose) for purpose in PURPOSES] == [1, 1]


def test_a_later_refusal_does_not_shorten_an_earlier_one(db: None) -> None:
    ask(1, "background")
    now = timezone.now()
    for seconds in (30, 10):
        rate_limits.block(KEY, now + timedelta(seconds=seconds))
    assert told("launches", USUAL) == now + timedelta(seconds=30)


def test_a_refused_request_is_not_counted(db: None) -> None:
    assert ask(150, "background") == 140
    assert rate_limits.count_recent(KEY) == 140
    advance_clock(61)
    assert rate_limits.count_recent(KEY) == 0


def test_what_is_stored_does_not_grow(db: None) -> None:
    for _ in range(5):
        ask(12, "launches", SMALL)
        advance_clock(61)
    held = KeyBudget.objects.get(fingerprint=KEY)
    assert len(held.launches) <= SMALL.limit


def test_keys_that_asked_nothing_for_a_day_are_forgotten(db: None) -> None:
    for key in ("old", "new"):
        ask(1, "launches", key=key)
        if key == "old":
            advance_clock(timedelta(days=1, minutes=1).total_seconds())
    rate_limits.delete_unused()
    assert list(KeyBudget.objects.values_list("fingerprint", flat=True)) == ["new"]
