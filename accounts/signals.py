"""What happens around a sign-in: its session is bound to its clinic and listed; a new password ends the other ones."""

import time
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.signals import password_changed, password_reset
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from accounts import sessions
from accounts.models import User, schema_name
from accounts.sign_in_events import log_sign_in_change
from audit.log import Action

SESSION_CLINIC = "clinic"
REAUTHENTICATED_AT = "confirmed_at"


@receiver(user_logged_in)
def bind_session_to_clinic(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    request.session[SESSION_CLINIC] = schema_name()
    request.session[REAUTHENTICATED_AT] = time.time()
    sessions.start(request, user)


@receiver(user_logged_out)
def delete_open_session(sender: Any, request: HttpRequest, **_: Any) -> None:
    sessions.end_current(request)


@receiver(password_changed)
def log_password_change(sender: Any, user: User, **_: Any) -> None:
    log_sign_in_change(Action.PASSWORD_CHANGED, user, "password")


@receiver(password_reset)
def log_password_reset(sender: Any, user: User, **_: Any) -> None:
    log_sign_in_change(Action.PASSWORD_CHANGED, user, "password", through="a link")


@receiver(password_changed)
@receiver(password_reset)
def end_other_sessions(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    sessions.others(request, user).delete()


@receiver(password_reset)
def clear_failed_sign_ins(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    get_adapter().clear_failed_sign_ins(request, user)
