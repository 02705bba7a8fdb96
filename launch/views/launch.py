"""The launch: the GET that Cliniko's button makes, `/patients?patient_id=<id>`."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from accounts.tickets import sign_in_redirect
from launch.button_clicks import Kind, record_click
from launch.converters import is_cliniko_id
from launch.error_pages import render_error
from launch.http import empty_403, is_cross_site, is_page_load
from launch.messages import ANOTHER_ACCOUNT, NO_PATIENT_ID
from launch.misdirected import another_account_url, is_from_another_account, is_marked_another_account


@csrf_exempt  # so that a POST gets 405 instead of the page about an expired form; nothing is changed here
@login_not_required
@require_safe
def launch(request: HttpRequest) -> HttpResponse:
    """Redirect to the patient, visitors through sign-in.

    Any website can make a browser send this request, so it reads no patient, doesn't ask Cliniko, and writes only that
    someone clicked.
    """
    if not is_page_load(request):
        return empty_403()
    ids = request.GET.getlist("patient_id")
    if len(ids) != 1 or not is_cliniko_id(ids[0]):
        if ids:
            record_click(Kind.BAD_ID, request)
        elif is_cross_site(request):  # a typed or bookmarked URL isn't a click
            record_click(Kind.NO_ID, request)
        return render_error(request, NO_PATIENT_ID)
    path = reverse("patient", args=ids)
    from_another_account = is_from_another_account(request)
    if not request.user.is_authenticated:
        record_click(Kind.SIGNED_OUT, request)
        return sign_in_redirect(another_account_url(request) if from_another_account else path)
    if from_another_account:
        return _another_account(request, path)
    record_click(Kind.CLICK if is_cross_site(request) else Kind.TYPED, request)
    return redirect(path)


def _another_account(request: HttpRequest, path: str) -> HttpResponse:
    """Explain at a marked URL, so that the page stays the same when its session ends and the user signs in again.

    A marked link on another website isn't a click in Cliniko, and is not recorded.
    """
    if not is_marked_another_account(request):
        record_click(Kind.OTHER_ACCOUNT, request)
        return redirect(another_account_url(request))
    if not is_cross_site(request):  # from our sign-in
        record_click(Kind.OTHER_ACCOUNT, request)
    return render_error(request, ANOTHER_ACCOUNT, continue_url=path)
