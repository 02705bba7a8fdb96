"""What browsers meet before us: the clinic's name in DNS, and the certificate that the proxy in front shows."""

import socket
import ssl
from datetime import UTC, datetime

from django.conf import settings

Address = tuple[str, int]
SECONDS = 5
DAYS_LEFT_WARN, DAYS_LEFT_FAIL = 21, 7


def host_and_port(label: str) -> Address:
    """Where browsers go for this clinic."""
    usual = 443 if settings.HTTPS else 80
    return f"{label}.{settings.BASE_DOMAIN}", settings.PUBLIC_PORT or usual


def is_on_this_machine() -> bool:
    """Names below localhost mean this machine to browsers, whether or not they are in DNS."""
    return bool(settings.BASE_DOMAIN == "localhost")


def resolves_to(label: str) -> list[str]:
    """The addresses of the clinic's host. Raises OSError for none."""
    host, port = host_and_port(label)
    return sorted({str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


def certificate_days_left(label: str) -> int:
    """Whole days until the certificate of the clinic's host ends, which is checked for its name and its issuer as a
    browser does. Raises ssl.SSLCertVerificationError, and OSError when nobody answers."""
    host, port = host_and_port(label)
    context = ssl.create_default_context()
    with (
        socket.create_connection((host, port), timeout=SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        certificate = secured.getpeercert() or {}
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return (datetime.fromtimestamp(ends, UTC) - datetime.now(UTC)).days
