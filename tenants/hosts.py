"""Host names of clinics: reading them from a request, writing them into a link."""

import re

from django.conf import settings

_PORT = re.compile(r":\d{1,5}\Z")


def canonical_host(raw: str) -> str:
    """A Host header without port, trailing dot and capitals: `Bondi.Example.Org.:443` is `bondi.example.org`."""
    return _PORT.sub("", raw.strip()).removesuffix(".").lower()


def label_of(host: str) -> str | None:
    """The first-level label under the base domain, or None for any other canonical host, two levels included."""
    label, dot, rest = host.partition(".")
    return label if dot and rest == settings.BASE_DOMAIN else None


def almost_label_of(host: str) -> str | None:
    """The label that a canonical host of two or more levels ends in: `bondi` of `www.bondi.example.org`."""
    above = host.removesuffix(f".{settings.BASE_DOMAIN}")
    return above.rpartition(".")[2] if above != host and "." in above else None


def clinic_url(label: str, path: str = "/") -> str:
    """The address of `path` at a clinic, for e-mails, commands and Cliniko's button."""
    return _url(f"{label}.{settings.BASE_DOMAIN}", path)


def base_url(path: str = "/") -> str:
    """The address of `path` on the base host."""
    return _url(settings.BASE_DOMAIN, path)


def _url(host: str, path: str) -> str:
    port = f":{settings.PUBLIC_PORT}" if settings.PUBLIC_PORT else ""
    return f"{settings.PUBLIC_SCHEME}://{host}{port}{path}"
