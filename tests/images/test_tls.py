"""TLS verifies the host name of the URL, although the connection is made to its address."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.errors import PictureUnavailable
from schemas.looks import ImageReference
from schemas.settings import ImageSettings
from tests.images import encoded_pictures as pictures
from tests.images.conftest import OpenFetcher
from tests.images.picture_host import PictureHost, response

x509 = pytest.importorskip("cryptography.x509", reason="makes the certificate")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Self-signed, for shop.example."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
async def secure_host(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PictureHost]:
    """An https host on 127.0.0.1, to which every name resolves."""
    host = PictureHost()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(host.handle, "127.0.0.1", 0, ssl=context)
    host.port = server.sockets[0].getsockname()[1]
    host.serve("/a.png", response(pictures.PNG))

    async def resolve(
        name: str, port: int, **_: object
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    yield host
    server.close()
    await server.wait_closed()


async def test_a_trusted_certificate_for_the_name_is_accepted(
    secure_host: PictureHost,
    certificate: Path,
    settings: ImageSettings,
    open_fetcher: OpenFetcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    url = f"https://shop.example:{secure_host.port}/a.png"
    await open_fetcher(settings).fetch(ImageReference(url=url))
    assert secure_host.requests[0].headers["host"] == f"shop.example:{secure_host.port}"


async def test_a_certificate_for_another_name_is_refused(
    secure_host: PictureHost,
    certificate: Path,
    settings: ImageSettings,
    open_fetcher: OpenFetcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    url = f"https://other.example:{secure_host.port}/a.png"
    with pytest.raises(PictureUnavailable, match="certificate verify failed") as raised:
        await open_fetcher(settings).fetch(ImageReference(url=url))
    assert raised.value.reason == "connection"
    assert not secure_host.requests


async def test_an_untrusted_certificate_is_refused(
    secure_host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    url = f"https://shop.example:{secure_host.port}/a.png"
    with pytest.raises(PictureUnavailable, match="certificate verify failed") as raised:
        await open_fetcher(settings).fetch(ImageReference(url=url))
    assert raised.value.reason == "connection"
    assert not secure_host.requests
