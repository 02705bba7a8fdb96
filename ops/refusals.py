"""What ops are told when something is not done."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError
from psycopg import Error


class Refused(Exception):
    """What was asked for cannot be done; the message is a sentence for ops."""


@contextmanager
def database_failure() -> Iterator[None]:
    """Turn a database that does not answer, or cannot go on, into a sentence. Raises Refused."""
    try:
        yield
    except (OperationalError, InterfaceError) as failure:
        cause = failure.__cause__
        named = isinstance(cause, Error) and cause.sqlstate
        sentence = f"The database cannot go on ({type(cause).__name__})." if named else "The database does not answer."
        raise Refused(f"{sentence} See docs/runbooks/database.md.") from None
