import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evaluation.sandbox.catalog_report import CatalogReport, catalog_report
from evaluation.sandbox.gallery import write_gallery
from evaluation.sandbox.look_report import look_report
from evaluation.sandbox.report import Report
from sandbox.life import Truth, World
from schemas.attributes import Department
from schemas.looks import LayerMatch, LookMatches, MatchedProduct
from schemas.records import Record
from tests.evaluation.perfect_run import Run, perfect_run, product_of

NASTY = "<script>alert(1)</script>\"'&"


@pytest.fixture
def run(truth: Truth) -> Run:
    return perfect_run(truth)


@pytest.fixture
async def catalog(truth: Truth, run: Run) -> CatalogReport:
    return await catalog_report(
        truth, run.index, run.ledger, changes=run.changes, dead_letters=run.dead_letters
    )


def _write(world: World, catalog: CatalogReport, matches: list[Record], page: Path) -> str:
    truth = world.truth()
    report = Report(truth.seed, 150, 3.0, catalog, look_report(truth, matches))
    write_gallery(page, world, report, matches)
    return page.read_text(encoding="utf-8")


def _change(record: Record, **changes: object) -> Record:
    event = LookMatches.model_validate_json(record.value).model_copy(update=changes)
    return Record(record.key, event.model_dump_json().encode())


class _Elements(HTMLParser):
    """Counts the elements of a page by tag, and collects what they refer to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def test_every_look_is_shown_with_its_layers_and_boxes(
    world: World, truth: Truth, run: Run, catalog: CatalogReport, tmp_path: Path
) -> None:
    html = _write(world, catalog, run.matches, tmp_path / "gallery.html")
    elements = _Elements(html)
    layers = sum(len(look.layers) for look in truth.looks)
    assert elements.tags.count("section") == len(truth.looks)
    assert elements.tags.count("article") == layers
    assert elements.tags.count("rect") == layers
    for kind in ("exact", "near", "absent"):
        expected = sum(layer.kind == kind for x in truth.looks for layer in x.layers.values())
        assert len(re.findall(rf'<article class="layer \w+ {kind}', html)) == expected


def test_it_needs_no_network_and_its_pictures_are_beside_it(
    world: World, truth: Truth, run: Run, catalog: CatalogReport, tmp_path: Path
) -> None:
    html = _write(world, catalog, run.matches, tmp_path / "gallery.html")
    addresses = _Elements(html).addresses
    assert addresses
    for address in addresses:
        assert (tmp_path / address).is_file()
    assert "http" not in html
    assert "<script" not in html
    assert str(world.folder) not in html


def test_titles_and_queries_of_strangers_are_escaped(
    world: World, truth: Truth, run: Run, catalog: CatalogReport, tmp_path: Path
) -> None:
    product = product_of(next(iter(truth.live().values())))
    product = product.model_copy(
        update={"update": product.update.model_copy(update={"title": NASTY})}
    )
    layer = LayerMatch(
        layer=Department.TOP,
        query=NASTY,
        products=(MatchedProduct(rank=1, score=1.0, similarity=1.0, product=product),),
        relaxed=(NASTY,),
    )
    run.matches[0] = _change(run.matches[0], layers=(layer,), degraded=(NASTY,), refused=NASTY)
    html = _write(world, catalog, run.matches, tmp_path / "gallery.html")
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 5


def test_odd_events_are_shown_too(
    world: World, truth: Truth, run: Run, catalog: CatalogReport, tmp_path: Path
) -> None:
    unknown = product_of(next(iter(truth.live().values()))).model_copy(update={"key": "acme:1"})
    unknown = unknown.model_copy(
        update={"update": unknown.update.model_copy(update={"price": None})}
    )
    found = MatchedProduct(rank=1, score=0.0, similarity=-0.2, product=unknown)
    phantom = LayerMatch(layer=Department.WATCH, query="", products=(found,))
    run.matches[0] = _change(run.matches[0], layers=(phantom,))
    run.matches[1] = _change(run.matches[1], layers=(), refused="image-refused")
    del run.matches[2]
    html = _write(world, catalog, run.matches, tmp_path / "gallery.html")
    assert "false layer" in html
    assert "Refused: image-refused" in html
    assert "This look has no event." in html
    assert "1 looks without an event" in html


def test_a_true_product_that_was_not_shown_is_marked(
    world: World, truth: Truth, run: Run, catalog: CatalogReport, tmp_path: Path
) -> None:
    html = _write(world, catalog, run.matches, tmp_path / "gallery.html")
    assert "true, not shown" not in html
    run.matches = [_change(record, layers=()) for record in run.matches]
    html = _write(world, catalog, run.matches, tmp_path / "gallery.html")
    exact = sum(layer.kind == "exact" for x in truth.looks for layer in x.layers.values())
    assert html.count("true, not shown") == exact
