"""Sessions: how long this one lasts, and ending one's others."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from accounts import sessions
from accounts.models import OpenSession, User


@login_not_required  # a page asks whether its session is over: that is an answer, and no reason to sign in
@require_http_methods(["GET", "HEAD", "POST"])
def session(request: HttpRequest) -> HttpResponse:
    """Which session this is and how many seconds it lasts; 401 when it is over.

    GET changes nothing. POST is somebody's "Stay signed in".
    """
    held = getattr(request, "held_session", None)
    if held is None or not request.user.is_authenticated:
        return JsonResponse({}, status=401)
    return JsonResponse({"session": held.row.pk, "seconds": held.seconds_left()})


@require_POST
def end(request: HttpRequest, session_id: int) -> HttpResponse:
    person = cast(User, request.user)
    ended = sessions.end(OpenSession.objects.filter(pk=session_id), of=person, by=person)
    messages.success(request, "That session is over." if ended else "That session had ended before.")
    return redirect("mfa_index")


@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    person = cast(User, request.user)
    ended = sessions.end(sessions.others(request, person), of=person, by=person)
    messages.success(request, "You are signed out everywhere else." if ended else "You were signed in here only.")
    return redirect("mfa_index")
