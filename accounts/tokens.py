"""Tokens of password reset links."""

from typing import Any

from django.contrib.auth.tokens import PasswordResetTokenGenerator

from accounts.models import schema_name


class ResetTokenGenerator(PasswordResetTokenGenerator):
    """A link of one clinic is useless at another, even for the same user id, e-mail address and password hash."""

    key_salt = "accounts.tokens.ResetTokenGenerator"

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        return f"{schema_name()}|{super()._make_hash_value(user, timestamp)}"
