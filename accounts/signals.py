"""Receivers around sign-in: bind the session to its schema, list it, and end the others after a password change."""

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
REAUTHENTICATED_AT = "reauthenticated_at"  # a UNIX timestamp


@receiver(user_logged_in)
def start_session(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    request.session[SESSION_CLINIC] = schema_name()
    request.session[REAUTHENTICATED_AT] = time.time()
    sessions.start(request, user)


@receiver(user_logged_out)
def end_session(sender: Any, request: HttpRequest, **_: Any) -> None:
    sessions.end_current(request)


@receiver(password_changed)
def finish_password_change(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    log_sign_in_change(Action.PASSWORD_CHANGED, user, "password")
    sessions.others(request, user).delete()


@receiver(password_reset)
def finish_password_reset(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    log_sign_in_change(Action.PASSWORD_CHANGED, user, "password", via="reset link")
    sessions.others(request, user).delete()
    get_adapter().clear_failed_sign_ins(request, user)
