"""Who may do what, and how often."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Protocol

from fastapi import Request, Response

from schemas.settings import ApiKey
from schemas.settings.api import Scope
from services.api.problems import ApiProblem


class RequestCounter(Protocol):
    """Counts the requests of each client."""

    async def hit(self, client: str, per_minute: int) -> tuple[bool, int, int]:
        """Count a request: whether it is allowed, how many remain, seconds until more are."""
        ...


def hash_of(key: str) -> str:
    """What the settings hold of a key: keys are random, so a plain SHA-256 suffices."""
    return hashlib.sha256(key.encode()).hexdigest()


class Access:
    """Checks the key of a request, if there are any."""

    def __init__(self, keys: tuple[ApiKey, ...], counter: RequestCounter) -> None:
        self._keys = keys
        self._counter = counter

    def requires(self, scope: Scope) -> Callable[[Request, Response], Awaitable[str]]:
        """A dependency of routes that need ``scope``; it gives the client's name.

        A key is sent as ``Authorization: Bearer KEY``; browsers, which ask people for it, send it
        as the password of Basic. The scope admin includes the others.
        """

        async def check(request: Request, response: Response) -> str:
            if not self._keys:
                return "anybody"
            key = self._find(request.headers.get("authorization", ""))
            if key is None:
                raise ApiProblem(
                    HTTPStatus.UNAUTHORIZED,
                    "unauthorized",
                    "send a valid key as Authorization: Bearer KEY",
                    {"WWW-Authenticate": 'Bearer, Basic realm="LookSync", charset="UTF-8"'},
                )
            if scope not in key.scopes and "admin" not in key.scopes:
                raise ApiProblem(
                    HTTPStatus.FORBIDDEN, "forbidden", f"the key {key.name} lacks the scope {scope}"
                )
            response.headers.update(await self.count(key.name, key.per_minute))
            return key.name

        return check

    async def count(self, client: str, per_minute: int) -> dict[str, str]:
        """Count a request of ``client``; the headers that say how many remain.

        Raises ApiProblem (429) when it was one too many.
        """
        allowed, remaining, reset = await self._counter.hit(client, per_minute)
        # draft-ietf-httpapi-ratelimit-headers
        limit = {
            "RateLimit-Policy": f'"minute";q={per_minute};w=60',
            "RateLimit": f'"minute";r={remaining};t={reset}',
        }
        if not allowed:
            raise ApiProblem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too-many-requests",
                f"{client} may send {per_minute} requests a minute",
                {**limit, "Retry-After": str(max(1, reset))},
            )
        return limit

    def _find(self, header: str) -> ApiKey | None:
        sent = hash_of(_key_in(header))
        # Every key is compared, so that the time says nothing.
        matching = [known for known in self._keys if hmac.compare_digest(known.sha256, sent)]
        return matching[0] if matching else None


def _key_in(header: str) -> str:
    """The key of an Authorization header; empty when there is none."""
    kind, _, sent = header.partition(" ")
    if kind.lower() == "bearer":
        return sent.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(sent).decode().partition(":")[2]
        except ValueError:
            return ""
    return ""
