"""Handles of the servers that the fixtures provide."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from devservers.server import LocalServer


@dataclass(frozen=True, slots=True)
class Started:
    """``started`` is None for a server named by a variable, which tests must not stop."""

    started: LocalServer | None

    @property
    def ours(self) -> LocalServer:
        """The server, for tests that pause, kill or restart it; skips them when it is external."""
        if self.started is None:
            pytest.skip("needs a server that it may stop")
        return self.started


@dataclass(frozen=True, slots=True)
class ServedModel(Started):
    """URL including the API version, and the server's name for its model."""

    url: str
    name: str


@dataclass(frozen=True, slots=True)
class RealKafka(Started):
    brokers: str


@dataclass(frozen=True, slots=True)
class RealWeaviate(Started):
    url: str
    grpc_port: int


@dataclass(frozen=True, slots=True)
class RealRedis(Started):
    url: str
