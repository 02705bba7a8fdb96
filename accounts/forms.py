"""The forms of sign-in, passwords, invitations and staff."""

from typing import Any

from allauth.account.fields import EmailField, PasswordField, SetPasswordField
from allauth.account.forms import ChangePasswordForm, LoginForm, ResetPasswordForm, ResetPasswordKeyForm
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest

from accounts.models import SecurityPolicy, User, clean_email, schema_name
from accounts.roles import Role
from accounts.tasks import send_reset_link

HINT = "At least 10 characters. A few words that only you put together are good."
DIFFERENT = "The two passwords are different. Type the same one twice."


class SignInForm(LoginForm):
    password = PasswordField(label="Password", autocomplete="current-password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "E-mail address"
        self.fields["login"].widget.attrs |= {"autocomplete": "username", "autofocus": True, "spellcheck": "false"}
        _without_placeholders(self)


class PasswordResetRequestForm(ResetPasswordForm):
    email = EmailField(label="E-mail address")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].widget.attrs |= {"autocomplete": "username", "autofocus": True, "spellcheck": "false"}
        _without_placeholders(self)

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Let a worker send the mail, and ask for it for an unknown address, too: how long this takes tells nothing."""
        user_id = next((user.pk for user in self.users), 0)
        send_reset_link.delay(schema_name=schema_name(), user_id=user_id)
        return str(self.cleaned_data["email"])


class PasswordResetForm(ResetPasswordKeyForm):
    password1 = SetPasswordField(label="New password", help_text=HINT)
    password2 = PasswordField(label="New password again", autocomplete="new-password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _without_placeholders(self)


class PasswordChangeForm(ChangePasswordForm):
    oldpassword = PasswordField(label="Password now", autocomplete="current-password")
    password1 = SetPasswordField(label="New password", help_text=HINT)
    password2 = PasswordField(label="New password again", autocomplete="new-password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _without_placeholders(self)


class AcceptInvitationForm(forms.Form):
    """The invited person's name and password. `email` is the invitation's: a password like it is refused."""

    name = forms.CharField(
        label="Your name", max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name", "autofocus": True})
    )
    password1 = forms.CharField(
        label="Password",
        strip=False,
        help_text=HINT,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    password2 = forms.CharField(
        label="Password again", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        password = cleaned.get("password1")
        if not password:
            return cleaned
        if cleaned.get("password2") not in (None, password):
            self.add_error("password2", DIFFERENT)
        try:
            validate_password(password, User(email=self.email, name=cleaned.get("name", "")))
        except forms.ValidationError as weak:
            self.add_error("password1", weak)
        return cleaned


class InviteForm(forms.Form):
    """Whom to invite. `roles` are the ones that the inviting person may hand out."""

    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, roles: tuple[Role, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(role.value, role.label) for role in roles]
        self.fields["role"] = forms.ChoiceField(label="Role", choices=choices, initial=Role.RECEPTION)

    def clean_email(self) -> str:
        return clean_email(self.cleaned_data["email"])


class SecurityPolicyForm(forms.ModelForm):
    """A clinic's rules of sign-in."""

    class Meta:
        model = SecurityPolicy
        fields = ("require_second_factor_from", "idle_minutes", "absolute_hours")
        labels = {
            "require_second_factor_from": "Everybody needs a second step from",
            "idle_minutes": "Signed out after so many minutes of doing nothing",
            "absolute_hours": "Signed out after so many hours in any case",
        }
        help_texts = {
            "require_second_factor_from": "Empty: each person decides. Until the day, whoever has none is reminded on"
            " every page; two weeks are a good while. From then on nobody gets past setting one up.",
            "idle_minutes": "5 to 60. A page left open, however busy by itself, counts as doing nothing.",
            "absolute_hours": "1 to 24.",
        }
        error_messages = {
            "idle_minutes": {"min_value": "At least 5 minutes.", "max_value": "At most 60 minutes."},
            "absolute_hours": {"min_value": "At least one hour.", "max_value": "At most 24 hours."},
        }
        widgets = {
            "require_second_factor_from": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "idle_minutes": forms.NumberInput(attrs={"min": 5, "max": 60}),
            "absolute_hours": forms.NumberInput(attrs={"min": 1, "max": 24}),
        }


def _without_placeholders(form: forms.Form) -> None:
    """Labels stand above their fields here; allauth writes them into the fields a second time."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)
