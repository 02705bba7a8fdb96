"""Check a clinic's DNS record and the TLS certificate that its host presents."""

import socket
import ssl
from datetime import UTC, datetime

from django.conf import settings

TIMEOUT = 5  # seconds
DAYS_WARN, DAYS_FAIL = 21, 7  # until a certificate expires


def host_and_port(label: str) -> tuple[str, int]:
    """Return the host and port that browsers connect to for this clinic."""
    return f"{label}.{settings.BASE_DOMAIN}", settings.PUBLIC_PORT or (443 if settings.HTTPS else 80)


def is_local() -> bool:
    """Return True on localhost, whose subdomains browsers resolve to this machine without DNS."""
    return bool(settings.BASE_DOMAIN == "localhost")


def resolve(label: str) -> list[str]:
    """Return the IP addresses of the clinic's host. Raises OSError if there are none."""
    host, port = host_and_port(label)
    return sorted({str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


def certificate_days_left(label: str) -> int:
    """Return the whole days until the certificate of the clinic's host expires, verified as a browser does.

    Raises ssl.SSLCertVerificationError, and OSError if the host doesn't answer.
    """
    host, port = host_and_port(label)
    context = ssl.create_default_context()
    with (
        socket.create_connection((host, port), timeout=TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        certificate = secured.getpeercert() or {}
    expires = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return (datetime.fromtimestamp(expires, UTC) - datetime.now(UTC)).days
