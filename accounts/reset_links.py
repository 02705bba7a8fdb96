"""The mail with the link to a new password."""

from typing import Any

from allauth.account.utils import user_pk_to_url_str
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from accounts.links import absolute_url
from accounts.models import User, schema_name
from tenants.context import current_clinic


class ResetTokenGenerator(PasswordResetTokenGenerator):
    """A link of one clinic is useless at another, even for the same user id, e-mail address and password hash."""

    key_salt = "accounts.reset_links.ResetTokenGenerator"

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        return f"{schema_name()}|{super()._make_hash_value(user, timestamp)}"


def link(user: User) -> str:
    """A link that counts once, for an hour. It is secret."""
    parts = {"uidb36": user_pk_to_url_str(user), "key": ResetTokenGenerator().make_token(user)}
    return absolute_url("account_reset_password_from_key", **parts)


def send(user: User) -> None:
    """Mail the link. Its token is made here and stands nowhere else. Raises what the mail backend raises."""
    context = {"clinic": current_clinic(), "password_reset_url": link(user)}
    message = EmailMultiAlternatives(
        subject=render_to_string("account/email/password_reset_key_subject.txt", context).strip(),
        body=render_to_string("account/email/password_reset_key_message.txt", context),
        to=[user.email],
    )
    message.attach_alternative(render_to_string("account/email/password_reset_key_message.html", context), "text/html")
    message.send()
