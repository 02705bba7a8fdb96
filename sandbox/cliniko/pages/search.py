"""Search patients by any part of a name, email or id, ignoring case and accents."""

import unicodedata
from dataclasses import dataclass

from sandbox.cliniko.data.records import Record
from sandbox.cliniko.store import Store

PER_PAGE = 30
SEARCHED = ("first_name", "preferred_first_name", "last_name", "email")
WORDS = " || ".join(f"coalesce(json_extract(body, '$.{name}'), '') || ' '" for name in SEARCHED)
HAYSTACK = f"normalize({WORDS} || id)"


@dataclass(frozen=True)
class SearchResults:
    patients: list[Record]
    total: int
    page: int

    @property
    def last_page(self) -> int:
        return max(1, -(-self.total // PER_PAGE))


def find_patients(store: Store, account: str, text: str, *, page: int = 1, archived: bool = False) -> SearchResults:
    """Return a page of the patients that match every word, by last name."""
    words = [f"%{word.replace('%', '').replace('_', '')}%" for word in normalize(text).split()]
    where = (
        f"account = ? AND resource = 'patients' AND deleted_at IS NULL AND {'1' if archived else 'archived_at IS NULL'}"
    )
    where += f" AND {HAYSTACK} LIKE ?" * len(words)
    name = "json_extract(body, '$.last_name') || ' ' || json_extract(body, '$.first_name')"
    with store.reading() as connection:
        connection.create_function("normalize", 1, normalize, deterministic=True)
        total = connection.execute(f"SELECT count(*) FROM records WHERE {where}", (account, *words)).fetchone()[0]
        sql = f"SELECT * FROM records WHERE {where} ORDER BY normalize({name}), id LIMIT ? OFFSET ?"
        rows = connection.execute(sql, (account, *words, PER_PAGE, (page - 1) * PER_PAGE)).fetchall()
    return SearchResults([Record.from_row(row) for row in rows], total, page)


def normalize(text: object) -> str:
    plain = unicodedata.normalize("NFKD", str(text or ""))
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold().strip()
