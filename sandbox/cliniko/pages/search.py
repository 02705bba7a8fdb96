"""Finding a patient as staff do: by any part of a name, e-mail or id, whatever the accents and capitals."""

import unicodedata
from dataclasses import dataclass

from sandbox.cliniko.data.records import Record
from sandbox.cliniko.store import Store

PER_PAGE = 30
SEARCHED = ("first_name", "preferred_first_name", "last_name", "email")
WORDS = " || ".join(f"coalesce(json_extract(body, '$.{name}'), '') || ' '" for name in SEARCHED)
HAYSTACK = f"fold({WORDS} || id)"


@dataclass(frozen=True)
class Found:
    patients: list[Record]
    total: int
    page: int

    @property
    def last_page(self) -> int:
        return max(1, -(-self.total // PER_PAGE))


def find_patients(store: Store, account: str, text: str, *, page: int = 1, archived: bool = False) -> Found:
    """All words must occur; alphabetical by family name."""
    words = [f"%{word.replace('%', '').replace('_', '')}%" for word in fold(text).split()]
    where = (
        f"account = ? AND resource = 'patients' AND deleted_at IS NULL AND {'1' if archived else 'archived_at IS NULL'}"
    )
    where += f" AND {HAYSTACK} LIKE ?" * len(words)
    order = "fold(json_extract(body, '$.last_name') || ' ' || json_extract(body, '$.first_name')), id LIMIT ? OFFSET ?"
    with store.reading() as connection:
        connection.create_function("fold", 1, fold, deterministic=True)
        total = connection.execute(f"SELECT count(*) FROM records WHERE {where}", (account, *words)).fetchone()[0]
        sql = f"SELECT * FROM records WHERE {where} ORDER BY {order}"
        rows = connection.execute(sql, (account, *words, PER_PAGE, (page - 1) * PER_PAGE)).fetchall()
    return Found([Record.from_row(row) for row in rows], total, page)


def fold(text: object) -> str:
    plain = unicodedata.normalize("NFKD", str(text or ""))
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold().strip()
