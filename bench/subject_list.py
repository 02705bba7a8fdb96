"""All subjects of the bench."""

from bench.subjects import Script, Sidechart, Singer, Subject

SCHEMA_TABLE = "clinic.patients"  # dlt and Singer need their own schema
BASELINE = Script("baseline", "requests + json + COPY (baseline)", ("baseline",))
SIDECHART = Sidechart()

IMPORTERS: tuple[Subject, ...] = (
    BASELINE,
    SIDECHART,
    Script("bulk_create", "requests + Django bulk_create(update_conflicts)", ("bulk_create", "all")),
    Script("update_or_create", "requests + Django update_or_create", ("update_or_create", "20"), max_patients=2_000),
    Script("dlt", "dlt, defaults", ("dlt_default",), "dlt", SCHEMA_TABLE),
    Script("dlt_tuned", "dlt, tuned", ("dlt_tuned", "rows"), "dlt", SCHEMA_TABLE),
    Script("dlt_arrow", "dlt, tuned, with Arrow tables", ("dlt_tuned",), "dlt", SCHEMA_TABLE),
    Singer("singer", "Singer: SDK tap, target-postgres", ("singer_tap",), "singer", SCHEMA_TABLE),
)

# Importers as run every day, over a changing list.
FOLLOWERS: tuple[Subject, ...] = (
    SIDECHART,
    Script("dlt_pages", "dlt, full list by page number", ("dlt_default", "live"), "dlt", SCHEMA_TABLE),
    Script("dlt_cursor", "dlt, incremental by updated_at", ("dlt_default", "incremental"), "dlt", SCHEMA_TABLE),
    Singer("singer_cursor", "Singer, incremental by updated_at", ("singer_tap", "incremental"), "singer", SCHEMA_TABLE),
    Script("newest", "bulk_create since latest updated_at", ("bulk_create", "newest")),
    Script("now", "bulk_create since last run", ("bulk_create", "now")),
)
