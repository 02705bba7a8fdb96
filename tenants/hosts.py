"""Read clinics' host names from requests, and write URLs."""

import re

from django.conf import settings

_PORT = re.compile(r":\d{1,5}\Z")


def canonical_host(raw: str) -> str:
    """Return `bondi.example.org` for the Host header `Bondi.Example.Org.:443`."""
    return _PORT.sub("", raw.strip()).removesuffix(".").lower()


def label_from_host(host: str) -> str | None:
    """Return the label directly below the base domain, or None for any other canonical host, deeper ones included."""
    label, dot, rest = host.partition(".")
    return label if dot and rest == settings.BASE_DOMAIN else None


def label_from_nested_host(host: str) -> str | None:
    """Return `bondi` for `www.bondi.example.org`, or None for a canonical host that isn't two or more levels deep."""
    labels = host.removesuffix(f".{settings.BASE_DOMAIN}")
    return labels.rpartition(".")[2] if labels != host and "." in labels else None


def clinic_url(label: str, path: str = "/") -> str:
    """Return the absolute URL of `path` on a clinic's host."""
    return _url(f"{label}.{settings.BASE_DOMAIN}", path)


def base_url(path: str = "/") -> str:
    """Return the absolute URL of `path` on the base host."""
    return _url(settings.BASE_DOMAIN, path)


def _url(host: str, path: str) -> str:
    port = f":{settings.PUBLIC_PORT}" if settings.PUBLIC_PORT else ""
    return f"{settings.PUBLIC_SCHEME}://{host}{port}{path}"
