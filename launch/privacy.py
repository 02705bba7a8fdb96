"""The privacy page's data, and its form for retention periods."""

from typing import TYPE_CHECKING, Any

from django import forms

from accounts import sessions
from launch.messages import CONFIRM_DELETION
from launch.models import ClinicSettings
from sync import excluded_fields, retention
from sync.field_groups import REQUIRED
from sync.read import status
from sync.retention import RetentionPolicy

if TYPE_CHECKING:
    _Form = forms.ModelForm[RetentionPolicy]
else:
    _Form = forms.ModelForm  # not generic at run time


class PeriodsForm(_Form):
    """For how many days to keep data. A shorter period needs a tick."""

    confirmed = forms.BooleanField(required=False)

    class Meta:
        model = RetentionPolicy
        fields = ("changes_days", "deleted_days")
        labels = {
            "changes_days": "Days to keep recorded changes",
            "deleted_days": "Days to keep records deleted in Cliniko",
        }
        help_texts = {
            "changes_days": "30 to 730. Previous values of fields, for the marks on the screen.",
            "deleted_days": "7 to 730. After that, only the person's Cliniko ID and your team notes are kept.",
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
        shorter = any(cleaned.get(name, 0) < self.initial[name] for name in self.Meta.fields if name in cleaned)
        if shorter and not cleaned.get("confirmed"):
            self.add_error("confirmed", CONFIRM_DELETION)
        return cleaned


def page_context(*, unticked: str = "") -> dict[str, Any]:
    """Return what the page shows besides its form. `unticked` is the group whose box wasn't ticked."""
    return {
        "groups": excluded_fields.by_group(),
        "shows_card_numbers": ClinicSettings.objects.filter(shows_card_numbers=True).exists(),
        "unticked": unticked,
        "always": REQUIRED,
        "due_tonight": retention.due_tonight(),
        "runs_days": retention.RUNS_KEPT_FOR.days,
        "policy": sessions.policy(),
        "patient_count": status.patient_count(),
    }
