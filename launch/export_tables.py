"""What of launch's tables is exported, column by column, and what isn't and why."""

from exports.registry import ExportTable, register_tables
from launch.models import ButtonClick, ClinicSettings, Draft, Note, NoteVersion

register_tables(
    (
        ExportTable(
            Note,
            "notes",
            "The clinic's own notes about patients as they read now, including deleted ones.",
            tuple(
                "id patient_id text version author created_at editor edited_at pinned deleted_by deleted_at"
                " set_aside_at".split()
            ),
            order="id",
        ),
        ExportTable(
            NoteVersion,
            "note_versions",
            "The text of each note at first and after each edit.",
            tuple("id note_id number text author author_email written_at".split()),
            order="id",
        ),
        ExportTable(
            Draft,
            "drafts",
            "Text about patients that staff typed and haven't saved as a note.",
            tuple("id user_id patient_id note_id version text saved_at".split()),
            order="id",
            excluded={"view_id": "The page view that it was typed in."},
        ),
        ExportTable(
            ClinicSettings,
            "clinic_settings",
            "Choices on the settings pages. No record: the defaults apply.",
            tuple("shows_card_numbers onboarding_postponed onboarding_finished_at".split()),
            excluded={"id": "The table has one row."},
        ),
    ),
    excluded={ButtonClick: "The latest clicks on the button in Cliniko, for setting it up."},
)
