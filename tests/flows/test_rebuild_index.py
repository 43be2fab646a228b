"""The index is lost, the flows refuse, looks are degraded, the index is rebuilt."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dataflows.execution import MISCONFIGURED
from dataflows.jobs.rebuild_index import rebuild
from dataflows.run import run_flow
from dataflows.wiring.parts import open_index, open_ledger_repair, open_look_parts
from evaluation.sandbox.index_comparison import compare_index
from operators.budget import Budget
from operators.matching.match import match_look
from operators.ports import Candidate
from operators.stores.redis.embedded_server import stop_left_over
from sandbox.life import World, draw_world
from schemas.looks import ImageReference, Look, LookMatches
from schemas.settings import Settings
from services.cli.doctor import examine
from services.cli.match import match_picture
from tests.flows.drawn_shop import send_packets, settings_in

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Shop:
    """A small world that the catalog flow has indexed, and the embedded parts in one folder."""

    world: World
    settings: Settings
    picture: Path
    """A look."""

    def flow(self, name: str) -> int:
        return run_flow("catalog" if name == "catalog" else "looks", self.settings, once=True)

    def match(self) -> LookMatches:
        return asyncio.run(
            match_picture(str(self.picture), self.settings, market=None, gender=None)
        )

    def files(self) -> list[Path]:
        return sorted(self.settings.index.path.parent.glob("index.sqlite*"))

    def differences_from_truth(self) -> tuple[object, ...]:
        async def compare() -> tuple[object, ...]:
            async with open_ledger_repair(self.settings) as parts:
                truth = self.world.truth()
                return (
                    await compare_index(truth, parts.rebuild.index, parts.rebuild.ledger)
                ).differences

        return asyncio.run(compare())

    def doctor(self) -> tuple[int, str]:
        output = StringIO()
        code = asyncio.run(examine(self.settings, Console(file=output, width=500)))
        return code, output.getvalue()


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    world = draw_world(folder / "world", seed=5, products=60, looks=1)
    settings = settings_in(folder, matching={"cache_seconds": 0}, vlm={"kind": "none"})
    send_packets(world, settings)
    shop = Shop(world, settings, next((folder / "world" / "looks").glob("*.jpg")))
    assert shop.flow("catalog") == 0
    yield shop
    stop_left_over(settings.redis.folder)


def deleted(shop: Shop) -> None:
    for file in shop.files():
        file.unlink()


def replaced(shop: Shop) -> None:
    """By the index of another installation."""

    async def any_product() -> Candidate | None:
        async with open_index(shop.settings) as index:
            return await index.get(await anext(key async for key, _ in index.scan()))

    async def fill(product: Candidate) -> None:
        async with open_index(shop.settings) as index:
            await index.upsert("other:1", product.vector, product.attributes)

    product = asyncio.run(any_product())
    assert product is not None
    deleted(shop)
    asyncio.run(fill(product))


def emptied(shop: Shop) -> None:
    async def empty() -> None:
        async with open_index(shop.settings) as index:
            for key in [key async for key, _ in index.scan()]:
                await index.delete(key)

    asyncio.run(empty())


def overwritten(shop: Shop) -> None:
    for file in shop.files()[1:]:
        file.unlink()
    shop.settings.index.path.write_bytes(b"not a database" * 1000)


@pytest.mark.parametrize("lose", [deleted, replaced, emptied, overwritten])
def test_lost_refused_rebuilt(
    indexed: Shop, lose: Callable[[Shop], None], capsys: pytest.CaptureFixture[str]
) -> None:
    before = [layer.products for layer in indexed.match().layers]
    assert any(before)
    lose(indexed)

    for flow in ("catalog", "looks"):
        capsys.readouterr()
        assert indexed.flow(flow) == MISCONFIGURED
        assert "looksync jobs rebuild-index" in "".join(capsys.readouterr())
    code, output = indexed.doctor()
    assert code == 1
    assert "looksync jobs rebuild-index" in output
    answer = indexed.match()
    assert answer.degraded[0].startswith("index:index-")
    assert not any(layer.products for layer in answer.layers)

    if lose is overwritten:
        deleted(indexed)  # as the message says
    rebuilt = asyncio.run(rebuild(indexed.settings))

    assert rebuilt.without_picture == []
    assert rebuilt.embedded == rebuilt.embedded_by_thumbnail == rebuilt.products
    assert indexed.differences_from_truth() == ()
    assert indexed.flow("catalog") == 0
    assert indexed.flow("looks") == 0
    assert indexed.doctor()[0] == 0
    again = indexed.match()
    assert again.degraded == ()
    for layer, products in zip(again.layers, before, strict=True):
        assert [p.product.key for p in layer.products[:1]] == [p.product.key for p in products[:1]]


def test_looks_are_degraded_while_a_flow_runs_on_a_deleted_index(indexed: Shop) -> None:
    look = Look(look_id="look-1", image=ImageReference(url=indexed.picture.as_uri()))
    aside = indexed.settings.index.path.parent / "aside"

    async def run() -> list[tuple[str, ...]]:
        async with open_look_parts(indexed.settings) as parts:

            async def degraded() -> tuple[str, ...]:
                return (await match_look(look, parts.match, Budget.of(60.0))).degraded

            seen = [await degraded()]
            shutil.move(indexed.settings.index.path, aside)
            seen.append(await degraded())
            shutil.move(aside, indexed.settings.index.path)
            return [*seen, await degraded()]

    assert asyncio.run(run()) == [(), ("index:index-lost",), ()]


def test_products_without_a_thumbnail_are_embedded_from_their_picture(indexed: Shop) -> None:
    thumbnails = Path(indexed.settings.thumbnails.url)
    kept = thumbnails.with_name("kept")
    deleted(indexed)
    shutil.move(thumbnails, kept)
    try:
        rebuilt = asyncio.run(rebuild(indexed.settings))
    finally:
        shutil.rmtree(thumbnails, ignore_errors=True)
        shutil.move(kept, thumbnails)
    assert (rebuilt.embedded, rebuilt.embedded_by_thumbnail) == (rebuilt.products, 0)
    assert indexed.differences_from_truth() == ()
