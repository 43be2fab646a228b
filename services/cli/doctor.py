"""``looksync doctor``: the settings in force, and what to do about each component that fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from rich.console import Console
from rich.pretty import Pretty
from rich.table import Table

from dataflows.wiring.clients import Clients
from dataflows.wiring.encoders import find_layer_finder
from dataflows.wiring.topics import open_topic
from operators.catalog.mapping import load_mappings
from operators.matching.calibration import Calibration
from operators.models.vlm.probe import probe_vlm
from operators.stores.probes import probe_redis, probe_sqlite, probe_thumbnails, probe_weaviate
from operators.stores.redis.index_identity import require_described
from operators.vocabulary.taxonomy import Taxonomy
from schemas.errors import LookSyncError, Misconfigured, Unavailable
from schemas.settings import Settings
from services.cli.console import as_text, describe_kind
from services.cli.topics import compare_kafka

log = structlog.get_logger()


async def examine(settings: Settings, console: Console) -> int:
    """Print the settings in force and probe every component; 0 when all are well, else 1.

    The components are opened as the flows open them. A failure is reported in its row; the other
    components are probed nevertheless.
    """
    console.print(Pretty(settings.model_dump(mode="json"), expand_all=True))
    table = Table("component", "state", "what was found, or what to do", highlight=False)
    healthy = True
    async with Clients(settings) as clients:
        for component, probe in _PROBES.items():
            try:
                table.add_row(component, "[green]ok[/]", as_text(await probe(settings, clients)))
            except LookSyncError as error:
                healthy = False
                table.add_row(component, f"[red]{describe_kind(error)}[/]", as_text(str(error)))
            except Exception as error:
                healthy = False
                log.exception("probe failed unexpectedly", component=component)
                advice = as_text(f"{error} (traceback in the log)")
                table.add_row(component, "[red]failed[/]", advice)
    console.print(table)
    return 0 if healthy else 1


async def _topics(settings: Settings, _clients: Clients) -> str:
    topics = settings.topics
    lines = []
    for name in (topics.updates, topics.changes, topics.looks, topics.matches):
        if topics.kind == "file" and not (topics.folder / name).is_dir():
            lines.append(f"{name}: does not exist yet; it is created at its first use")
            continue
        ends = open_topic(topics, name).end_offsets()
        unit = "bytes" if topics.kind == "file" else "records so far"
        lines.append(f"{name}: {sum(ends.values()):,} {unit} in {len(ends)} partitions")
    if topics.kind == "kafka":
        differences, groups = compare_kafka(topics)
        lines += [group.summary for group in groups]
        differences += [problem for group in groups for problem in group.problems]
        if differences:
            raise Misconfigured("\n".join([*lines, *differences]))
    return "\n".join(lines)


async def _mappings(settings: Settings, _clients: Clients) -> str:
    return ", ".join(sorted(load_mappings(settings.catalog.mappings)))


async def _taxonomy(_settings: Settings, _clients: Clients) -> str:
    return f"{len(Taxonomy.load().categories)} categories"


async def _encoder(settings: Settings, clients: Clients) -> str:
    encoder = clients.encoder
    try:
        calibration = await clients.calibration()
    except Unavailable:  # reported by the row of redis
        calibration = clients.shipped_calibration
    known = "drawn garments only, no photographs" if clients.familiarity else "any picture"
    finder = find_layer_finder(encoder, settings)
    return (
        f"{encoder.fingerprint}, {encoder.dimension} dimensions, "
        f"{_calibrated(calibration, by_model=settings.vlm.kind != 'none')}\n"
        f"knows {known}; layers are found by {finder}"
    )


def _calibrated(calibration: Calibration, *, by_model: bool) -> str:
    if not calibration.fitted(by_model=by_model):
        return "uncalibrated (`looksync calibrate`)"
    origin = calibration.origin_in_force(by_model=by_model)
    return f"calibrated ({origin or 'shipped with the encoder'})"


async def _vlm(settings: Settings, clients: Clients) -> str:
    if settings.vlm.kind == "none":
        return "none: the tagger describes, similarity ranks"
    model = clients.vlm_without_cache(Taxonomy.load())
    if settings.vlm.kind == "embedded":
        return model.fingerprint
    await probe_vlm(settings.vlm)
    vlm = settings.vlm
    scores = "" if vlm.score_url is None else f"\nscores: {vlm.score_model} at {vlm.score_url}"
    return f"{vlm.model} at {vlm.url}, prompts {vlm.prompts}{scores}"


async def _parser(settings: Settings, clients: Clients) -> str:
    if settings.parser.kind == "none":
        return "none: the encoder's patches find people and layers, if they can"
    parsed = clients.parsed_layers
    return f"{parsed.fingerprint}, tells apart {', '.join(sorted(parsed.departments))}"


async def _segmenter(settings: Settings, clients: Clients) -> str:
    segmenter = settings.segmenter
    if segmenter.kind == "none":
        return "none: a layer's segment is the square around it"
    clients.query_segmenter  # noqa: B018  loads it
    return f"{segmenter.florence}, {segmenter.sam2}"


async def _redis(settings: Settings, clients: Clients) -> str:
    found = await probe_redis(clients.redis)
    if settings.redis.kind == "embedded":
        return f"embedded, in {settings.redis.folder}"
    return f"{settings.redis.shown_url}: {found}"


async def _index(settings: Settings, clients: Clients) -> str:
    found = (
        await probe_weaviate(await clients.weaviate(), settings.index)
        if settings.index.kind == "weaviate"
        else await probe_sqlite(settings.index.path)
    )
    try:
        await require_described(
            clients.redis, clients.ledger(None), found.generation, found.products
        )
    except Unavailable:
        return f"{found.description} (not compared with the ledger: redis does not answer)"
    return found.description


async def _thumbnails(settings: Settings, clients: Clients) -> str:
    await probe_thumbnails(clients.thumbnails)
    return settings.thumbnails.url


_PROBES: dict[str, Callable[[Settings, Clients], Awaitable[str]]] = {
    "topics": _topics,
    "mappings": _mappings,
    "taxonomy": _taxonomy,
    "encoder": _encoder,
    "vlm": _vlm,
    "parser": _parser,
    "segmenter": _segmenter,
    "redis": _redis,
    "index": _index,
    "thumbnails": _thumbnails,
}
