"""``looksync doctor``: the settings in force, and what to do about each part that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rich.console import Console
from rich.pretty import Pretty
from rich.table import Table

from dataflows.wiring.topics import open_topic
from operators.catalog.mapping import load_mappings
from operators.models.load_encoder import load_encoder
from operators.models.vlm.embedded import EmbeddedVisionModel
from operators.models.vlm.probe import probe_vlm
from operators.stores.probes import probe_index, probe_redis, probe_thumbnails
from operators.vocabulary.taxonomy import Taxonomy
from schemas.errors import LookSyncError
from schemas.settings import Settings


def examine(settings: Settings, console: Console) -> int:
    """Print what is in force and probe every part; 0 when all are well, else 1."""
    console.print(Pretty(settings.model_dump(mode="json"), expand_all=True))
    table = Table("part", "state", "what was found, or what to do", highlight=False)
    healthy = True
    for part, probe in _PROBES.items():
        try:
            table.add_row(part, "[green]ok[/]", probe(settings))
        except LookSyncError as error:
            healthy = False
            table.add_row(part, f"[red]{type(error).__name__}[/]", str(error))
    console.print(table)
    return 0 if healthy else 1


def _topics(settings: Settings) -> str:
    topics = settings.topics
    lines = []
    for name in (topics.updates, topics.changes, topics.looks, topics.matches):
        if topics.kind == "file" and not (topics.folder / name).is_dir():
            lines.append(f"{name}: not there yet; whoever uses it first makes it")
            continue
        ends = open_topic(topics, name).end_offsets()
        unit = "bytes" if topics.kind == "file" else "records so far"
        lines.append(f"{name}: {sum(ends.values()):,} {unit} in {len(ends)} partitions")
    return "\n".join(lines)


def _mappings(settings: Settings) -> str:
    return ", ".join(sorted(load_mappings(settings.catalog.mappings)))


def _encoder(settings: Settings) -> str:
    encoder = load_encoder(settings.encoder)
    asyncio.run(encoder.close())
    return f"{encoder.fingerprint}, {encoder.dimension} dimensions"


def _redis(settings: Settings) -> str:
    return asyncio.run(probe_redis(settings.redis))


def _index(settings: Settings) -> str:
    return asyncio.run(probe_index(settings.index))


def _vlm(settings: Settings) -> str:
    if settings.vlm.kind == "none":
        return "none: the tagger describes, similarity ranks"
    if settings.vlm.kind == "embedded":
        model = EmbeddedVisionModel.load(settings.vlm, Taxonomy.load(), lambda kind: None)
        asyncio.run(model.close())
        return model.fingerprint
    asyncio.run(probe_vlm(settings.vlm))
    return f"{settings.vlm.model} at {settings.vlm.url}, prompts {settings.vlm.prompts}"


def _segmenter(settings: Settings) -> str:
    segmenter = settings.segmenter
    if segmenter.kind == "none":
        return "none: the square around a layer is its segment"
    # Not at the top: transformers' model classes take seconds to load.
    from operators.models.florence_sam2 import FlorenceSam2

    cutter = FlorenceSam2.load(segmenter.florence, segmenter.sam2, segmenter.device)
    asyncio.run(cutter.close())
    return f"{segmenter.florence}, {segmenter.sam2}"


def _thumbnails(settings: Settings) -> str:
    asyncio.run(probe_thumbnails(settings.thumbnails))
    return settings.thumbnails.url


_PROBES: dict[str, Callable[[Settings], str]] = {
    "topics": _topics,
    "mappings": _mappings,
    "taxonomy": lambda _: f"{len(Taxonomy.load().categories)} categories",
    "encoder": _encoder,
    "vlm": _vlm,
    "segmenter": _segmenter,
    "redis": _redis,
    "index": _index,
    "thumbnails": _thumbnails,
}
