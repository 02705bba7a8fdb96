"""The dlt pipeline and its destination."""

import os

import dlt

from bench.peers.cliniko_pages import DATABASE_URL

SCHEMA = "clinic"
# dlt requires a password and a host; libpq uses the socket directory in the query instead.
CREDENTIALS = DATABASE_URL.replace("@:", ":unused@localhost:", 1)


def pipeline() -> dlt.Pipeline:
    folder = os.environ["BENCH_FOLDER"]
    return dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=folder,
        destination=dlt.destinations.postgres(credentials=CREDENTIALS),
        dataset_name=SCHEMA,
    )
