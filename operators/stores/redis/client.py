"""Connects to Redis (address, credentials, certificates) and translates the client's errors.

Supports one primary, with or without replicas, not Redis Cluster (docs/decisions/092). The
permissions that the Redis user needs are in docs/redis.md, and tested.
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
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from schemas.errors import LookSyncError, Misconfigured, Unavailable
from schemas.settings import RedisSettings

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 3.0
"""Commands take microseconds, but with a busy disk a server may delay writes for up to 2 s before
it continues without the flush (Valkey, appendfsync everysec)."""

RECONNECTS = 2
"""Retries after a connection error: enough to reach a restarted server. In longer outages the
caller gets Unavailable and decides. Timeouts are not retried: that would only add to the delay."""

ONLINE_SECONDS = 0.4
"""Connect and reply timeout when a user waits for a look: three stages may time out within the few
seconds that a request has, and the look is then matched without Redis."""

WRONG_TYPE = "redis-wrong-type"
"""Reason of the error for a key that holds a list, a hash, ... instead of what we keep there."""

NOT_CLUSTER = (
    "set redis.url to one primary that holds all data: Redis Cluster is not supported "
    "(docs/decisions/092)"
)


def open_redis(
    url: str, access: RedisSettings | None = None, *, online: bool = False
) -> redis.asyncio.Redis:
    """A client for ``redis://``, ``rediss://`` or ``unix://``; it connects on its first command.

    ``access``: user, password and certificates of an external server; credentials in ``url`` take
    precedence. ``online``: use short timeouts. Raises Misconfigured when ``url`` is invalid or does
    not fit ``access``.
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
    options: dict[str, Any] = {
        "username": access.username,
        "password": access.password.get_secret_value() if access.password else None,
    }
    files = {
        "ssl_ca_certs": _readable("redis.ca_file", access.ca_file),
        "ssl_certfile": _readable("redis.client_cert", access.client_cert),
        "ssl_keyfile": _readable("redis.client_key", access.client_key),
    }
    options |= {name: path for name, path in files.items() if path is not None}
    if any(files.values()) and not url.startswith("rediss://"):
        raise Misconfigured(
            f"redis.url {access.shown_url!r} does not use TLS, but certificates are set: write "
            "rediss://, or unset redis.ca_file, redis.client_cert and redis.client_key"
        )
    return {name: value for name, value in options.items() if value is not None}


def _readable(setting: str, path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        path.open("rb").close()
    except OSError as error:
        raise Misconfigured(f"{setting} = {path}: {error.strerror}; name a PEM file") from error
    return str(path)


def translate_error(error: RedisError | OSError) -> LookSyncError:
    """Our error for one of the client's; the message says what to do."""
    for cause in _chain(error):  # errors while connecting are wrapped
        if isinstance(cause, AuthenticationError | AuthorizationError):
            return Misconfigured(
                f"redis rejected the credentials ({cause}); set redis.username and redis.password, "
                "or redis.url to redis://user:password@host:6379/0",
                reason="redis-refused",
            )
        if isinstance(cause, NoPermissionError):
            return Misconfigured(
                f"redis: the user lacks a permission ({cause}); give it the ACL rule in "
                "docs/redis.md",
                reason="redis-refused",
            )
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Misconfigured(
                f"redis: the server's certificate is not trusted ({cause.verify_message}); set "
                "redis.ca_file to the PEM of the authority that signed it, and use a host name "
                "from the certificate in redis.url",
                reason="redis-certificate",
            )
        if isinstance(cause, MovedError | AskError):
            return Misconfigured(f"redis: {cause}; {NOT_CLUSTER}", reason="redis-cluster")
    if isinstance(error, OutOfMemoryError):
        return Unavailable(
            f"redis is out of memory ({error}); raise maxmemory, the flows wait until then",
            reason="redis-full",
        )
    if isinstance(error, ReadOnlyError):
        return Unavailable(
            f"redis is a replica ({error}); set redis.url to the primary", reason="redis-replica"
        )
    if is_wrong_type(error):
        return Unavailable(
            f"redis: {error}: another program uses a key that begins with looksync:; delete it",
            reason=WRONG_TYPE,
        )
    if isinstance(error, RedisConnectionError):
        return Unavailable(f"redis: {error} Start it, or set redis.url", reason="redis")
    return Unavailable(f"redis: {error}", reason="redis")


def is_wrong_type(error: object) -> bool:
    """Whether the key of the command holds a list, a hash, ... instead of a string."""
    return isinstance(error, ResponseError) and str(error).startswith("WRONGTYPE")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise our errors instead of the client's."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise translate_error(error) from error
