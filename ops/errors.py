"""What ops are told when something is not done."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, ProgrammingError
from psycopg import Error
from psycopg.errors import InsufficientPrivilege, UndefinedColumn, UndefinedTable

from tenants.models import Clinic

_SENTENCES: dict[object, str] = {
    UndefinedTable: "Tables are missing: run `manage.py migrate`, or `clinic restore` for a clinic whose own are gone.",
    UndefinedColumn: "The tables are of another version: run `manage.py migrate`.",
    InsufficientPrivilege: "The database's user may not do this.",
}


class Refused(Exception):
    """What was asked for cannot be done; the message is a sentence for ops."""


def require_work(clinic: Clinic) -> None:
    """Raises Refused for a clinic that is suspended, or past its last day."""
    if not clinic.is_working:
        raise Refused(f"{clinic.label} is {clinic.state_word}: nothing is synced, and its key stays unused.")


@contextmanager
def database_failure() -> Iterator[None]:
    """Turn a database that does not answer, cannot go on or is not the one that we need into a sentence. Raises
    Refused."""
    try:
        yield
    except ProgrammingError as failure:
        sentence = _SENTENCES.get(type(failure.__cause__))
        if sentence is None:
            raise
        raise Refused(sentence) from None
    except (OperationalError, InterfaceError) as failure:
        cause = failure.__cause__
        named = isinstance(cause, Error) and cause.sqlstate
        sentence = f"The database cannot go on ({type(cause).__name__})." if named else "The database does not answer."
        raise Refused(f"{sentence} See docs/runbooks/database.md.") from None
