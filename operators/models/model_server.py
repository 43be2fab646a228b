"""Calls a model server's HTTP API: JSON there, JSON back, within a budget.

Each call in flight has a connection of its own. One pool for all of them would look through all its
connections at every request: 8 ms of CPU a call with 64 in flight, here below 1
(docs/decisions/168).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpcore
import httpx
from aiolimiter import AsyncLimiter
from pydantic import SecretStr
from pydantic_core import from_json, to_json

from operators.budget import Budget
from operators.concurrency import cancel
from operators.metering import Meter, unmetered
from schemas.errors import Unavailable

LARGEST_ANSWER_BYTES = 8 * 2**20
"""The log probabilities of 8,192 prompt tokens take 700 kB."""

_RETRYABLE = frozenset({408, 409, 425, 429})
"""And all from 500: for another attempt they may have passed. Every other status is a refusal of
this request; whether all requests fail is for the breaker to find (docs/decisions/140)."""
_BASE_WAIT_SECONDS, _MAX_WAIT_SECONDS = 0.1, 2.0

_Connection: TypeAlias = httpcore.AsyncHTTPConnection
_BROKEN = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How often a server is called; the settings of the same names say what each means."""

    concurrency: int
    attempts: int
    requests_per_second: float | None = None
    hedge_after_ms: float | None = None


class ModelServer:
    """A server's API below one URL. Use from one event loop."""

    def __init__(
        self, url: str, api_key: SecretStr | None, limits: CallLimits, meter: Meter = unmetered
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = [(b"Content-Type", b"application/json")]
        if api_key is not None:
            bearer = f"Bearer {api_key.get_secret_value()}"
            self._headers.append((b"Authorization", bearer.encode()))
        self._limits = limits
        self._meter = meter
        self._slots = asyncio.Semaphore(limits.concurrency)
        rate = limits.requests_per_second
        # One by one: a bucket of a second would let its requests through at once.
        self._pace: AbstractAsyncContextManager[None] = (
            nullcontext() if rate is None else AsyncLimiter(1, 1 / rate)
        )
        self._tls = httpx.create_ssl_context()
        self._idle: list[_Connection] = []

    async def close(self) -> None:
        """Close the connections; no call may be in flight."""
        while self._idle:
            await self._idle.pop().aclose()

    async def post(
        self, path: str, body: Mapping[str, Any], budget: Budget, *, holds: str
    ) -> dict[str, Any]:
        """The answer to ``body``, an object with a list called ``holds``; retries as long as the
        budget allows.

        Raises Unavailable or DeadlineExceeded.
        """
        async with budget.enforced("the model server"), self._slots:
            content = to_json(body)
            for attempt in range(1, self._limits.attempts + 1):
                try:
                    return await self._hedge(lambda: self._request(path, content, holds))
                except _RetryableError as error:
                    backoff = min(_MAX_WAIT_SECONDS, _BASE_WAIT_SECONDS * 2**attempt)
                    wait = max(error.retry_after, backoff * random.uniform(0.5, 1))
                    if attempt == self._limits.attempts or wait >= budget.remaining():
                        raise Unavailable(str(error), reason=error.reason) from None
                    await asyncio.sleep(wait)
        raise AssertionError("unreachable: attempts is at least 1")

    async def _hedge(self, call: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """Run ``call``; after hedge_after_ms run it a second time and return the first result."""
        if self._limits.hedge_after_ms is None:
            return await call()
        tasks = [asyncio.ensure_future(call())]
        try:
            await asyncio.wait(tasks, timeout=self._limits.hedge_after_ms / 1000)
            if not tasks[0].done():
                tasks.append(asyncio.ensure_future(call()))
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            await cancel(tasks)

    async def _request(self, path: str, content: bytes, holds: str) -> dict[str, Any]:
        async with self._pace:
            pass
        with self._meter():
            try:
                response, data = await self._exchange(path, content)
            except _BROKEN as error:
                late = isinstance(error, httpcore.TimeoutException)
                cause = "no answer in time" if late else str(error) or "the connection broke"
                raise _RetryableError(
                    f"the model server cannot be reached: {cause}", reason="connection"
                ) from error
            _check_status(response, data)
            return _read(data, holds)

    async def _exchange(self, path: str, content: bytes) -> tuple[httpcore.Response, bytes]:
        """The response, and its body. Raises Unavailable for a body that is too large."""
        url = httpx.URL(self._url + path)
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        data = bytearray()
        async with (
            self._connection(target.origin) as connection,
            connection.stream("POST", target, headers=self._headers, content=content) as response,
        ):
            async for part in response.aiter_stream():
                data += part
                if len(data) > LARGEST_ANSWER_BYTES:
                    raise Unavailable(
                        f"the model server's answer has more than {LARGEST_ANSWER_BYTES:,} bytes",
                        reason="too-large",
                    )
        return response, bytes(data)

    @asynccontextmanager
    async def _connection(self, origin: httpcore.Origin) -> AsyncIterator[_Connection]:
        """The connection that was used last, if the server has not closed it, or a new one."""
        connection = None
        while self._idle and connection is None:
            connection = self._idle.pop()
            if not connection.is_idle() or connection.has_expired():
                await connection.aclose()
                connection = None
        connection = connection or _Connection(origin, self._tls)
        try:
            yield connection
        except BaseException:  # such as a cancellation: the connection is in no known state
            await connection.aclose()
            raise
        self._idle.append(connection)


class _RetryableError(Exception):
    """A failure after which another attempt may succeed; ``retry_after`` in seconds."""

    def __init__(self, message: str, *, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after


def _check_status(response: httpcore.Response, data: bytes) -> None:
    status = response.status
    if status in _RETRYABLE or status >= 500:
        raise _RetryableError(
            f"the model server responded with {status}",
            reason=f"http-{status}",
            retry_after=_retry_after_seconds(response),
        )
    if not 200 <= status < 300:
        raise Unavailable(
            f"the model server refused the request ({status}): {_shown(data)}; if it refuses all, "
            "check the settings of its URL, model and API key, and the server's flags",
            reason=f"http-{status}",
        )


def _read(data: bytes, holds: str) -> dict[str, Any]:
    try:
        answer = from_json(data)
    except (ValueError, RecursionError) as error:
        raise _RetryableError(
            f"the model server sent invalid JSON: {error}", reason="no-json"
        ) from error
    if not isinstance(answer, dict):
        raise _RetryableError("the model server sent no JSON object", reason="no-json")
    if not isinstance(answer.get(holds), list):  # such as an error with status 200
        raise _RetryableError(
            f"the model server sent no {holds}: {_shown(data)}", reason=f"no-{holds}"
        )
    return answer


def _shown(data: bytes) -> str:
    return data[:300].decode("utf-8", errors="replace")


def _retry_after_seconds(response: httpcore.Response) -> float:
    for name, value in response.headers:
        if name.lower() == b"retry-after":
            try:
                return max(0.0, float(value))
            except ValueError:  # an HTTP date: rare, and later than any look's deadline
                return _MAX_WAIT_SECONDS
    return 0.0
