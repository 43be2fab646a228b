"""Tells a lost index from a new one: the ledger remembers which indexes it describes.

An index has an identity, its generation, which is created and lost together with it. Without this
check an index that was deleted, wiped or exchanged looks like a catalog that is not indexed yet:
the catalog flow drops every packet as unchanged, because the ledger has its product, and every look
finds nothing.
"""

from __future__ import annotations

from typing import cast

from pydantic import BaseModel, ConfigDict, ValidationError
from redis.asyncio import Redis

from operators.ports import Ledger
from operators.stores.redis.client import WRONG_TYPE, translate_errors
from schemas.errors import IndexLost, Unavailable, UnreadableEntry

KEY = "looksync:ledger-index"
"""Outside the prefix of the ledger's entries; lost together with them."""

REASON = "index-lost"

REBUILD = (
    "check the settings in [index] and [redis]; if both name the right servers or files, stop the "
    "flows and run `looksync jobs rebuild-index`"
)


class DescribedIndexes(BaseModel):
    """The JSON value of the key."""

    model_config = ConfigDict(frozen=True)

    generations: tuple[str, ...]
    """Of the indexes that hold every product which the ledger calls indexed; the latest first."""


async def require_described(
    client: Redis, ledger: Ledger, generation: str | None, products: int
) -> None:
    """Raise IndexLost unless the index is one that the ledger in Redis describes.

    ``generation``: the index's, None when there is none; ``products``: how many it holds. An index
    that an older version made is accepted, and so is any index while the ledger calls no product
    indexed; nothing is lost then.
    """
    described = await _read(client)
    known = described is None or generation in described.generations
    if (known and products) or not await _calls_any_indexed(ledger):
        return
    if generation is None:
        problem = "the index is gone"
    elif known:
        problem = f"the index ({generation}) is empty"
    elif described is None or not described.generations:
        problem = "the rebuild of the index is under way or was interrupted"
    else:
        problem = (
            f"the index ({generation}) is not the one that the ledger describes "
            f"({', '.join(described.generations)})"
        )
    raise IndexLost(f"{problem}, but the ledger has products; {REBUILD}", reason=REASON)


async def describe_index(client: Redis, generation: str) -> None:
    """Note that the ledger describes the index, besides those that it described before."""
    described = await _read(client)
    others = described.generations if described is not None else ()
    if generation in others:
        return
    await _write(client, DescribedIndexes(generations=(generation, *others)))


async def describe_none(client: Redis) -> None:
    """Note that the ledger describes no index, so that no flow starts."""
    await _write(client, DescribedIndexes(generations=()))


async def _write(client: Redis, described: DescribedIndexes) -> None:
    with translate_errors():
        await client.set(KEY, described.model_dump_json())


async def _read(client: Redis) -> DescribedIndexes | None:
    try:
        with translate_errors():
            value = cast(bytes | None, await client.get(KEY))
        return None if value is None else DescribedIndexes.model_validate_json(value)
    except Unavailable as error:
        if error.reason != WRONG_TYPE:
            raise
        cause: Exception = error
    except ValidationError as error:
        cause = error
    raise IndexLost(
        f"redis: {KEY} holds something else than the index's identity; {REBUILD}", reason=REASON
    ) from cause


async def _calls_any_indexed(ledger: Ledger) -> bool:
    """Reads entries until one is indexed."""
    try:
        async for entry in ledger.scan():
            if entry.exists and entry.indexed:
                return True
    except UnreadableEntry:
        return True  # whatever it says, the ledger is not new
    return False
