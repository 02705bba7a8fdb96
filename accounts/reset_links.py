"""Links that let a user choose a new password."""

from typing import Any

from allauth.account.utils import user_pk_to_url_str
from django.contrib.auth.tokens import PasswordResetTokenGenerator

from accounts.links import absolute_url
from accounts.models import User, schema_name


class ResetTokenGenerator(PasswordResetTokenGenerator):
    """Bind tokens to the schema: useless at another clinic even for the same id, email and password hash."""

    key_salt = "accounts.reset_links.ResetTokenGenerator"

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        return f"{schema_name()}|{super()._make_hash_value(user, timestamp)}"


def create(user: User) -> str:
    """Return a secret URL that works once, for one hour (PASSWORD_RESET_TIMEOUT)."""
    token = ResetTokenGenerator().make_token(user)
    return absolute_url("account_reset_password_from_key", uidb36=user_pk_to_url_str(user), key=token)
