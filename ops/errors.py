"""The errors that operators read."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, ProgrammingError
from psycopg import Error
from psycopg.errors import InsufficientPrivilege, UndefinedColumn, UndefinedTable

from tenants.models import Clinic

_SENTENCES: dict[object, str] = {
    UndefinedTable: "Tables are missing: run `manage.py migrate`, or `clinic restore` if the clinic's schema is gone.",
    UndefinedColumn: "The tables belong to another version: run `manage.py migrate`.",
    InsufficientPrivilege: "The database user doesn't have permission to do this.",
}


class Refused(Exception):
    """The operation can't be done. The message is a sentence for the operator."""


def require_working(clinic: Clinic) -> None:
    """Raise Refused if the clinic is suspended or closed."""
    if not clinic.is_working:
        raise Refused(f"{clinic.label} is {clinic.display_state}: it doesn't sync, and its API key isn't used.")


@contextmanager
def translate_database_errors() -> Iterator[None]:
    """Raise Refused, with a sentence, for a database that is down, failing or at another version."""
    try:
        yield
    except ProgrammingError as failure:
        sentence = _SENTENCES.get(type(failure.__cause__))
        if sentence is None:
            raise
        raise Refused(sentence) from None
    except (OperationalError, InterfaceError) as failure:
        cause = failure.__cause__
        answered = isinstance(cause, Error) and cause.sqlstate
        sentence = f"The database failed ({type(cause).__name__})." if answered else "The database isn't responding."
        raise Refused(f"{sentence} See docs/runbooks/database.md.") from None
