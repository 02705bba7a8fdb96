"""The minimum: read a page, COPY it, upsert it into one plain table, commit."""

import json

import psycopg

from bench.peers.cliniko_pages import DATABASE_URL, pages

TABLE = """CREATE TABLE IF NOT EXISTS patients (
    id text PRIMARY KEY, updated_at timestamptz NOT NULL, archived_at timestamptz, payload jsonb NOT NULL)"""
UPSERT = """INSERT INTO patients SELECT * FROM page
    ON CONFLICT (id) DO UPDATE
    SET updated_at = excluded.updated_at, archived_at = excluded.archived_at, payload = excluded.payload"""


def main() -> None:
    with psycopg.connect(DATABASE_URL) as connection:
        connection.execute(TABLE)
        connection.execute("CREATE TEMP TABLE page (LIKE patients) ON COMMIT DELETE ROWS")
        connection.commit()
        for records in pages():
            with connection.cursor() as cursor:
                with cursor.copy("COPY page FROM STDIN") as copy:
                    for record in records:
                        archived = record["archived_at"] or None
                        copy.write_row((record["id"], record["updated_at"], archived, json.dumps(record)))
                cursor.execute(UPSERT)
            connection.commit()


if __name__ == "__main__":
    main()
