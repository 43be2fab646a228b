"""The alias that names the collection in force, and the one that names the collection beside it.

While the model is switched, and until that is finished, a second collection is kept up beside the
one in force. A process opens the one of its own encoder, whichever alias leads there.
"""

from __future__ import annotations

from dataclasses import dataclass

from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.schema import (
    SCHEMA_SECONDS,
    Collection,
    collection_name,
    create,
    described,
    ensure_collection,
    note_successor,
    refuse_other_encoder,
)
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import IndexSettings


@dataclass(frozen=True, slots=True)
class Pair:
    """What the aliases lead to."""

    in_force: Collection
    beside: Collection | None

    def of(self, fingerprint: str) -> Collection:
        """The encoder's collection, or else the one in force."""
        beside = self.beside
        return beside if beside and beside.fingerprint == fingerprint else self.in_force

    def other_than(self, fingerprint: str) -> Collection | None:
        """What a process with that encoder keeps up beside its own."""
        if self.beside is None or self.beside.fingerprint != fingerprint:
            return self.beside
        return self.in_force


async def ensure_index(
    connection: WeaviateConnection,
    settings: IndexSettings,
    *,
    fingerprint: str,
    dimension: int,
    model: str,
) -> Collection:
    """The encoder's collection: the one in force, made when there is none, or the one kept up
    beside it. Safe when several processes come at once.

    Raises IndexMismatch when both belong to other encoders.
    """
    if await target_of(connection, settings.alias) is None:
        await ensure_collection(
            connection, settings, fingerprint=fingerprint, dimension=dimension, model=model
        )
        await _make_alias(connection, settings.alias, collection_name(settings.alias, fingerprint))
    pair = await read_pair(connection, settings.alias)
    if pair is None:
        raise Unavailable(
            f"weaviate: the alias {settings.alias} was made, and is not there yet",
            reason="weaviate",
        )
    collection = pair.of(fingerprint)
    refuse_other_encoder(settings.alias, collection, fingerprint, dimension)
    return collection


async def read_pair(connection: WeaviateConnection, alias: str) -> Pair | None:
    """None when there is no index yet."""
    in_force = await target_of(connection, alias)
    beside = await target_of(connection, beside_alias(alias))
    if in_force is None:
        return None
    found = await described(connection, alias, in_force)
    if beside == in_force and found.succeeds:
        # Between the two moves of :meth:`Aliases.swap`: both lead to the newer one.
        beside = collection_name(alias, found.succeeds[0])
    if beside is None or beside == in_force:
        return Pair(found, None)
    return Pair(found, await described(connection, alias, beside))


class Aliases:
    """Moves the aliases of an index that is there."""

    def __init__(self, connection: WeaviateConnection, settings: IndexSettings) -> None:
        """``connection`` stays the caller's to close."""
        self._connection = connection
        self._settings = settings

    async def pair(self) -> Pair:
        """Raises Misconfigured when there is no index yet."""
        pair = await read_pair(self._connection, self._settings.alias)
        if pair is None:
            raise Misconfigured(
                f"there is no index behind {self._settings.alias} yet; make it with `looksync "
                "index create`"
            )
        return pair

    async def begin(self, *, fingerprint: str, dimension: int, model: str) -> Collection:
        """Make the collection of a new encoder and have it kept up beside the one in force."""
        in_force = (await self.pair()).in_force
        if in_force.fingerprint == fingerprint:
            raise Misconfigured(f"{model} is the model of {in_force.generation}, which is in force")
        made = await ensure_collection(
            self._connection,
            self._settings,
            fingerprint=fingerprint,
            dimension=dimension,
            model=model,
        )
        made = await note_successor(self._connection, self._settings.alias, made, in_force)
        await self._lead(beside_alias(self._settings.alias), made)
        return made

    async def swap(self) -> Pair:
        """Put the collection beside in force and keep the other up beside it.

        Two moves, ordered so that in between both aliases lead to the newer collection, which
        knows the other: whoever looks then, or after a crash, sees the pair.
        """
        pair, alias = await self.pair(), self._settings.alias
        in_force, beside = pair.in_force, pair.beside
        if beside is None:
            raise Misconfigured("there is no index beside to switch to; begin with --to MODEL")
        if beside.succeeds[:1] == (in_force.fingerprint,):
            await self._lead(alias, beside)
            await self._lead(beside_alias(alias), in_force)
        else:
            await self._lead(beside_alias(alias), in_force)
            await self._lead(alias, beside)
        return Pair(beside, in_force)

    async def keep_none_beside(self) -> None:
        """Keep the other collection up no longer. It stays as it is."""
        client, name = self._connection.client, beside_alias(self._settings.alias)
        await self._connection.call(SCHEMA_SECONDS, lambda: client.alias.delete(alias_name=name))

    async def _lead(self, alias: str, to: Collection) -> None:
        """Let ``alias`` lead to ``to`` from now on."""
        client, name = (
            self._connection.client,
            collection_name(self._settings.alias, to.fingerprint),
        )
        await _make_alias(self._connection, alias, name)
        await self._connection.call(
            SCHEMA_SECONDS,
            lambda: client.alias.update(alias_name=alias, new_target_collection=name),
        )


def beside_alias(alias: str) -> str:
    """Names the collection that is kept up beside the one in force."""
    return f"{alias}_Beside"


async def target_of(connection: WeaviateConnection, alias: str) -> str | None:
    """The collection that ``alias`` leads to."""
    found = await connection.call(
        SCHEMA_SECONDS, lambda: connection.client.alias.get(alias_name=alias)
    )
    return None if found is None else found.collection


async def _make_alias(connection: WeaviateConnection, alias: str, name: str) -> None:
    """Unless it is there already, wherever it leads."""
    client = connection.client
    await create(connection, lambda: client.alias.create(alias_name=alias, target_collection=name))
