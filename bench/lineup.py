"""All subjects of the bench."""

from bench.subjects import Script, Sidechart, Singer, Subject

CLINIC = "clinic.patients"  # dlt, Singer and PyAirbyte want a schema of their own
FLOOR = Script("floor", "requests + json + COPY (the floor)", ("floor",))
SIDECHART = Sidechart()

IMPORTERS: tuple[Subject, ...] = (
    FLOOR,
    SIDECHART,
    Script("bulk_create", "requests + Django bulk_create(update_conflicts)", ("bulk_create", "all")),
    Script("update_or_create", "requests + Django update_or_create", ("update_or_create", "20"), most=2_000),
    Script("dlt", "dlt, as it comes", ("dlt_default",), "dlt", CLINIC),
    Script("dlt_tuned", "dlt, tuned", ("dlt_tuned", "rows"), "dlt", CLINIC),
    Script("dlt_arrow", "dlt, tuned, Arrow tables by hand", ("dlt_tuned",), "dlt", CLINIC),
    Singer("singer", "Singer: SDK tap, target-postgres", ("singer_tap",), "singer", CLINIC),
    Script("airbyte", "PyAirbyte, PostgreSQL cache", ("airbyte_cache",), "airbyte", CLINIC),
)

# The same importers as they are run day after day, over a list that moves.
FOLLOWERS: tuple[Subject, ...] = (
    SIDECHART,
    Script("dlt_pages", "dlt, the whole list page by page", ("dlt_default", "live"), "dlt", CLINIC),
    Script("dlt_cursor", "dlt, sorted by updated_at, its cursor", ("dlt_default", "incremental"), "dlt", CLINIC),
    Singer(
        "singer_cursor", "Singer, sorted by updated_at, its bookmark", ("singer_tap", "incremental"), "singer", CLINIC
    ),
    Script("newest", "bulk_create, cursor: latest updated_at", ("bulk_create", "newest")),
    Script("now", "bulk_create, cursor: time of the last run", ("bulk_create", "now")),
)
