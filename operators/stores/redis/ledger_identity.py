"""Tells a lost ledger from an empty one.

A ledger bears an identity: a key of its own, made with the ledger and gone with it. Whatever loses
the ledger (a restart without persistence, FLUSHALL, another server behind the same name) loses or
changes it too. Without that, an emptied Redis looks like a catalog of new products: everything
would be embedded again, and what was deleted could come back.

    at the start    identity there, or index empty: go on, else LedgerLost (:func:`identify`)
    in each batch   the last command reads it; another or none: LedgerLost (:class:`IdentityGuard`)

An identity never comes back once it is lost, so if it is there after the last command of a batch,
it was there during all of them. Not seen by it: single entries evicted, or a ledger that came back
a little older; the server must be set up against both (operators/stores/probes.py, docs/redis.md).
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Self, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from operators.durable_files import replace_durably
from operators.ports import VectorStore
from operators.stores.redis.client import explained
from schemas.errors import LedgerLost

KEY = "looksync:ledger-identity"
"""Not among the ledger's entries: those begin with ``looksync:ledger:``."""

REBUILD = (
    "stop the flows, see to it that redis.url names the right server, and if it does run "
    "`looksync jobs rebuild-ledger`"
)


class LedgerIdentity(BaseModel):
    """What the key holds, as JSON."""

    model_config = ConfigDict(frozen=True)

    id: str
    rebuilt_for: str | None = None
    """Generation of the index for which the ledger was rebuilt; None: it grew with its index."""

    @classmethod
    def new(cls, rebuilt_for: str | None = None) -> Self:
        return cls(id=uuid.uuid4().hex, rebuilt_for=rebuilt_for)

    @classmethod
    def parse(cls, value: bytes, where: str = f"redis: {KEY}") -> Self:
        try:
            return cls.model_validate_json(value)
        except ValidationError as error:
            raise LedgerLost(
                f"{where} holds {value[:80]!r}, which names no ledger; {REBUILD}",
                reason="ledger-lost",
            ) from error

    def encode(self) -> bytes:
        return self.model_dump_json(exclude_defaults=True).encode()


async def identify(
    client: Redis, index: VectorStore, known: LedgerIdentity | None = None
) -> LedgerIdentity:
    """The identity of the ledger in Redis; made when ledger and index are both new.

    ``known``: what this flow's ledger was when it last ran. Raises LedgerLost when it is not that
    ledger (or one rebuilt for this index), or when there is none though the index has products.
    """
    with explained():
        value = cast(bytes | None, await client.get(KEY))
    if value is None:
        if known is not None:
            raise LedgerLost(f"the ledger in redis is gone; {REBUILD}", reason="ledger-lost")
        if products := await index.count():
            raise LedgerLost(
                f"redis holds no ledger, but the index has {products:,} products; {REBUILD}",
                reason="ledger-lost",
            )
        made = LedgerIdentity.new()
        with explained():
            # Of several processes that start at once, the first one's counts.
            value = cast(bytes | None, await client.set(KEY, made.encode(), nx=True, get=True))
        if value is None:
            return made
    found = LedgerIdentity.parse(value)
    if known is not None and found.id != known.id and found.rebuilt_for != index.generation:
        raise LedgerLost(
            f"redis holds another ledger ({found.id}) than when this flow last ran ({known.id}); "
            f"{REBUILD}",
            reason="ledger-lost",
        )
    return found


def remembered(file: Path) -> LedgerIdentity | None:
    """What :func:`remember` wrote into ``file``; None when there is none."""
    try:
        return LedgerIdentity.parse(file.read_bytes(), str(file))
    except FileNotFoundError:
        return None


def remember(file: Path, identity: LedgerIdentity) -> None:
    """Durable when it returns."""
    replace_durably(file, identity.encode())


async def forget_identity(client: Redis) -> None:
    """Take it away: flows that run on this ledger stop, and none starts."""
    with explained():
        await client.delete(KEY)


async def write_identity(client: Redis, identity: LedgerIdentity) -> None:
    """Give the ledger an identity: flows may start on it."""
    with explained():
        await client.set(KEY, identity.encode())


class IdentityGuard:
    """A :class:`operators.stores.redis.pipeline.Guard` that knows one ledger."""

    def __init__(self, identity: LedgerIdentity | None) -> None:
        """None: whatever ledger answers first (Redis was away when this was opened)."""
        self._identity = identity

    def command(self, pipeline: Pipeline) -> object:
        return pipeline.get(KEY)

    def check(self, value: bytes | None) -> None:
        if value is None:
            raise LedgerLost("the ledger in redis was lost; " + REBUILD, reason="ledger-lost")
        if self._identity is None:
            self._identity = LedgerIdentity.parse(value)
        elif LedgerIdentity.parse(value).id != self._identity.id:
            raise LedgerLost(
                "redis now holds another ledger than a moment ago; " + REBUILD,
                reason="ledger-lost",
            )
