"""Sessions: how long the current one lasts, and ending one's other ones."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from accounts import sessions
from accounts.models import OpenSession
from accounts.sessions import SignedInRequest


@login_not_required  # for a page that asks whether its session is over, 401 is the answer, not a redirect to sign-in
@require_http_methods(["GET", "HEAD", "POST"])
def session(request: HttpRequest) -> HttpResponse:
    """Return the session's id and the seconds it has left, or 401 once it is over.

    GET changes nothing. POST is the "Stay signed in" button.
    """
    current = getattr(request, "current_session", None)
    if current is None or not request.user.is_authenticated:
        return JsonResponse({}, status=401)
    return JsonResponse({"session": current.row.pk, "seconds": current.seconds_left()})


@require_POST
def end(request: SignedInRequest, session_id: int) -> HttpResponse:
    ended = sessions.end(OpenSession.objects.filter(pk=session_id), of=request.user, by=request.user)
    messages.success(request, "Signed out there." if ended else "That session had already ended.")
    return redirect("mfa_index")


@require_POST
def end_others(request: SignedInRequest) -> HttpResponse:
    ended = sessions.end(sessions.others(request, request.user), of=request.user, by=request.user)
    messages.success(request, "You're signed out everywhere else." if ended else "You weren't signed in anywhere else.")
    return redirect("mfa_index")
