"""How allauth behaves at a clinic: signup closed, no `next`, tries counted per address too."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal import ratelimit
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import clean_email, schema_name


class StaffAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "That e-mail address and password do not belong together. Check both and try again.",
        "too_many_login_attempts": "Too many tries. Wait five minutes and try again.",
        "invalid_password_reset": "This link is no longer valid.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """Follow no address that a visitor hands in: allauth asks this for every `next`. Return tickets do that job."""
        return False

    def is_ajax(self, request: HttpRequest) -> bool:
        """Pages answer with pages: allauth would answer JSON, form values included, to any script that asks."""
        return False

    def clean_email(self, email: str) -> str:
        return clean_email(email)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("home")

    def clear_failed_sign_ins(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        """Whoever has just chosen a new password may use it at once, from the address where they did."""
        self._delete_login_attempts_cached_email(request, email=user.get_username())

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # allauth's own key is the account alone: anybody could lock a colleague out from far away.
        address = ratelimit.get_ip(request)
        return f"{schema_name()}:{clean_email(credentials.get('email', ''))}:{address}"
