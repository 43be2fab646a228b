"""The encoder is switched without downtime while the index is searched and written to."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from dataflows.jobs import reembed as reembed_module
from dataflows.jobs.reembed import finish, reembed, rollback
from dataflows.wiring.parts import open_catalog_parts, open_index
from evaluation.sandbox.index_comparison import compare_index
from operators.catalog.apply import apply_packet
from operators.catalog.parts import CatalogParts
from operators.ports import Filters, VectorStore
from operators.vocabulary.views import indexed_attributes
from sandbox.life import World, draw_world
from schemas.catalog import Packet
from schemas.errors import IndexMismatch, Misconfigured, Rejected, Unavailable
from schemas.settings import Settings, load_settings
from tests.real.own_servers import own_redis
from tests.real.real_servers import RealWeaviate
from tests.tiny_models import TINY, write_model

pytestmark = pytest.mark.services

EVERYTHING = Filters(in_stock=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return draw_world(tmp_path_factory.mktemp("world"), seed=11, products=120, looks=1)


@pytest.fixture
def first(weaviate: RealWeaviate, world: World, tmp_path: Path) -> Iterator[Settings]:
    """Settings with the sandbox's CLIP."""
    with own_redis(tmp_path / "redis") as server:
        yield load_settings(
            index={
                "kind": "weaviate",
                "url": weaviate.url,
                "grpc_port": weaviate.grpc_port,
                "alias": f"Test_{uuid.uuid4().hex[:12]}",
                "read_seconds": 10.0,
                "write_seconds": 20.0,
            },
            redis={"kind": "url", "url": server.url},
            thumbnails={"url": str(tmp_path / "thumbnails")},
            images={"allowed_roots": [str(world.folder)], "http_cache": None},
            stream={"catalog": {"deadline_seconds": 3.0}},
        )


@pytest.fixture
def second(first: Settings, tmp_path: Path) -> Settings:
    """The same with another model: other dimension and weights."""
    return with_model(first, f"local-dir:{write_model(tmp_path / 'tiny', TINY, seed=5)}")


def with_model(settings: Settings, model: str) -> Settings:
    return settings.model_copy(
        update={"encoder": settings.encoder.model_copy(update={"model": model})}
    )


def packets(world: World) -> list[Packet | None]:
    """None for a broken record, so that offsets stay those of the topic."""

    def parsed(value: bytes) -> Packet | None:
        try:
            return Packet.model_validate_json(value)
        except ValidationError:
            return None

    return [parsed(record.value) for record in world.packet_records()]


async def apply(
    numbered: Iterable[tuple[int, Packet | None]], parts: CatalogParts, pause: float = 0.0
) -> int:
    """Apply the packets one after another; return the number of pictures embedded."""
    embeddings = 0
    for offset, packet in numbered:
        if packet is not None:
            with suppress(Rejected):
                applied = await apply_packet(packet, f"catalog.updates/0/{offset}", parts)
                embeddings += applied.embeddings
        await asyncio.sleep(pause)
    return embeddings


@dataclass
class Searches:
    """The outcomes of repeated searches."""

    answers: int = 0
    failures: list[object] = field(default_factory=list)


@asynccontextmanager
async def repeated_searches(
    settings: Settings, pending: list[tuple[int, Packet | None]]
) -> AsyncIterator[Searches]:
    """Search repeatedly with the vectors of indexed products that ``pending`` does not change."""
    seen, changing = Searches(), {packet.key for _, packet in pending if packet is not None}
    async with open_index(settings) as index:
        known = [await index.get(key) async for key, _ in index.scan() if key not in changing]
        wanted = [each for each in known if each is not None][:20]

        async def search() -> None:
            for each in itertools.cycle(wanted):
                try:
                    found = await index.search(each.vector, EVERYTHING, 10)
                except Exception as error:
                    seen.failures.append(error)
                else:
                    seen.answers += 1
                    same_dimension = all(c.vector.shape == each.vector.shape for c in found)
                    if len(found) < 10 or found[0].similarity < 0.999 or not same_dimension:
                        seen.failures.append((each.key, [(c.key, c.similarity) for c in found]))
                await asyncio.sleep(0.01)

        searching = asyncio.create_task(search())
        try:
            yield seen
        finally:
            searching.cancel()
            with suppress(asyncio.CancelledError):
                await searching


