"""Tells a lost ledger from an empty one.

A ledger has an identity: a key that is created and lost together with the ledger. Whatever loses
the ledger (a restart without persistence, FLUSHALL, another server behind the same name) removes or
changes the identity too. Without it, an emptied Redis looks like a catalog of new products: every
product would be embedded again, and deleted products could reappear.

    at the start    LedgerLost unless the identity exists or the index is empty (:func:`identify`)
    in each batch   the last command reads the identity; LedgerLost when it is missing or another
                    one (:class:`IdentityGuard`)

A lost identity never comes back, so if it exists after the last command of a batch, it existed
during all of them. It does not detect evicted entries or a ledger restored from a slightly older
snapshot; the server's configuration must prevent both (operators/stores/probes.py, docs/redis.md).
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
from operators.stores.redis.client import WRONG_TYPE, translate_errors
from schemas.errors import LedgerLost, LookSyncError, Unavailable

KEY = "looksync:ledger-identity"
"""Outside the prefix of the ledger's entries, ``looksync:ledger:``."""

REBUILD = (
    "stop the flows, check that redis.url names the right server, and if it does, run "
    "`looksync jobs rebuild-ledger`"
)


class LedgerIdentity(BaseModel):
    """The JSON value of the key."""

    model_config = ConfigDict(frozen=True)

    id: str
    rebuilt_for: str | None = None
    """Generation of the index from which the ledger was rebuilt; None: it was never rebuilt."""

    @classmethod
    def new(cls, rebuilt_for: str | None = None) -> Self:
        return cls(id=uuid.uuid4().hex, rebuilt_for=rebuilt_for)

    @classmethod
    def parse(cls, value: bytes, source: str = f"redis: {KEY}") -> Self:
        """Raises LedgerLost for a value that is not an identity."""
        try:
            return cls.model_validate_json(value)
        except ValidationError as error:
            raise LedgerLost(
                f"{source} holds {value[:80]!r}, which is not a ledger identity; {REBUILD}",
                reason="ledger-lost",
            ) from error

    def encode(self) -> bytes:
        return self.model_dump_json(exclude_defaults=True).encode()


async def identify(
    client: Redis, index: VectorStore, known: LedgerIdentity | None = None
) -> LedgerIdentity:
    """The identity of the ledger in Redis; created when ledger and index are both new.

    ``known``: the identity of this flow's ledger at its last run. Raises LedgerLost when the ledger
    is neither that one nor one rebuilt for this index, or when there is no ledger but the index has
    products.
    """
    try:
        with translate_errors():
            value = cast(bytes | None, await client.get(KEY))
    except Unavailable as error:
        raise _lost(error) from error
    if value is None:
        if known is not None:
            raise LedgerLost(f"the ledger in redis is gone; {REBUILD}", reason="ledger-lost")
        if products := await index.count():
            raise LedgerLost(
                f"there is no ledger in redis, but the index has {products:,} products; {REBUILD}",
                reason="ledger-lost",
            )
        new = LedgerIdentity.new()
        with translate_errors():
            # When several processes start at once, the first one's identity is used.
            value = cast(bytes | None, await client.set(KEY, new.encode(), nx=True, get=True))
        if value is None:
            return new
    found = LedgerIdentity.parse(value)
    if known is not None and found.id != known.id and found.rebuilt_for != index.generation:
        raise LedgerLost(
            f"redis holds another ledger ({found.id}) than at this flow's last run ({known.id}); "
            f"{REBUILD}",
            reason="ledger-lost",
        )
    return found


def _lost(error: Unavailable) -> LookSyncError:
    """LedgerLost when the key holds no string; otherwise ``error`` itself."""
    if error.reason != WRONG_TYPE:
        return error
    return LedgerLost(
        f"redis: {KEY} holds something else than a ledger identity; {REBUILD}",
        reason="ledger-lost",
    )


def load_identity(file: Path) -> LedgerIdentity | None:
    """The identity that :func:`save_identity` stored; None when the file does not exist.

    Raises LedgerLost when the file holds something else.
    """
    try:
        return LedgerIdentity.parse(file.read_bytes(), str(file))
    except FileNotFoundError:
        return None


def save_identity(file: Path, identity: LedgerIdentity) -> None:
    """Store the identity durably."""
    replace_durably(file, identity.encode())


async def delete_identity(client: Redis) -> None:
    """Stop the flows that use this ledger, and keep others from starting."""
    with translate_errors():
        await client.delete(KEY)


async def write_identity(client: Redis, identity: LedgerIdentity) -> None:
    """Give the ledger an identity, so that flows can start."""
    with translate_errors():
        await client.set(KEY, identity.encode())


async def require_ledger(client: Redis) -> LedgerIdentity:
    """The identity of the ledger in Redis. Raises LedgerLost when there is none."""
    with translate_errors():
        value = cast(bytes | None, await client.get(KEY))
    if value is None:
        raise LedgerLost(f"there is no ledger in redis; {REBUILD}", reason="ledger-lost")
    return LedgerIdentity.parse(value)


async def accept_index(client: Redis, generation: str) -> None:
    """Note that the index of ``generation`` took the place of the one in the ledger's identity."""
    with translate_errors():
        value = cast(bytes | None, await client.get(KEY))
    if value is None:
        return
    identity = LedgerIdentity.parse(value)
    if identity.rebuilt_for is not None:
        await write_identity(client, identity.model_copy(update={"rebuilt_for": generation}))


class IdentityGuard:
    """A :class:`operators.stores.redis.pipeline.Guard` that accepts one ledger."""

    def __init__(self, identity: LedgerIdentity | None) -> None:
        """None: accept the first ledger that is read (Redis was unavailable at the start)."""
        self._identity = identity

    def command(self, pipeline: Pipeline) -> object:
        return pipeline.get(KEY)

    def check(self, value: bytes | None) -> None:
        if value is None:
            raise LedgerLost("the ledger in redis is gone; " + REBUILD, reason="ledger-lost")
        if self._identity is None:
            self._identity = LedgerIdentity.parse(value)
        elif LedgerIdentity.parse(value).id != self._identity.id:
            raise LedgerLost(
                "the ledger in redis was replaced by another one; " + REBUILD,
                reason="ledger-lost",
            )
