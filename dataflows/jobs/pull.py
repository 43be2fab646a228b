"""Pull vendors' files over HTTP, each only when it has changed since it was last ingested."""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpcore
import httpx
from pydantic import BaseModel, ValidationError

from operators.catalog.feeds.source import FeedSource
from operators.durable_files import replace_durably
from operators.images.addresses import WEB_PORTS, Reachable
from operators.images.guard import check_url
from operators.images.transport import GuardedTransport
from schemas.errors import ImageRefused, InvalidFile, PictureUnavailable, Unavailable
from schemas.settings import CatalogSettings

_STEP_SECONDS = 60.0
"""To connect, and between two parts of the file."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_TRANSIENT = frozenset({202, 408, 420, 423, 425, 429})
"""Responses, in addition to 5xx, after which the file may be there later."""
_UNREADABLE = frozenset({"br", "deflate", "compress"})
"""Content-encodings that are not recognised by their first bytes."""
_HOST = re.compile(r"([^:\[\]]*|\[[0-9a-fA-F:.]*\])(:\d*)?")

_HEADERS = {
    "user-agent": "LookSync/0.1 (+https://looksync.dev)",
    "accept": "*/*",
    # What is compressed is recognised by its first bytes.
    "accept-encoding": "identity",
}


class Validators(BaseModel):
    """What a host said of a file, to ask whether it has changed (RFC 9110, 13.1)."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The request's conditions."""
        named = {"if-none-match": self.etag, "if-modified-since": self.last_modified}
        return {name: value for name, value in named.items() if value}


@dataclass(slots=True)
class Puller:
    """Pulls files into a folder that is deleted at the end. Use as a context manager."""

    settings: CatalogSettings
    _folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="looksync-pull-")
    )
    _pulled: dict[Path, Validators] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._folder.cleanup()

    def pull(self, address: str, purpose: str, *, only_if_changed: bool) -> FeedSource | None:
        """The file at ``address``; None when it is the one that was ingested last for the same
        ``purpose``: another mapping makes other packets of it, and a snapshot also deletes.

        Raises InvalidFile when there is none or access is denied, Unavailable when the host does
        not answer.
        """
        name = hashlib.sha256(f"{purpose} {address}".encode()).hexdigest()[:32]
        state = self.settings.feed_folder / f"{name}.json"
        known = _load(state) if only_if_changed else Validators()
        path = Path(self._folder.name, name)
        shown = printable(address)
        try:
            validators = asyncio.run(self._download(address, known, path))
        except ImageRefused as error:
            hint = (
                "; pull it with another program and pipe it in: ... | looksync ingest -"
                if error.reason == "credentials"
                else ""
            )
            raise InvalidFile(f"{shown}: {error}{hint}", reason=error.reason) from error
        except InvalidFile as error:
            raise InvalidFile(f"{shown}: {error}", reason=error.reason) from error
        except Unavailable as error:
            raise Unavailable(f"{shown}: {error}", reason=error.reason) from error
        except (PictureUnavailable, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise Unavailable(f"{shown}: {error}") from error
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise Unavailable(f"{shown}: the host is too slow") from error
        if validators is None:
            return None
        self._pulled[state] = validators
        return FeedSource(shown, path, is_file_name=False)

    def remember(self) -> None:
        """The files that were pulled are ingested: they need not be pulled again."""
        for state, validators in self._pulled.items():
            state.parent.mkdir(parents=True, exist_ok=True)
            replace_durably(state, validators.model_dump_json().encode())

    async def _download(self, address: str, known: Validators, path: Path) -> Validators | None:
        async with asyncio.timeout(self.settings.feed_timeout_seconds):
            url = check_url(address)
            ports = WEB_PORTS if url.port is None else (*WEB_PORTS, url.port)
            private = self.settings.private_feed_hosts
            reachable = Reachable.of(private, ports, "catalog.private_feed_hosts")
            for _ in range(_MAX_REDIRECTS + 1):
                async with GuardedTransport(reachable, idle_connections=0) as transport:
                    response = await transport.handle_async_request(_request(url, known))
                    async with aclosing(response):
                        if response.status_code not in _REDIRECTS:
                            return await self._save(response, path)
                        url = check_url(response.headers.get("location", ""), base=url)
        raise InvalidFile(f"more than {_MAX_REDIRECTS} redirects", reason="redirects")

    async def _save(self, response: httpx.Response, path: Path) -> Validators | None:
        status = response.status_code
        if status == 304:
            return None
        if status >= 500 or status in _TRANSIENT:
            raise Unavailable(f"the host responded with {status}")
        if status != 200:
            raise InvalidFile(f"the host responded with {status}", reason="http-status")
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding in _UNREADABLE:
            raise InvalidFile(
                f"the host sends it in the content-encoding {encoding!r}, though asked for none",
                reason="content-encoding",
            )
        size = 0
        with path.open("wb") as file:
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > self.settings.max_feed_bytes:
                    raise InvalidFile(
                        "it is larger than catalog.max_feed_bytes = "
                        f"{self.settings.max_feed_bytes:,}",
                        reason="too-large",
                    )
                file.write(chunk)
        headers = response.headers
        return Validators(etag=headers.get("etag"), last_modified=headers.get("last-modified"))


def printable(address: str) -> str:
    """``address`` without what is secret in it: user, password, and the tokens of its query."""
    scheme, _, rest = re.split("[?#]", address, maxsplit=1)[0].partition("://")
    authority, slash, path = rest.partition("/")
    host = authority.rpartition("@")[2]
    if not _HOST.fullmatch(host):
        return f"{scheme}://..."  # perhaps half a password, which has a slash or question mark
    return f"{scheme}://{host}{slash}{path}"


def _request(url: httpx.URL, known: Validators) -> httpx.Request:
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), _STEP_SECONDS)
    headers = {**_HEADERS, **known.headers()}
    return httpx.Request("GET", url, headers=headers, extensions={"timeout": timeouts})


def _load(state: Path) -> Validators:
    try:
        return Validators.model_validate_json(state.read_bytes())
    except (FileNotFoundError, ValidationError):
        return Validators()
