"""The gallery: every look with its layers, the products matched and the true ones.

One HTML page that needs neither scripts nor a network, and a folder of the same name with its
pictures. The two can be moved together.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evaluation.sandbox.gallery_looks import describe_look
from evaluation.sandbox.gallery_pictures import GalleryPictures
from evaluation.sandbox.look_report import first_events
from evaluation.sandbox.report import Report
from evaluation.sandbox.table import LABELS
from sandbox.life import World
from sandbox.world import DEPARTMENTS
from schemas.looks import Look
from schemas.records import Record

_TILES = (
    "exact_hit_at_1",
    "exact_hit_at_10",
    "near_attribute_agreement",
    "absent_abstained",
    "exact_wrongly_abstained",
    "layer_precision",
    "layer_recall",
)

KIND_WORDS = {
    "exact": "the very same product is in the catalog",
    "near": "the catalog has one that differs in one attribute",
    "absent": "no shop sells this type",
    "phantom": "not in the picture",
}


def write_gallery(page: Path, world: World, report: Report, matches: Iterable[Record]) -> None:
    """Write ``page`` and its folder of pictures.

    ``matches``: the records of looks.matched. The first event of each look is shown.
    """
    truth = world.truth()
    folder = page.parent / page.stem
    folder.mkdir(parents=True, exist_ok=True)
    events = first_events(matches)
    looks_by_id = {r.key: Look.model_validate_json(r.value) for r in world.look_event_records()}
    pictures = GalleryPictures(world, folder)
    looks = [
        describe_look(looks_by_id[known.look_id], known, events.get(known.look_id), truth, pictures)
        for known in truth.looks
    ]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("gallery.html.j2").render(
        report=report,
        tiles=[(LABELS[name], report.looks.quality[name]) for name in _TILES],
        looks=looks,
        kind_words=KIND_WORDS,
        departments=list(DEPARTMENTS),
        failures=report.failures(),
    )
    page.write_text(html, encoding="utf-8")
