"""Connects to Weaviate; every call has a timeout, and every error is translated to ours."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

import grpc
import httpx
from pydantic import ValidationError
from weaviate import WeaviateAsyncClient
from weaviate.auth import AuthApiKey
from weaviate.config import AdditionalConfig, Timeout
from weaviate.connect import ConnectionParams
from weaviate.exceptions import (
    AuthenticationFailedError,
    InsufficientPermissionsError,
    UnexpectedStatusCodeError,
    WeaviateBaseError,
    WeaviateClosedClientError,
    WeaviateInvalidInputError,
)

from operators.metering import Meter, unmetered
from schemas.errors import LookSyncError, Misconfigured, Unavailable, list_problems
from schemas.settings import IndexSettings

RECONNECT_MS = 1_000
"""Longest pause between connection attempts. gRPC's default grows to two minutes: after an outage
of one minute it could add another."""

INVALID_OBJECT = re.compile(r"\binvalid\b|no such prop|dimensions do not match")
"""Weaviate's messages about objects that can never be stored. All other errors (read-only, disk
full, out of memory, missing replicas) may be temporary."""

REFUSED = "weaviate-refused"
"""Reason of an error when the key is rejected."""

Reply = TypeVar("Reply")


class _EagerChannel(ConnectionParams):
    """Sets channel options, which the client does not expose: it creates its channel here."""

    def _grpc_channel(
        self, proxies: dict[str, str], grpc_msg_size: int | None, is_async: bool
    ) -> Any:
        del proxies, is_async  # no proxies are set, and the client is asynchronous
        size = grpc_msg_size or 104_858_000  # the client's and the server's default
        options = [
            ("grpc.max_send_message_length", size),
            ("grpc.max_receive_message_length", size),
            ("grpc.default_authority", self.grpc.host),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", RECONNECT_MS),
        ]
        if self.grpc.secure:
            credentials = grpc.ssl_channel_credentials()
            return grpc.aio.secure_channel(self._grpc_target, credentials, options=options)
        return grpc.aio.insecure_channel(self._grpc_target, options=options)


class WeaviateConnection:
    """A client of one server."""

    def __init__(self, client: WeaviateAsyncClient, url: str, meter: Meter = unmetered) -> None:
        self.client = client
        self._url = url
        self._meter = meter

    @classmethod
    async def open(cls, settings: IndexSettings, meter: Meter = unmetered) -> Self:
        """Raises Unavailable when the server does not answer, Misconfigured for an invalid URL or
        a rejected key."""
        # The client logs every object of a failed batch with its vector; errors go to the callers
        # instead.
        logging.getLogger("weaviate-client").setLevel(logging.CRITICAL)
        key = settings.api_key
        try:
            params = _EagerChannel.from_url(settings.url, settings.grpc_port)
        except ValidationError as error:
            raise Misconfigured(f"index.url {settings.url!r}: {list_problems(error)}") from error
        except ValueError as error:
            raise Misconfigured(f"index.url {settings.url!r}: {error}") from error
        client = WeaviateAsyncClient(
            params,
            auth_client_secret=AuthApiKey(key.get_secret_value()) if key else None,
            additional_config=AdditionalConfig(
                timeout=Timeout(
                    init=settings.read_seconds,
                    query=settings.read_seconds,
                    insert=settings.write_seconds,
                )
            ),
            # The checks ask a package registry for newer versions of the client.
            skip_init_checks=True,
        )
        connection = cls(client, settings.url, meter)
        try:
            await connection.call(settings.read_seconds, client.connect)
        except BaseException as error:
            await client.close()
            if isinstance(error, Unavailable):
                cause = str(error).rstrip(". ")
                raise Unavailable(
                    f"{cause}; start it, or set index.url", reason=error.reason
                ) from error
            raise
        return connection

    async def call(self, seconds: float, request: Callable[[], Awaitable[Reply]]) -> Reply:
        """Send ``request``; raise Unavailable after ``seconds``.

        Without this timeout the client retries for up to a minute when the server is down.
        """
        try:
            with self._meter():
                async with asyncio.timeout(seconds):
                    return await request()
        except TimeoutError as error:
            raise Unavailable(
                f"weaviate at {self._url}: no answer within {seconds:g} s", reason="weaviate"
            ) from error
        except (WeaviateBaseError, httpx.HTTPError, grpc.aio.AioRpcError, OSError) as error:
            raise self._translate(error) from error

    async def close(self) -> None:
        await self.client.close()

    def _translate(self, error: Exception) -> Exception:
        """Our error for one of the client's, or the error itself when it is a bug of ours."""
        if isinstance(error, WeaviateInvalidInputError | WeaviateClosedClientError):
            return error
        status = error.status_code if isinstance(error, UnexpectedStatusCodeError) else None
        rejected = isinstance(error, AuthenticationFailedError | InsufficientPermissionsError)
        if rejected or status in (401, 403) or _grpc_code(error) in _REJECTIONS:
            return Misconfigured(
                f"weaviate at {self._url} rejected the key ({error}); set index.api_key to one "
                "that may read and write the collections and aliases that begin with index.alias",
                reason=REFUSED,
            )
        if status == 422:
            return translate_rejection(str(error))
        return Unavailable(f"weaviate at {self._url}: {error}", reason="weaviate")


_REJECTIONS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


def _grpc_code(error: BaseException | None) -> grpc.StatusCode | None:
    """The gRPC status in the chain of causes; the client wraps some errors without it."""
    while error is not None:
        if isinstance(error, grpc.aio.AioRpcError):
            return error.code()
        error = error.__cause__ or error.__context__
    return None


def translate_rejection(message: str) -> LookSyncError | ValueError:
    """ValueError for an object that can never be stored, else Unavailable."""
    if INVALID_OBJECT.search(message):
        return ValueError(f"weaviate: {message}")
    return Unavailable(f"weaviate: {message}", reason="weaviate-write")
