"""Forms to use, add and rename second factors."""

import json
from collections.abc import Callable
from typing import Any

from allauth.account.fields import PasswordField
from allauth.core import context
from allauth.mfa import app_settings
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import AddWebAuthnForm, AuthenticateWebAuthnForm, LoginWebAuthnForm
from django import forms
from django.core.cache import cache
from fido2.utils import websafe_decode

from accounts.allauth_internals import generate_totp_secret, validate_totp_code
from accounts.models import User
from accounts.second_factors import SecondFactorAdapter, pop_passkey_purpose, seal, unseal

# A code is valid for this long, tolerance included.
CODE_SECONDS = app_settings.TOTP_PERIOD * (2 * app_settings.TOTP_TOLERANCE + 1)
CODE_INPUT = forms.TextInput(
    attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false", "autofocus": True}
)


class CodeForm(AuthenticateForm):
    """A code from the authenticator app, or a recovery code. Each works once."""

    code = forms.CharField(
        label="Code", max_length=20, widget=CODE_INPUT, help_text="From your authenticator app, or a recovery code."
    )

    def clean_code(self) -> str:
        code: str = super().clean_code()
        if self.authenticator.type == Authenticator.Type.TOTP:
            mark_code_used(self.user, code)
        return code


def mark_code_used(user: User, code: str) -> None:
    """Raises ValidationError ("incorrect code") if this code of the user's app was already used."""
    digits = "".join(filter(str.isdigit, code))
    if not cache.add(f"code-used:{user.pk}:{digits}", True, CODE_SECONDS):
        raise SecondFactorAdapter().validation_error("incorrect_code")


class PasskeyResponseMixin:
    """Accept a passkey response only for the purpose that its prompt was opened for."""

    purpose: str
    cleaned_data: dict[str, Any]

    def clean(self) -> Any:
        return self._reject_malformed(super().clean)  # type: ignore[misc] # a mixin

    def clean_credential(self) -> Any:
        is_for_this_form = pop_passkey_purpose(context.request) == self.purpose
        if not is_for_this_form or not _is_from_this_host(self.cleaned_data["credential"]):
            raise SecondFactorAdapter().validation_error("incorrect_code")
        return self._reject_malformed(getattr(super(), "clean_credential", lambda: self.cleaned_data["credential"]))

    def _reject_malformed(self, check: Callable[[], Any]) -> Any:
        try:
            return check()
        except (AttributeError, KeyError, TypeError, ValueError):
            # allauth and fido2 fail on JSON of an unexpected shape in all these ways
            raise SecondFactorAdapter().validation_error("incorrect_code") from None


def _is_from_this_host(credential: Any) -> bool:
    """Return True if the browser says that a page of this very host asked. Operators' passkeys belong to the base
    domain, and browsers let every clinic's pages below it ask for them too."""
    try:
        client_data = json.loads(websafe_decode(credential["response"]["clientDataJSON"]))
        return bool(client_data["origin"] == f"{context.request.scheme}://{context.request.get_host()}")
    except (KeyError, TypeError, ValueError):
        return False


class SecondFactorPasskeyForm(PasskeyResponseMixin, AuthenticateWebAuthnForm):
    purpose = "second-factor"


class PasskeySignInForm(PasskeyResponseMixin, LoginWebAuthnForm):
    purpose = "sign-in"


class ReauthenticationPasskeyForm(PasskeyResponseMixin, AuthenticateWebAuthnForm):
    purpose = "confirm"


class AddPasskeyForm(PasskeyResponseMixin, AddWebAuthnForm):
    """A new passkey and its name. allauth verifies the passkey in `clean`."""

    purpose = "add"
    name = forms.CharField(
        label="Name",
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="So you can tell your passkeys apart, for example \u201cWork laptop\u201d or \u201cBlue key\u201d.",
    )


class PasskeyNameForm(forms.Form):
    name = forms.CharField(label="New name", max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"}))


class PasswordForm(forms.Form):
    """The user's password again. `is_correct` checks it."""

    password = PasswordField(label="Password", autocomplete="current-password")

    def __init__(self, *args: Any, is_correct: Callable[[str], bool], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_correct = is_correct
        self.fields["password"].widget.attrs = {"autocomplete": "current-password", "autofocus": True}

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self._is_correct(password):
            raise forms.ValidationError("That isn't your password. Check it and try again.")
        return password


class AuthenticatorAppForm(forms.Form):
    """Set up an authenticator app by entering the code it shows.

    The form carries the sealed secret. In the session, tabs would overwrite each other's.
    """

    sealed = forms.CharField(widget=forms.HiddenInput, max_length=500)
    code = forms.CharField(label="Code from the app", max_length=20, widget=CODE_INPUT)

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data, initial={"sealed": seal(generate_totp_secret(), user.pk)})
        self.user = user

    @property
    def secret(self) -> str:
        """The secret, or "" if the form is more than an hour old."""
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
