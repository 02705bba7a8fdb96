"""An access pack: all that is held about one patient, as a ZIP to hand out when they ask for it."""

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
class Held:
    """What the pack is made of."""

    record: PatientRecord
    clinic: str
    made_at: datetime
    data: dict[str, list[dict[str, Any]]]
    notes: list[dict[str, Any]]
    drafts: list[dict[str, Any]]
    log: list[Event]

    @property
    def appointments(self) -> tuple[Appointment, ...]:
        """The latest first."""
        return (*reversed(self.record.coming), *self.record.past)


def make(record: PatientRecord, *, clinic: Clinic, now: datetime) -> bytes:
    """The ZIP. Made in memory: nothing of it is left on a disk."""
    ids = [record.cliniko_id, *record.merged_from]
    log = list(Event.objects.filter(access_log.about(record)).order_by("-pk"))
    held = Held(
        record,
        clinic.name,
        now,
        subject_access.patient_data(ids),
        notes.everything_on(ids),
        drafts.everything_on(ids),
        log,
    )
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _files(held).items():
            archive.writestr(name, content)
    return packed.getvalue()


def _files(held: Held) -> dict[str, str]:
    zone = held.record.clinic.time_zone
    rows = (access_log.as_row(event, zone) for event in held.log)
    context = {"held": held, "record": held.record, "zone": zone}
    with timezone.override(zone):
        pages = {
            "README.txt": render_to_string("launch/access_pack.txt", context),
            "index.html": render_to_string("launch/access_pack.html", context),
        }
    return pages | {
        "data.json": _json({"patient": held.record.cliniko_id, "made_at": held.made_at} | held.data),
        "notes.json": _json(held.notes),
        "drafts.json": _json(held.drafts),
        "access-log.json": _json([_line(event, zone) for event in held.log]),
        "access-log.csv": spreadsheets.opening(access_log.HEADINGS) + spreadsheets.lines(rows),
    }


def _line(event: Event, zone: str) -> dict[str, Any]:
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
