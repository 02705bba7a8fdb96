"""Where dlt works and what it loads into."""

import os

import dlt

from bench.peers.reading import DATABASE_URL

SCHEMA = "clinic"
# dlt insists on a password and a host; libpq takes the socket's folder that the address ends with.
CREDENTIALS = DATABASE_URL.replace("@:", ":unused@localhost:", 1)


def pipeline() -> dlt.Pipeline:
    folder = os.environ["BENCH_FOLDER"]
    return dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=folder,
        destination=dlt.destinations.postgres(credentials=CREDENTIALS),
        dataset_name=SCHEMA,
    )
