"""`clinic doctor` on the clinic's DNS record and TLS certificate."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django import Settings

from ops import doctor
from tenants.models import Clinic

CONNECT, CONTEXT = socket.create_connection, ssl.create_default_context
Serve = Callable[..., None]


def certificate(folder: Path, name: str, days: float) -> tuple[Path, Path]:
    """Return the paths of a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "The test's own")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(issuer).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now - timedelta(days=90))
    builder = builder.not_valid_after(now + timedelta(days=days, hours=1))
    made = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    signed = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        key, hashes.SHA256()
    )
    public, private = folder / "public.pem", folder / "private.pem"
    public.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    kinds = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*kinds))
    return public, private


@pytest.fixture
def serve(bondi: Clinic, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Serve]:
    """`serve(name, days)`: bondi.sidechart.example presents a certificate for `name`."""
    settings.BASE_DOMAIN, settings.HTTPS, settings.PUBLIC_PORT = "sidechart.example", True, None
    server = socket.create_server(("127.0.0.1", 0))
    connections: list[Any] = []

    def start(name: str, days: float, *, trusted: bool = True) -> None:
        public, private = certificate(tmp_path, name, days)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(public, private)
        ca = public if trusted else None
        monkeypatch.setattr("ops.dns_tls.ssl.create_default_context", lambda: CONTEXT(cafile=ca))

        def handshake() -> None:
            with suppress(OSError), server.accept()[0] as plain, context.wrap_socket(plain, server_side=True):
                pass

        threading.Thread(target=handshake, daemon=True).start()

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        connections.append(address)
        return CONNECT(server.getsockname(), timeout=timeout)

    monkeypatch.setattr("ops.dns_tls.socket.create_connection", connect)
    with server:
        yield start
    assert connections == [("bondi.sidechart.example", 443)]


@pytest.mark.parametrize(("days", "light"), [(60, "ok"), (21, "ok"), (20, "warn"), (7, "warn"), (6, "fail")])
def test_a_certificate_warns_before_it_expires(serve: Serve, bondi: Clinic, days: int, light: str) -> None:
    serve("*.sidechart.example", days)
    assert doctor.check_certificate(bondi) == (light, f"Expires in {days} days.")


@pytest.mark.parametrize(
    ("name", "days", "trusted"),
    [("*.elsewhere.example", 60, True), ("*.sidechart.example", -2, True), ("*.sidechart.example", 60, False)],
)
def test_a_certificate_that_browsers_reject_fails(
    serve: Serve, bondi: Clinic, name: str, days: int, trusted: bool
) -> None:
    serve(name, days, trusted=trusted)
    light, sentence = doctor.check_certificate(bondi)
    assert light == "fail"
    assert "Browsers reject the certificate of bondi.sidechart.example" in sentence


def test_a_closed_port_fails(bondi: Clinic, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BASE_DOMAIN, settings.HTTPS, settings.PUBLIC_PORT = "sidechart.example", True, 9
    monkeypatch.setattr("ops.dns_tls.socket.create_connection", lambda *_, **__: CONNECT(("127.0.0.1", 9)))
    assert doctor.check_certificate(bondi)[0] == "fail"
    assert "doesn't answer HTTPS on port 9" in doctor.check_certificate(bondi)[1]


def test_http_is_fine_on_localhost_only(bondi: Clinic, settings: Settings) -> None:
    assert doctor.check_certificate(bondi) == ("ok", "No certificate: PUBLIC_SCHEME is http.")
    settings.BASE_DOMAIN = "sidechart.example"
    assert doctor.check_certificate(bondi)[0] == "fail"


def test_a_host_must_be_in_dns_except_on_localhost(
    bondi: Clinic, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookups: list[str] = []

    def resolver(host: str, port: int, **_: Any) -> list[Any]:
        lookups.append(host)
        if host.startswith("harbour"):
            raise socket.gaierror("Name or service not known")
        return [(0, 0, 0, "", ("192.0.2.7", port))] * 2

    monkeypatch.setattr("ops.dns_tls.socket.getaddrinfo", resolver)
    assert doctor.check_dns(bondi) == ("ok", "bondi.localhost is this machine, without DNS.")
    assert lookups == []
    settings.BASE_DOMAIN = "sidechart.example"
    assert doctor.check_dns(bondi) == ("ok", "bondi.sidechart.example resolves to 192.0.2.7.")
    assert doctor.check_dns(Clinic(label="harbour"))[0] == "fail"
