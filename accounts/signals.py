"""What happens around a sign-in: the session is bound to its clinic, and a new password clears the failed tries."""

import time
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.signals import password_reset
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.models import User, schema_name

SESSION_CLINIC = "clinic"
CONFIRMED_AT = "confirmed_at"


@receiver(user_logged_in)
def bind_session_to_clinic(sender: Any, request: HttpRequest, **_: Any) -> None:
    request.session[SESSION_CLINIC] = schema_name()
    request.session[CONFIRMED_AT] = time.time()


@receiver(password_reset)
def forgive_failed_sign_ins(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    get_adapter().forgive_failed_sign_ins(request, user)
