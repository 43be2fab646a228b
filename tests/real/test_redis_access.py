"""Permissions, passwords and TLS of Redis servers, tested on Redis and Valkey."""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devservers.redis import provision_redis, redis_server
from devservers.server import LocalServer
from operators.stores.redis.cache import RedisCache
from operators.stores.redis.claims import RedisClaims
from operators.stores.redis.client import open_redis
from operators.stores.redis.kept_matches import RedisKeptMatches
from operators.stores.redis.ledger import RedisLedger
from operators.stores.redis.ledger_identity import (
    IdentityGuard,
    LedgerIdentity,
    delete_identity,
    identify,
    write_identity,
)
from operators.stores.redis.mirrors import MirrorAcknowledgements
from operators.stores.redis.pauses import RedisPauses
from operators.stores.redis.schedule import RedisSchedule
from operators.stores.redis.server import inspect_server, refuse_unsafe
from operators.stores.redis.webhooks import RedisWebhooks
from schemas.catalog import LedgerEntry
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import BatchSettings, RedisSettings
from services.api.rate_limits import redis_counter
from services.processes import free_port
from tests.doubles import InMemoryIndex
from tests.stores.probing import probe_redis

pytestmark = pytest.mark.services

BATCHES = BatchSettings(max_size=64, max_wait_ms=1.0)
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "redis.md"
RULE = re.findall(r"^user looksync .*$", DOCUMENTATION.read_text(encoding="utf-8"), re.MULTILINE)
"""The documented ACL rule."""


async def use_every_command(settings: RedisSettings) -> None:
    """Send every command that the stores use, as one user."""
    client = open_redis(settings.url, settings)
    try:
        refuse_unsafe(await inspect_server(client))
        identity = await identify(client, InMemoryIndex())
        ledger = RedisLedger(client, BATCHES, guard=IdentityGuard(identity))
        cache, claims = RedisCache(client, BATCHES), RedisClaims(client, BATCHES)
        await ledger.write(LedgerEntry(key="zari:1", version=1))
        assert await ledger.read("zari:1") is not None
        assert [entry.key async for entry in ledger.scan()] == ["zari:1"]
        await cache.put("a", b"1", 60)
        assert await cache.get("a") == b"1"
        assert await claims.claim("look:1", "ann", 60) == "ann"
        schedule, now = RedisSchedule(client), datetime.datetime.now(datetime.UTC)
        await schedule.set("zari:1", now)
        assert await schedule.lease_due(now, 10, datetime.timedelta(minutes=1)) == ["zari:1"]
        await schedule.set("zari:1", None)
        mirrors, pauses = MirrorAcknowledgements(client), RedisPauses(client)
        await mirrors.acknowledge("second", "process")
        assert await mirrors.count("second") == 1
        await pauses.pause("catalog", "maintenance")
        assert await pauses.reason("catalog") == "maintenance"
        assert await pauses.resume("catalog")
        kept = RedisKeptMatches(client, BATCHES, 60)
        assert await kept.accept("look-1", "hash") == "hash"
        assert await kept.is_accepted("look-1")
        await kept.keep("look-1", b"event", now)
        assert await kept.read("look-1") == b"event"
        assert [look_id for _, look_id in await kept.newest(10)] == ["look-1"]
        await kept.note_positions("looks.matched", {0: 1})
        assert await kept.positions("looks.matched") == {0: 1}
        await kept.forget("look-1")
        hooks = RedisWebhooks(client, 60, 10)
        await hooks.put_hook("app", b"hook")
        assert await hooks.hooks() == {"app": b"hook"}
        await hooks.add("app", "delivery", b"event", now.timestamp())
        assert await hooks.lease("app", now.timestamp(), 10, 60) == ["delivery"]
        await hooks.put_delivery("delivery", b"done")
        await hooks.settle("app", "delivery")
        assert await hooks.delivery("delivery") == b"done"
        assert await hooks.latest("app") == ["delivery"]
        assert await hooks.delete_hook("app")
        counter = redis_counter(client)
        assert [(await counter.hit("app", 2))[0] for _ in range(3)] == [True, True, False]
        await delete_identity(client)
        await write_identity(client, LedgerIdentity.new())
    finally:
        await client.aclose()
    await probe_redis(settings)


@pytest.fixture
def restricted(redis_binary: Path, tmp_path: Path) -> Iterator[LocalServer]:
    """A server whose only user, looksync, has the documented permissions."""
    rules = tmp_path / "users.acl"
    (rule,) = RULE
    rules.write_text(f"user default off\n{rule}\n")
    with redis_server(
        redis_binary, tmp_path / "data", free_port(), ("--aclfile", str(rules))
    ) as server:
        yield server


