"""The forms of the second factor: to use one, to add one, to name one."""

from typing import Any

from allauth.core import context
from allauth.mfa import app_settings
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import AuthenticateWebAuthnForm, LoginWebAuthnForm
from django import forms
from django.core.cache import cache

from accounts.factors import SecondFactorAdapter, is_passkey_for
from accounts.models import User

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
            count_once(self.user, code)
        return code


def count_once(user: User, code: str) -> None:
    """Raises the validation error of a wrong code when this app's code was used before."""
    digits = "".join(filter(str.isdigit, code))
    if not cache.add(f"code-used:{user.pk}:{digits}", True, CODE_SECONDS):
        raise SecondFactorAdapter().validation_error("incorrect_code")


class PasskeyAnswer:
    """The browser's answer to a passkey dialog: it counts for the purpose that the dialog was asked for."""

    purpose: str

    def clean_credential(self) -> Any:
        wrong = SecondFactorAdapter().validation_error("incorrect_code")
        if not is_passkey_for(context.request, self.purpose):
            raise wrong
        try:
            return super().clean_credential()  # type: ignore[misc] # a mixin
        except (AttributeError, KeyError, TypeError, ValueError):
            raise wrong from None  # JSON of another shape, on which allauth and fido2 stumble in many ways


class PasskeyStepForm(PasskeyAnswer, AuthenticateWebAuthnForm):
    purpose = "step"


class PasskeySignInForm(PasskeyAnswer, LoginWebAuthnForm):
    purpose = "sign-in"
