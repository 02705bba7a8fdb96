"""The mail with the link to a new password."""

from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.models import User
from accounts.tokens import ResetTokenGenerator
from tenants.context import current_clinic
from tenants.hosts import clinic_url


def send(user: User) -> None:
    """Mail the link. Its token is made here and stands nowhere else. Raises what the mail backend raises."""
    clinic = current_clinic()
    parts = {"uidb36": user_pk_to_url_str(user), "key": ResetTokenGenerator().make_token(user)}
    path = reverse("account_reset_password_from_key", urlconf=settings.ROOT_URLCONF, kwargs=parts)
    context = {"clinic": clinic, "password_reset_url": clinic_url(clinic.label, path)}
    message = EmailMultiAlternatives(
        subject=render_to_string("account/email/password_reset_key_subject.txt", context).strip(),
        body=render_to_string("account/email/password_reset_key_message.txt", context),
        to=[user.email],
    )
    message.attach_alternative(render_to_string("account/email/password_reset_key_message.html", context), "text/html")
    message.send()
