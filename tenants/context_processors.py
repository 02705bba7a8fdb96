from django.http import HttpRequest


def clinic(request: HttpRequest) -> dict[str, object]:
    """`clinic` in every template: the clinic of this host, or None on the base host."""
    return {"clinic": getattr(request, "clinic", None)}
