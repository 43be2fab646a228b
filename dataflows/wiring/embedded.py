"""The embedded preset's server. Apart from the clients, which load torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from operators.stores.redis.embedded_server import ensure_server
from schemas.settings import Settings


@contextmanager
def embedded_services(settings: Settings) -> Iterator[str]:
    """The Redis URL in force. Runs the embedded server meanwhile, if the settings ask for it."""
    if settings.redis.kind == "url":
        yield settings.redis.url
        return
    server = ensure_server(settings.redis.folder)
    try:
        yield server.url
    finally:
        server.stop()
