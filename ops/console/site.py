"""The console as a Django admin site with django-unfold's styles.

The admin's own forms are never used: every change is a service of `ops` with its own confirmation page. Of the admin's
URLs only the list of clinics is routed (ops/console/urls.py).
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from unfold.sites import UnfoldAdminSite


class ConsoleSite(UnfoldAdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        """Return True if `console_view` let the request through. The admin asks a dozen times per page."""
        return getattr(request, "entered_console", False)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        return []  # templates/admin/base.html has the menu


site = ConsoleSite("ops")


def page(request: HttpRequest, template: str, *, title: str, status: int = 200, **context: Any) -> HttpResponse:
    """Render a page of the console with `title` as its heading. A form with errors gives status 422."""
    if "form" in context and context["form"].errors:
        status = 422
    return render(request, template, site.each_context(request) | context | {"title": title}, status=status)
