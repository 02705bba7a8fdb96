"""The privacy page's picture of what the clinic stores, and the form for how long."""

from dataclasses import dataclass
from typing import Any

from django import forms

from accounts import sessions
from launch.models import ClinicSettings
from sync import excluded_fields, retention
from sync.excluded_fields import GroupStatus
from sync.field_groups import REQUIRED
from sync.read import status
from sync.retention import RetentionPolicy

NOT_TICKED = "Tick the box: what is removed does not come back by itself."
_CHIPS = {"kept": ("Stored", "good"), "left_out": ("Not stored", "warn"), "restoring": ("Being read again", "accent")}


@dataclass(frozen=True)
class Line:
    """One group of fields as the page shows it."""

    kept: GroupStatus
    chip: str
    tone: str
    error: str = ""


class PeriodsForm(forms.ModelForm):
    """For how many days things are kept. Fewer than before takes a tick."""

    confirmed = forms.BooleanField(required=False)

    class Meta:
        model = RetentionPolicy
        fields = ("changes_days", "deleted_days")
        labels = {
            "changes_days": "Days that changes are kept",
            "deleted_days": "Days that we keep what was deleted in Cliniko",
        }
        help_texts = {
            "changes_days": "30 to 730. What a field was before, for the marks on the screen.",
            "deleted_days": "7 to 730. After that, nothing but the id is left of a person; your own notes stay.",
        }
        error_messages = {
            "changes_days": {"min_value": "At least 30 days.", "max_value": "At most 730 days."},
            "deleted_days": {"min_value": "At least 7 days.", "max_value": "At most 730 days."},
        }
        widgets = {
            "changes_days": forms.NumberInput(attrs={"min": 30, "max": 730}),
            "deleted_days": forms.NumberInput(attrs={"min": 7, "max": 730}),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        sooner = any(cleaned.get(name, 0) < self.initial[name] for name in self.Meta.fields if name in cleaned)
        if sooner and not cleaned.get("confirmed"):
            self.add_error("confirmed", NOT_TICKED)
        return cleaned


def picture(*, unticked: str = "") -> dict[str, Any]:
    """All that the page shows but its form; `unticked` is the group whose box was not ticked."""
    shown = ClinicSettings.objects.filter(shows_card_numbers=True).exists()
    return {
        "lines": [
            _line(kept, shown, NOT_TICKED if kept.group.name == unticked else "") for kept in excluded_fields.by_group()
        ],
        "always": REQUIRED,
        "going": retention.due_tonight(),
        "runs_days": retention.RUNS_KEPT_FOR.days,
        "policy": sessions.policy(),
        "here": status.patients_here(),
    }


def _line(kept: GroupStatus, shows_card_numbers: bool, error: str) -> Line:
    chip, tone = _CHIPS[kept.state]
    if kept.group.name == "card_numbers" and kept.state == "kept":
        chip = "Stored, covered until asked for" if shows_card_numbers else "Stored, not shown"
    return Line(kept, chip, tone, error)
