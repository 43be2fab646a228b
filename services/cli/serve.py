"""``looksync serve``: the HTTP API and the shop until Ctrl-C."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from rich.console import Console

from dataflows.wiring.online import open_online_parts
from schemas.errors import Misconfigured, list_problems
from schemas.settings import ApiKey, ApiSettings, Settings
from services.api.access import hash_of
from services.api.app import create_app
from services.api.rate_limits import redis_counter
from services.fake.server import open_fake
from services.shop.app import add_pages

DRAIN_SECONDS = 10
"""How long requests in flight may take after SIGTERM."""


async def run_api(settings: Settings, console: Console) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises Misconfigured or Unavailable."""
    own = settings.api
    listening = listen(own.address, own.port)
    with listening:
        async with open_online_parts(settings) as parts:
            pages = add_pages if own.shows_pages else None
            app = create_app(parts, settings, redis_counter(parts.redis), pages)
            port = listening.getsockname()[1]
            home = f"http://{own.address}:{port}"
            shop = f"the shop at {home}, " if own.shows_pages else ""
            console.print(f"serving {shop}the API at {home}/docs; Ctrl-C stops it", soft_wrap=True)
            if not own.keys:
                console.print("[yellow]no keys[/]: anybody who reaches it may do everything")
            await serve_until_stopped(app, listening)


async def run_fake(port: int, console: Console) -> None:
    """Serve recorded events until SIGTERM or Ctrl-C. Raises Misconfigured or Unavailable."""
    own = ApiSettings(port=port)
    with listen(own.address, port) as listening, tempfile.TemporaryDirectory() as folder:
        async with open_fake(Path(folder), own) as app:
            home = f"http://{own.address}:{listening.getsockname()[1]}"
            console.print(f"serving recorded events at {home}/docs; Ctrl-C stops it")
            await serve_until_stopped(app, listening)


async def serve_until_stopped(app: FastAPI, listening: socket.socket) -> None:
    """Serve ``app`` until SIGTERM or Ctrl-C."""
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    await server.serve([listening])


class _Server(uvicorn.Server):
    """Ends like the flows: uvicorn's own handlers raise the signal again after the drain, so the
    process would exit as if it had been killed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """Finish the requests in flight and end; at once when called again."""
        self.force_exit = self.should_exit
        self.should_exit = True


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens; opened first, because a busy port shows before any model is loaded."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # With the protocol stated, asyncio turns Nagle's algorithm off, which would hold the body of an
    # answer back for 40 ms, until its client has acknowledged the headers.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
    except OSError as error:
        listening.close()
        raise Misconfigured(
            f"the API cannot listen on {address}:{port}: {error.strerror}; stop what does, e.g. "
            "another `looksync up`, or set api.address and api.port"
        ) from error
    return listening


def print_new_key(name: str, scopes: Sequence[str], console: Console) -> None:
    """Make a key; print it, and what the settings need to know of it.

    Raises Misconfigured for a name that is not one.
    """
    key = f"ls_{secrets.token_urlsafe(32)}"
    try:
        known = ApiKey.model_validate({"name": name, "sha256": hash_of(key), "scopes": scopes})
    except ValidationError as error:
        raise Misconfigured(list_problems(error)) from error
    console.print(f"the key, shown only now: {key}", highlight=False, markup=False, soft_wrap=True)
    console.print("for the settings file:\n", highlight=False)
    listed = ", ".join(f'"{scope}"' for scope in known.scopes)
    text = f'[[api.keys]]\nname = "{name}"\nsha256 = "{known.sha256}"\nscopes = [{listed}]'
    console.print(text, highlight=False, markup=False, soft_wrap=True)
