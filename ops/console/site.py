"""The console as a site of Django's admin, in django-unfold's clothes.

Nothing is added, changed or deleted by the admin's forms: each change is a service of `ops`, with a page of its own
that says what will happen. Of the admin's addresses the list of clinics alone is routed (ops.console.urls).
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from unfold.sites import UnfoldAdminSite


class ConsoleSite(UnfoldAdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        """Whether `console_page` let the request through: the admin asks a dozen times a page."""
        return getattr(request, "entered_console", False)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        return []  # the menu is ours (templates/admin/base.html)


site = ConsoleSite("ops")


def page(request: HttpRequest, template: str, *, title: str, status: int = 200, **context: Any) -> HttpResponse:
    """A page in the site's frame, with `title` as its heading."""
    return render(request, template, site.each_context(request) | context | {"title": title}, status=status)
