from django.http import HttpRequest


def clinic(request: HttpRequest) -> dict[str, object]:
    """`clinic` in every template: the clinic of this host, or None on the base host. `place` is where one signs in."""
    here = getattr(request, "clinic", None)
    return {"clinic": here, "place": here.name if here else "Sidechart's console"}
