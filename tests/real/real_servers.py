"""The servers that the tests in this folder are given."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from devservers.server import LocalServer


@dataclass(frozen=True, slots=True)
class Started:
    """``started`` is None for a server that was named by a variable: it is not ours to stop."""

    started: LocalServer | None

    @property
    def ours(self) -> LocalServer:
        """For tests that pause, kill or restart it; on somebody else's server they are skipped."""
        if self.started is None:
            pytest.skip("needs a server of its own to stop")
        return self.started


@dataclass(frozen=True, slots=True)
class ServedModel(Started):
    """URL up to and including the version, and what the server calls its model."""

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