@pytest.mark.parametrize("place", ["in the settings", "in the url"])
async def test_the_documented_permissions_are_sufficient(
    restricted: LocalServer, place: str
) -> None:
    if place == "in the settings":
        settings = RedisSettings(
            kind="url", url=restricted.address, username="looksync", password="secret"
        )
    else:
        url = restricted.address.replace("redis://", "redis://looksync:secret@")
        settings = RedisSettings(kind="url", url=url)
    await use_every_command(settings)


@pytest.mark.parametrize(
    ("username", "password"), [("looksync", "wrong"), (None, "secret"), (None, None)]
)
async def test_a_rejected_login_names_the_settings(
    restricted: LocalServer, username: str | None, password: str | None
) -> None:
    settings = RedisSettings(
        kind="url", url=restricted.address, username=username, password=password
    )
    with pytest.raises(Misconfigured, match=r"redis\.username and redis\.password") as rejected:
        await probe_redis(settings)
    assert "secret" not in str(rejected.value)


async def test_other_keys_and_commands_are_forbidden(restricted: LocalServer) -> None:
    settings = RedisSettings(
        kind="url", url=restricted.address, username="looksync", password="secret"
    )
    client = open_redis(settings.url, settings)
    for command in (
        client.flushall,
        lambda: client.get("other:key"),
        client.keys,
        client.config_get,
    ):
        with pytest.raises(redis.exceptions.NoPermissionError):
            await command()
    await client.aclose()


async def test_a_password_without_a_user(redis_binary: Path, tmp_path: Path) -> None:
    arguments = ("--requirepass", "secret")
    with redis_server(redis_binary, tmp_path / "data", free_port(), arguments) as server:
        await use_every_command(RedisSettings(kind="url", url=server.address, password="secret"))


@dataclass(frozen=True, slots=True)
class Certificates:
    ca: Path
    server: Path
    client: Path
    """PEM, key and certificate in one file."""
    other_ca: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    ca, ca_key = issue(folder / "ca.pem", "ca")
    issue(folder / "server.pem", "server", (ca, ca_key))
    issue(folder / "client.pem", "looksync", (ca, ca_key))
    issue(folder / "other.pem", "other")
    return Certificates(*(folder / f"{name}.pem" for name in ("ca", "server", "client", "other")))


def issue(
    path: Path,
    name: str,
    by: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Write a certificate for 127.0.0.1 and its key to ``path``; self-signed without ``by``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    local = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([local]), critical=False)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .sign(key if by is None else by[1], hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(encoding)
    )
    return certificate, key


@pytest.fixture
def tls_url(certificates: Certificates, tmp_path: Path) -> Iterator[str]:
    """The rediss:// URL of a server that requires client certificates."""
    binary, port = provision_redis(tmp_path), free_port()
    arguments = [
        *("--tls-port", str(port), "--tls-ca-cert-file", str(certificates.ca)),
        *("--tls-cert-file", str(certificates.server), "--tls-key-file", str(certificates.server)),
    ]
    server = redis_server(binary, tmp_path / "data", free_port(), arguments)
    try:
        server.start()
    except Unavailable as error:
        if "TLS support" in str(error) or "'tls-port" in str(error):
            pytest.skip(f"{binary} was built without TLS; Debian's redis-server has it")
        raise
    yield f"rediss://127.0.0.1:{port}/0"
    server.stop()


async def test_tls_with_certificates_on_both_sides(
    tls_url: str, certificates: Certificates
) -> None:
    await use_every_command(
        RedisSettings(
            kind="url",
            url=tls_url,
            ca_file=certificates.ca,
            client_cert=certificates.client,
            client_key=certificates.client,
        )
    )


@pytest.mark.parametrize("authority", ["another", "the system's"])
async def test_an_untrusted_server_certificate_is_rejected(
    tls_url: str, certificates: Certificates, authority: str
) -> None:
    ca_file = certificates.other_ca if authority == "another" else None
    settings = RedisSettings(
        kind="url", url=tls_url, ca_file=ca_file, client_cert=certificates.client
    )
    with pytest.raises(Misconfigured, match=r"certificate is not trusted.*redis\.ca_file"):
        await probe_redis(settings)


async def test_a_missing_client_certificate_is_reported(
    tls_url: str, certificates: Certificates
) -> None:
    settings = RedisSettings(kind="url", url=tls_url, ca_file=certificates.ca)
    with pytest.raises((Misconfigured, Unavailable), match=r"certificate|closed"):
        await probe_redis(settings)
