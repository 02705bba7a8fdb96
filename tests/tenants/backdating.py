"""Backdate request budgets, which use the database's clock."""

from django.db import connection

BACKDATE = """
UPDATE public.tenants_keybudget SET
  background = ARRAY(SELECT at - make_interval(secs => %(seconds)s) FROM unnest(background) AS at),
  launches = ARRAY(SELECT at - make_interval(secs => %(seconds)s) FROM unnest(launches) AS at),
  blocked_until = blocked_until - make_interval(secs => %(seconds)s),
  used_at = used_at - make_interval(secs => %(seconds)s)"""


def advance_clock(seconds: float) -> None:
    """Make all stored times this much older."""
    with connection.cursor() as cursor:
        cursor.execute(BACKDATE, {"seconds": seconds})
