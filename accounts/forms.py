"""Forms for sign-in, passwords, invitations and the sign-in rules."""

from typing import Any

from allauth.account.fields import EmailField, PasswordField, SetPasswordField
from allauth.account.forms import ChangePasswordForm, LoginForm, ResetPasswordForm, ResetPasswordKeyForm
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest

from accounts.models import SecurityPolicy, User, clean_email, schema_name
from accounts.roles import Role
from accounts.tasks import send_reset_link

PASSWORD_HINT = "At least 10 characters. Several words that nobody else would combine work well."  # noqa: S105 - a text


class NoPlaceholdersMixin:
    """Remove allauth's placeholders, which repeat the labels above the fields."""

    fields: dict[str, forms.Field]
    email_field = ""  # the field that takes the focus and the browser's saved user name

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
        if self.email_field:
            field = self.fields[self.email_field]
            field.label = "Email"
            field.widget.attrs |= {"autocomplete": "username", "autofocus": True, "spellcheck": "false"}


class SignInForm(NoPlaceholdersMixin, LoginForm):
    password = PasswordField(label="Password", autocomplete="current-password")
    email_field = "login"


class PasswordResetRequestForm(NoPlaceholdersMixin, ResetPasswordForm):
    email = EmailField()
    email_field = "email"

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Queue the email, for unknown addresses too: otherwise the response time would reveal which ones are known."""
        user_id = next((user.pk for user in self.users), 0)
        send_reset_link.delay(schema_name=schema_name(), user_id=user_id)
        return str(self.cleaned_data["email"])


class PasswordResetForm(NoPlaceholdersMixin, ResetPasswordKeyForm):
    password1 = SetPasswordField(label="New password", help_text=PASSWORD_HINT)
    password2 = PasswordField(label="New password again", autocomplete="new-password")


class PasswordChangeForm(NoPlaceholdersMixin, ChangePasswordForm):
    oldpassword = PasswordField(label="Current password", autocomplete="current-password")
    password1 = SetPasswordField(label="New password", help_text=PASSWORD_HINT)
    password2 = PasswordField(label="New password again", autocomplete="new-password")


class AcceptInvitationForm(forms.Form):
    """The invited person's name and password. A password similar to the invitation's `email` is refused."""

    name = forms.CharField(
        label="Your name", max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name", "autofocus": True})
    )
    password1 = forms.CharField(
        label="Password",
        strip=False,
        help_text=PASSWORD_HINT,
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
            self.add_error("password2", "The two passwords are different. Type the same one twice.")
        try:
            validate_password(password, User(email=self.email, name=cleaned.get("name", "")))
        except forms.ValidationError as weak:
            self.add_error("password1", weak)
        return cleaned


class InviteForm(forms.Form):
    """Who to invite, with one of `roles`. The operators' console passes its theme's widgets."""

    def __init__(
        self,
        *args: Any,
        roles: tuple[Role, ...],
        usual_role: Role = Role.RECEPTION,
        email_widget: type[forms.EmailInput] = forms.EmailInput,
        role_widget: type[forms.Select] = forms.Select,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = forms.EmailField(
            label="Email", max_length=254, widget=email_widget(attrs={"autocomplete": "off", "spellcheck": "false"})
        )
        self.fields["role"] = forms.ChoiceField(
            label="Role", choices=[(role.value, role.label) for role in roles], initial=usual_role, widget=role_widget
        )

    def clean_email(self) -> str:
        return clean_email(self.cleaned_data["email"])


SecurityPolicyForm = forms.modelform_factory(
    SecurityPolicy,
    fields=("require_second_factor_from", "idle_minutes", "absolute_hours"),
    labels={
        "require_second_factor_from": "Require two-step verification from",
        "idle_minutes": "Sign out after this many idle minutes",
        "absolute_hours": "Sign out after this many hours in any case",
    },
    help_texts={
        "require_second_factor_from": "Leave empty to let everyone decide for themselves. Until that day, staff without"
        " it see a reminder on every page; two weeks is good notice. From then on they have to set it up before they"
        " can do anything else.",
        "idle_minutes": "5 to 60. A page that is open but not used counts as idle.",
        "absolute_hours": "1 to 24.",
    },
    error_messages={
        "idle_minutes": {"min_value": "At least 5 minutes.", "max_value": "At most 60 minutes."},
        "absolute_hours": {"min_value": "At least one hour.", "max_value": "At most 24 hours."},
    },
    widgets={
        "require_second_factor_from": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        "idle_minutes": forms.NumberInput(attrs={"min": 5, "max": 60}),
        "absolute_hours": forms.NumberInput(attrs={"min": 1, "max": 24}),
    },
)
