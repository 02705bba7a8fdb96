"""The minimum of an export: every row as JSON, from COPY straight to gzip."""

import gzip
import sys

import psycopg

# zlib's default, as in the product
LEVEL = 6


def main(database: str, schema: str, file: str) -> None:
    with psycopg.connect(database) as connection, gzip.open(file, "wb", compresslevel=LEVEL) as file_:
        for table in ("sync_patient", "sync_appointment"):
            with connection.cursor().copy(f"COPY (SELECT row_to_json(t) FROM {schema}.{table} AS t) TO STDOUT") as rows:
                for row in rows:
                    file_.write(row)


if __name__ == "__main__":
    main(*sys.argv[1:])