async def assert_equals_ledger(index: VectorStore, parts: CatalogParts) -> None:
    expected = {
        entry.key: indexed_attributes(entry, datetime.now(UTC))
        async for entry in parts.ledger.scan()
        if entry.exists and entry.indexed
    }
    assert {key: attributes async for key, attributes in index.scan()} == expected
    assert len(expected) > 50


async def test_the_model_is_switched_and_switched_back_under_traffic(
    first: Settings, second: Settings, world: World
) -> None:
    sent = list(enumerate(packets(world)))
    third = len(sent) // 3
    async with open_catalog_parts(first) as flow:
        await apply(sent[:third], flow)
    async with (
        open_catalog_parts(first) as flow,
        repeated_searches(first, sent[third:]) as seen,
    ):
        # The flow applies the next third while the model is switched.
        writing = asyncio.create_task(apply(sent[third : 2 * third], flow, pause=0.02))
        done = await reembed(first, second.encoder.model, flows=1, may_lack=0, report=print)
        await writing
        assert done.passes[-1].writes == 0
        assert done.pair.active.model == second.encoder.model

        # Each model has an index of its own, and both agree with the ledger.
        async with open_index(second) as new, open_index(first) as old:
            assert new.generation == done.pair.active.generation
            assert old.generation == flow.index.generation
            await assert_equals_ledger(new, flow)
            await assert_equals_ledger(old, flow)
            some = await anext(aiter(new.scan()))
            stored = await new.get(some[0])
            assert stored is not None
            assert stored.vector.shape == (TINY["embed_dim"],)
            (nearest, *_) = await new.search(stored.vector, EVERYTHING, 10)
            assert nearest.similarity == pytest.approx(1.0, abs=1e-5)

        assert seen.failures == []
        assert seen.answers > 50

    # The flow is restarted with the new model; searches with the old one continue.
    async with (
        repeated_searches(first, sent[2 * third :]) as seen,
        open_catalog_parts(second) as flow,
    ):
        embeddings = await apply(sent[2 * third :], flow)
        truth = world.truth()
        # A change of price or stock does not embed a picture again.
        assert embeddings <= sum(
            packet.fate in ("created", "re-embedded") for packet in truth.packets[2 * third :]
        )
        async with open_index(second) as new, open_index(first) as old:
            await assert_equals_ledger(new, flow)
            await assert_equals_ledger(old, flow)
            compared = await compare_index(truth, new, flow.ledger)
            assert compared.differences == ()

        # Roll back, then finish.
        pair = await rollback(first)
        assert pair.secondary is not None
        assert (pair.active.model, pair.secondary.model) == (
            first.encoder.model,
            second.encoder.model,
        )
        assert seen.failures == []
        assert seen.answers > 50
    await finish(first)
    async with open_index(first) as old:
        assert await old.count() > 50
    with pytest.raises(IndexMismatch, match="looksync jobs reembed"):
        async with open_index(second):
            pass


async def test_nothing_is_switched_while_a_flow_does_not_mirror(
    first: Settings, second: Settings, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reembed_module, "MIRROR_SECONDS", 15.0)
    async with open_catalog_parts(first) as flow:
        await apply(enumerate(packets(world)[:20]), flow)
        with pytest.raises(Unavailable, match="1 of 2 catalog flows"):
            await reembed(first, second.encoder.model, flows=2, may_lack=0, report=print)
        async with open_index(first) as index:
            assert index.generation == flow.index.generation


async def test_switching_to_the_current_model_is_refused(first: Settings) -> None:
    async with open_index(first):
        pass
    with pytest.raises(Misconfigured, match="already the model"):
        await reembed(first, first.encoder.model, flows=0, may_lack=0, report=print)
    with pytest.raises(Misconfigured, match="--to MODEL"):
        await rollback(first)
