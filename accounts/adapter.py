"""allauth's account behaviour here: no signup, no `next`, failed sign-ins counted per account and IP address."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.urls import reverse

from accounts.allauth_internals import get_ip
from accounts.models import clean_email, schema_name

MESSAGES = {
    "account/messages/logged_in.txt": "",  # the next page shows that it worked
    "account/messages/logged_out.txt": "You have signed out.",
    "account/messages/password_changed.txt": "Your new password is saved.",
}


class StaffAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "That email or password isn't right. Check both and try again.",
        "too_many_login_attempts": "Too many attempts. Wait five minutes and try again.",
        "invalid_password_reset": "This link is no longer valid.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """Return False: no `next` from a visitor is followed. Return tickets replace it."""
        return False

    def is_ajax(self, request: HttpRequest) -> bool:
        """Return False: allauth would answer any script with JSON that contains form values."""
        return False

    def clean_email(self, email: str) -> str:
        return clean_email(email)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("home")

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """Show our own text for allauth's message templates that we use."""
        if message_template not in MESSAGES:
            super().add_message(request, level, message_template, *args, **kwargs)
        elif text := MESSAGES[message_template]:
            messages.add_message(request, level, text)

    def clear_failed_sign_ins(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        """Let a user who just reset their password sign in at once from this IP address."""
        self._delete_login_attempts_cached_email(request, email=user.get_username())

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # allauth counts by account alone: then anyone anywhere could lock out a colleague.
        return f"{schema_name()}:{clean_email(credentials.get('email', ''))}:{get_ip(request)}"
