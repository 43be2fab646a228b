"""The connection to Redis: address, credentials, certificates; and what its errors mean.

One primary (with replicas or without), not Redis Cluster: docs/decisions/092 says why. What a
user of ours must be allowed to do is in docs/redis.md, and tested.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from schemas.errors import LookSyncError, Misconfigured, Unavailable
from schemas.settings import RedisSettings

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 3.0
"""Commands here take microseconds, but a server whose disk is busy may hold writes for 2 s before
it goes on without the flush (Valkey, appendfsync everysec)."""

RECONNECTS = 2
"""Tries after a connection broke: enough to find a server that was restarted. Longer outages are
the caller's to wait for; he sees Unavailable. A late answer is not asked for again: that would
only make it later."""

ONLINE_SECONDS = 0.4
"""To connect, and to answer, where somebody waits for a look: three stages may ask in vain within
his few seconds, and then do without."""

NOT_CLUSTER = (
    "name one primary that holds everything in redis.url: Redis Cluster is not supported "
    "(docs/decisions/092)"
)


def open_redis(
    url: str, access: RedisSettings | None = None, *, online: bool = False
) -> redis.asyncio.Redis:
    """A client for ``redis://``, ``rediss://`` or ``unix://``; it connects at its first command.

    ``access``: user, password and certificates of a server that is not our own; what ``url``
    itself says goes first. ``online``: gives up soon. Raises Misconfigured
    when address and access do not fit together.
    """
    try:
        return redis.asyncio.Redis.from_url(
            url,
            **(_credentials(url, access) if access is not None else {}),
            socket_connect_timeout=ONLINE_SECONDS if online else CONNECT_SECONDS,
            socket_timeout=ONLINE_SECONDS if online else ANSWER_SECONDS,
            retry=Retry(
                ExponentialBackoff(cap=0.2, base=0.02),
                1 if online else RECONNECTS,
                supported_errors=(RedisConnectionError,),
            ),
        )
    except ValueError as error:
        raise Misconfigured(f"redis.url {RedisSettings(url=url).shown_url!r}: {error}") from error


def _credentials(url: str, access: RedisSettings) -> dict[str, Any]:
    given: dict[str, Any] = {
        "username": access.username,
        "password": access.password.get_secret_value() if access.password else None,
    }
    files = {
        "ssl_ca_certs": _readable("redis.ca_file", access.ca_file),
        "ssl_certfile": _readable("redis.client_cert", access.client_cert),
        "ssl_keyfile": _readable("redis.client_key", access.client_key),
    }
    given |= {name: path for name, path in files.items() if path is not None}
    if any(files.values()) and not url.startswith("rediss://"):
        raise Misconfigured(
            f"redis.url {access.shown_url!r} is without TLS, but certificates are set: write "
            "rediss://, or unset redis.ca_file, redis.client_cert and redis.client_key"
        )
    return {name: value for name, value in given.items() if value is not None}


def _readable(setting: str, path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        path.open("rb").close()
    except OSError as error:
        raise Misconfigured(f"{setting} = {path}: {error.strerror}; name a PEM file") from error
    return str(path)


def explain(error: RedisError | OSError) -> LookSyncError:
    """Our error for what the client raised, saying what to do."""
    for cause in _chain(error):  # what went wrong while connecting arrives wrapped
        if isinstance(cause, AuthenticationError | AuthorizationError):
            return Misconfigured(
                f"redis refuses us ({cause}); set redis.username and redis.password, or write "
                "redis://user:password@host:6379/0 into redis.url",
                reason="redis-refused",
            )
        if isinstance(cause, NoPermissionError):
            return Misconfigured(
                f"redis does not let us do what we must ({cause}); give the user the ACL rule in "
                "docs/redis.md",
                reason="redis-refused",
            )
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Misconfigured(
                f"redis: the server's certificate is not trusted ({cause.verify_message}); set "
                "redis.ca_file to the PEM of the authority that signed it, and the host in "
                "redis.url to a name in it",
                reason="redis-certificate",
            )
        if isinstance(cause, MovedError | AskError):
            return Misconfigured(f"redis: {cause}; {NOT_CLUSTER}", reason="redis-cluster")
    if isinstance(error, OutOfMemoryError):
        return Unavailable(
            f"redis is full ({error}); give it more memory (maxmemory), the flows wait for it",
            reason="redis-full",
        )
    if isinstance(error, ReadOnlyError):
        return Unavailable(
            f"redis is a replica ({error}); name the primary in redis.url", reason="redis-replica"
        )
    if isinstance(error, RedisConnectionError):
        return Unavailable(f"redis: {error} Start it, or set redis.url", reason="redis")
    return Unavailable(f"redis: {error}", reason="redis")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@contextmanager
def explained() -> Iterator[None]:
    """Turn what the client raises into our errors."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise explain(error) from error
