"""Time that passes for the counts of requests, whose clock is the database's."""

from django.db import connection

OLDER = """
UPDATE public.tenants_keybudget SET
  background = ARRAY(SELECT at - make_interval(secs => %(seconds)s) FROM unnest(background) AS at),
  launches = ARRAY(SELECT at - make_interval(secs => %(seconds)s) FROM unnest(launches) AS at),
  blocked_until = blocked_until - make_interval(secs => %(seconds)s),
  used_at = used_at - make_interval(secs => %(seconds)s)"""


def advance_clock(seconds: float) -> None:
    """Let so much time pass for all that is stored."""
    with connection.cursor() as cursor:
        cursor.execute(OLDER, {"seconds": seconds})
