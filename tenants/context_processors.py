from django.http import HttpRequest


def clinic(request: HttpRequest) -> dict[str, object]:
    """Add `clinic`, or None on the base host, and `site_name`, the name of the site that users sign in to."""
    current = getattr(request, "clinic", None)
    return {"clinic": current, "site_name": current.name if current else "Sidechart's console"}
