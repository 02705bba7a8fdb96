"""The forms of the second factor: to use one, to add one, to name one."""

import json
from collections.abc import Callable
from typing import Any

from allauth.account.fields import PasswordField
from allauth.core import context
from allauth.mfa import app_settings
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret, validate_totp_code
from allauth.mfa.webauthn.forms import AddWebAuthnForm, AuthenticateWebAuthnForm, LoginWebAuthnForm
from django import forms
from django.core.cache import cache
from fido2.utils import websafe_decode

from accounts.models import User
from accounts.second_factors import SecondFactorAdapter, pop_passkey_purpose, seal, unseal

# With the tolerance a code is good for this long, and in all that time it counts once.
CODE_SECONDS = app_settings.TOTP_PERIOD * (2 * app_settings.TOTP_TOLERANCE + 1)
CODE = forms.TextInput(
    attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false", "autofocus": True}
)


class CodeForm(AuthenticateForm):
    """A code of the authenticator app, or a recovery code. Each counts once."""

    code = forms.CharField(label="Code", max_length=20, widget=CODE, help_text="From your app, or a recovery code.")

    def clean_code(self) -> str:
        code: str = super().clean_code()
        if self.authenticator.type == Authenticator.Type.TOTP:
            mark_code_used(self.user, code)
        return code


def mark_code_used(user: User, code: str) -> None:
    """Raises the validation error of a wrong code when this app's code was used before."""
    digits = "".join(filter(str.isdigit, code))
    if not cache.add(f"code-used:{user.pk}:{digits}", True, CODE_SECONDS):
        raise SecondFactorAdapter().validation_error("incorrect_code")


class PasskeyResponseMixin:
    """The browser's answer to a passkey dialog: it counts for the purpose that the dialog was asked for."""

    purpose: str
    cleaned_data: dict[str, Any]

    def clean(self) -> Any:
        return self._checked(super().clean)  # type: ignore[misc] # a mixin

    def clean_credential(self) -> Any:
        wrong = SecondFactorAdapter().validation_error("incorrect_code")
        if not pop_passkey_purpose(context.request, self.purpose) or not _is_from_this_host(self.cleaned_data["credential"]):
            raise wrong
        return self._checked(getattr(super(), "clean_credential", lambda: self.cleaned_data["credential"]))

    def _checked(self, check: Callable[[], Any]) -> Any:
        try:
            return check()
        except (AttributeError, KeyError, TypeError, ValueError):
            # JSON of another shape, on which allauth and fido2 stumble in many ways
            raise SecondFactorAdapter().validation_error("incorrect_code") from None


def _is_from_this_host(credential: Any) -> bool:
    """Whether the browser says that a page of this very host asked. The passkeys of ops are of the base domain, and
    browsers let pages of every clinic below it ask for those, too."""
    try:
        says = json.loads(websafe_decode(credential["response"]["clientDataJSON"]))
        return bool(says["origin"] == f"{context.request.scheme}://{context.request.get_host()}")
    except (KeyError, TypeError, ValueError):
        return False


class SecondFactorPasskeyForm(PasskeyResponseMixin, AuthenticateWebAuthnForm):
    purpose = "step"


class PasskeySignInForm(PasskeyResponseMixin, LoginWebAuthnForm):
    purpose = "sign-in"


class ReauthenticationPasskeyForm(PasskeyResponseMixin, AuthenticateWebAuthnForm):
    purpose = "confirm"


class AddPasskeyForm(PasskeyResponseMixin, AddWebAuthnForm):
    """A new passkey, under a name that its owner knows it by. allauth checks it in `clean`."""

    purpose = "add"
    name = forms.CharField(
        label="Its name",
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="So that you know it again: \u201cWork laptop\u201d, \u201cBlue key\u201d.",
    )


class PasskeyNameForm(forms.Form):
    name = forms.CharField(label="New name", max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"}))


class PasswordForm(forms.Form):
    """The password once more. `confirm` says whether it is the right one."""

    password = PasswordField(label="Password", autocomplete="current-password")

    def __init__(self, *args: Any, confirm: Callable[[str], bool], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._confirm = confirm
        self.fields["password"].widget.attrs = {"autocomplete": "current-password", "autofocus": True}

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self._confirm(password):
            raise forms.ValidationError("That is not your password. Check it and try again.")
        return password


class AuthenticatorAppForm(forms.Form):
    """An authenticator app is set up when it shows the right code.

    The secret waits in the form, sealed, and not in the session, where tabs would overwrite each other's.
    """

    sealed = forms.CharField(widget=forms.HiddenInput, max_length=500)
    code = forms.CharField(label="The code it shows", max_length=20, widget=CODE)

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data, initial={"sealed": seal(generate_totp_secret(), user.pk)})
        self.user = user

    @property
    def secret(self) -> str:
        """The secret, or "" when the form came back too late."""
        try:
            return unseal(str(self["sealed"].value()), self.user.pk, within_seconds=3600)
        except forms.ValidationError:
            return ""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.secret:
            raise forms.ValidationError("This page was open for too long. Open it again.")
        if cleaned.get("code"):
            if not validate_totp_code(self.secret, cleaned["code"]):
                self.add_error("code", SecondFactorAdapter.error_messages["incorrect_code"])
            else:
                mark_code_used(self.user, cleaned["code"])
        return cleaned
