"""Build the subject access file: all data about one patient, as a ZIP to give them when they ask for it."""

import json
import zipfile
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

from django.core.serializers.json import DjangoJSONEncoder
from django.template.loader import render_to_string
from django.utils import timezone

from audit.models import Event
from exports import spreadsheets
from launch import access_log, drafts, notes
from sync.read import subject_access
from sync.read.records import Appointment, PatientRecord
from tenants.models import Clinic


@dataclass(frozen=True)
class Contents:
    """The data that the files are made from. `log` is newest first."""

    record: PatientRecord
    clinic: str
    made_at: datetime
    data: dict[str, list[dict[str, Any]]]
    notes: list[dict[str, Any]]
    drafts: list[dict[str, Any]]
    log: list[Event]

    @property
    def appointments(self) -> tuple[Appointment, ...]:
        """Return upcoming and past appointments, latest first."""
        return (*reversed(self.record.upcoming), *self.record.past)


def build_zip(record: PatientRecord, *, clinic: Clinic, now: datetime) -> bytes:
    """Return the ZIP, built in memory so that nothing of it is left on a disk."""
    ids = [record.cliniko_id, *record.merged_from]
    contents = Contents(
        record,
        clinic.name,
        now,
        subject_access.patient_data(ids),
        notes.all_about(ids),
        drafts.all_about(ids),
        list(Event.objects.filter(access_log.about(record)).order_by("-pk")),
    )
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _files(contents).items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _files(contents: Contents) -> dict[str, str]:
    zone = contents.record.clinic.time_zone
    rows = (access_log.as_row(event, zone) for event in contents.log)
    context = {"contents": contents, "record": contents.record, "zone": zone}
    with timezone.override(zone):
        pages = {
            "README.txt": render_to_string("launch/subject_access.txt", context),
            "index.html": render_to_string("launch/subject_access.html", context),
        }
    return pages | {
        "data.json": _json({"patient": contents.record.cliniko_id, "made_at": contents.made_at} | contents.data),
        "notes.json": _json(contents.notes),
        "drafts.json": _json(contents.drafts),
        "access-log.json": _json([_entry(event, zone) for event in contents.log]),
        "access-log.csv": spreadsheets.csv_header(access_log.HEADINGS) + spreadsheets.csv_rows(rows),
    }


def _entry(event: Event, zone: str) -> dict[str, Any]:
    return {
        "line": event.pk,
        "at": event.occurred_at.astimezone(ZoneInfo(zone)).isoformat(),
        "who": event.user_email,
        "action": event.action,
        "in_words": event.get_action_display(),
        "patient": event.patient_id,
        "details": event.details,
    }


def _json(content: object) -> str:
    return json.dumps(content, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)
