"""Two aliases: one names the active collection, the other the secondary one.

While the model is switched, and until the switch is finished, writes to the active collection are
mirrored to the secondary. A process opens the collection of its own encoder, whichever alias points
to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.schema import (
    SCHEMA_SECONDS,
    Collection,
    collection_name,
    create_if_missing,
    ensure_collection,
    find_collection,
    record_predecessor,
    require_collection,
    require_encoder,
)
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import IndexSettings


@dataclass(frozen=True, slots=True)
class Pair:
    """The targets of the two aliases."""

    active: Collection
    secondary: Collection | None

    def collection_for(self, fingerprint: str) -> Collection:
        """The encoder's collection, or else the active one."""
        secondary = self.secondary
        return secondary if secondary and secondary.fingerprint == fingerprint else self.active

    def mirror_for(self, fingerprint: str) -> Collection | None:
        """The collection to which a process with this encoder mirrors its writes."""
        if self.secondary is None or self.secondary.fingerprint != fingerprint:
            return self.secondary
        return self.active


async def ensure_index(
    connection: WeaviateConnection,
    settings: IndexSettings,
    *,
    fingerprint: str,
    dimension: int,
    model: str,
) -> Collection:
    """The encoder's collection, active or secondary; created and made active when there is none.
    Safe when several processes call it at once.

    Raises IndexMismatch when both collections belong to other encoders.
    """
    if await target_of(connection, settings.alias) is None:
        await ensure_collection(
            connection, settings, fingerprint=fingerprint, dimension=dimension, model=model
        )
        await _create_alias(
            connection, settings.alias, collection_name(settings.alias, fingerprint)
        )
    pair = await read_pair(connection, settings.alias)
    if pair is None:
        raise Unavailable(
            f"weaviate: the alias {settings.alias} was created but is not visible yet",
            reason="weaviate",
        )
    collection = pair.collection_for(fingerprint)
    require_encoder(settings.alias, collection, fingerprint, dimension)
    return collection


async def forget_lost_targets(connection: WeaviateConnection, alias: str) -> None:
    """Delete the aliases whose collection is gone, so that the index can be created again."""
    for name in (alias, secondary_alias(alias)):
        target = await target_of(connection, name)
        if target is not None and await find_collection(connection, target) is None:
            await _delete_alias(connection, name)


async def read_pair(connection: WeaviateConnection, alias: str) -> Pair | None:
    """None when there is no index yet."""
    active_name = await target_of(connection, alias)
    secondary_name = await target_of(connection, secondary_alias(alias))
    if active_name is None:
        return None
    active = await require_collection(connection, alias, active_name)
    if secondary_name == active_name and active.predecessor_fingerprints:
        # Between the two moves of :meth:`Aliases.swap`: both aliases point to the newer collection.
        secondary_name = collection_name(alias, active.predecessor_fingerprints[0])
    if secondary_name is None or secondary_name == active_name:
        return Pair(active, None)
    return Pair(active, await require_collection(connection, alias, secondary_name))


class Aliases:
    """Moves the aliases of an existing index."""

    def __init__(self, connection: WeaviateConnection, settings: IndexSettings) -> None:
        """The caller closes ``connection``."""
        self._connection = connection
        self._settings = settings

    async def pair(self) -> Pair:
        """Raises Misconfigured when there is no index yet."""
        pair = await read_pair(self._connection, self._settings.alias)
        if pair is None:
            raise Misconfigured(
                f"there is no index behind {self._settings.alias} yet; create it with `looksync "
                "index create`"
            )
        return pair

    async def begin(self, *, fingerprint: str, dimension: int, model: str) -> Collection:
        """Create the collection of a new encoder and make it the secondary."""
        active = (await self.pair()).active
        if active.fingerprint == fingerprint:
            raise Misconfigured(f"{model} is already the model of the active {active.generation}")
        new = await ensure_collection(
            self._connection,
            self._settings,
            fingerprint=fingerprint,
            dimension=dimension,
            model=model,
        )
        new = await record_predecessor(self._connection, self._settings.alias, new, active)
        await self._point(secondary_alias(self._settings.alias), new)
        return new

    async def swap(self) -> Pair:
        """Make the secondary collection active, and the active one secondary.

        The two moves are ordered so that in between both aliases point to the newer collection,
        which names its predecessor: a reader at that moment, or after a crash, still sees the pair.
        """
        pair, alias = await self.pair(), self._settings.alias
        active, secondary = pair.active, pair.secondary
        if secondary is None:
            raise Misconfigured(
                "there is no secondary index to switch to; start a switch with --to MODEL"
            )
        if secondary.predecessor_fingerprints[:1] == (active.fingerprint,):
            await self._point(alias, secondary)
            await self._point(secondary_alias(alias), active)
        else:
            await self._point(secondary_alias(alias), active)
            await self._point(alias, secondary)
        return Pair(secondary, active)

    async def drop_secondary(self) -> None:
        """Stop mirroring. The collection itself is not deleted."""
        await _delete_alias(self._connection, secondary_alias(self._settings.alias))

    async def _point(self, alias: str, target: Collection) -> None:
        """Create or move ``alias``."""
        client = self._connection.client
        name = collection_name(self._settings.alias, target.fingerprint)
        await _create_alias(self._connection, alias, name)
        await self._connection.call(
            SCHEMA_SECONDS,
            lambda: client.alias.update(alias_name=alias, new_target_collection=name),
        )


def secondary_alias(alias: str) -> str:
    """The alias of the secondary collection."""
    return f"{alias}_Beside"


async def target_of(connection: WeaviateConnection, alias: str) -> str | None:
    """The name of the collection that ``alias`` points to."""
    found = await connection.call(
        SCHEMA_SECONDS, lambda: connection.client.alias.get(alias_name=alias)
    )
    return None if found is None else found.collection


async def _create_alias(connection: WeaviateConnection, alias: str, name: str) -> None:
    """Create the alias unless it exists, whatever it points to."""
    client = connection.client
    await create_if_missing(
        connection, lambda: client.alias.create(alias_name=alias, target_collection=name)
    )


async def _delete_alias(connection: WeaviateConnection, alias: str) -> None:
    client = connection.client
    await connection.call(SCHEMA_SECONDS, lambda: client.alias.delete(alias_name=alias))
