"""The connection to Weaviate: every call under a deadline of ours, every error one of ours."""

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

from schemas.errors import LookSyncError, Misconfigured, Unavailable
from schemas.settings import IndexSettings

RECONNECT_MS = 1_000
"""Longest pause between tries to connect. gRPC's own grows to two minutes: after an outage of one
minute it would add most of another."""

REFUSED_OBJECT = re.compile(r"\binvalid\b|no such prop|dimensions do not match")
"""In Weaviate's message on an object: it can never be stored as it is. Whatever else a message
says (read-only, disk full, out of memory, replicas away) may pass."""

Answer = TypeVar("Answer")


class _EagerChannel(ConnectionParams):
    """The client takes no channel options; this is the one place where it makes its channel."""

    def _grpc_channel(
        self, proxies: dict[str, str], grpc_msg_size: int | None, is_async: bool
    ) -> Any:
        del proxies, is_async  # none are set, and the client is the asynchronous one
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
    """One client of one server."""

    def __init__(self, client: WeaviateAsyncClient, url: str) -> None:
        self.client = client
        self._url = url

    @classmethod
    async def open(cls, settings: IndexSettings) -> Self:
        """Raises Unavailable when the server does not answer, Misconfigured when it refuses."""
        # Of a batch with errors the client logs every object, vector and all; each error goes to
        # its caller instead.
        logging.getLogger("weaviate-client").setLevel(logging.CRITICAL)
        key = settings.api_key
        try:
            params = _EagerChannel.from_url(settings.url, settings.grpc_port)
        except (ValueError, ValidationError) as error:
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
            # They would ask a package registry for newer versions of the client.
            skip_init_checks=True,
        )
        connection = cls(client, settings.url)
        try:
            await connection.call(settings.read_seconds, client.connect)
        except BaseException as error:
            await client.close()
            if isinstance(error, Unavailable):
                what = str(error).rstrip(". ")
                raise Unavailable(
                    f"{what}; start it, or set index.url", reason=error.reason
                ) from error
            raise
        return connection

    async def call(self, seconds: float, request: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer to ``request``, or Unavailable after ``seconds``.

        By itself the client goes on for up to a minute when the server is away.
        """
        try:
            async with asyncio.timeout(seconds):
                return await request()
        except TimeoutError as error:
            raise Unavailable(
                f"weaviate at {self._url}: no answer within {seconds:g} s", reason="weaviate"
            ) from error
        except (WeaviateBaseError, httpx.HTTPError, grpc.aio.AioRpcError, OSError) as error:
            raise self._explained(error) from error

    async def close(self) -> None:
        await self.client.close()

    def _explained(self, error: Exception) -> Exception:
        """Our error for what the client raised, saying what to do; a bug of ours as it is."""
        if isinstance(error, WeaviateInvalidInputError | WeaviateClosedClientError):
            return error
        status = error.status_code if isinstance(error, UnexpectedStatusCodeError) else None
        refused = isinstance(error, AuthenticationFailedError | InsufficientPermissionsError)
        if refused or status in (401, 403) or _grpc_code(error) in _REFUSALS:
            return Misconfigured(
                f"weaviate at {self._url} refuses us ({error}); set index.api_key to a key that "
                "may read and write the collections and aliases that begin with index.alias",
                reason="weaviate-refused",
            )
        if status == 422:
            return explained_refusal(str(error))
        return Unavailable(f"weaviate at {self._url}: {error}", reason="weaviate")


_REFUSALS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


def _grpc_code(error: BaseException | None) -> grpc.StatusCode | None:
    """The client wraps gRPC's errors, some of them without their code."""
    while error is not None:
        if isinstance(error, grpc.aio.AioRpcError):
            return error.code()
        error = error.__cause__ or error.__context__
    return None


def explained_refusal(message: str) -> LookSyncError | ValueError:
    """What Weaviate's ``message`` on one object or request means for it."""
    if REFUSED_OBJECT.search(message):
        return ValueError(f"weaviate: {message}")
    return Unavailable(f"weaviate: {message}", reason="weaviate-write")
