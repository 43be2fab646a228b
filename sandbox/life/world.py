"""A sandbox world as a folder: pictures, vendors' packets, looks, and the ground truth.

pictures/        product photographs, and a few broken files
looks/           pictures of looks
packets.jsonl    the vendors' feed in publishing order, a topic's lines
looks.jsonl      the looks in publishing order, a topic's lines
world.json       the arguments of draw_world, and counts
truth.json       the ground truth; for the evaluation only
market.json      once it goes on living: the steps so far, see market.py
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from operators.streaming.files.record_lines import decode, encode
from sandbox.life.assortment import CURRENCIES, MARKETS, Item, Style, stock_styles
from sandbox.life.broken import BROKEN_SHARE, draw_broken_packets, write_broken_pictures
from sandbox.life.looks import PlannedLook, Shelves, in_publishing_order, plan_looks, truth_of
from sandbox.life.pictures import (
    LookPicture,
    ProductPicture,
    Progress,
    draw_looks,
    draw_products,
)
from sandbox.life.replay import ItemState, Replay, replay
from sandbox.life.timeline import VENDORS, Packet, simulate_timeline
from sandbox.life.truth import GarmentTruth, LookTruth, PacketTruth, ProductTruth, Truth
from sandbox.world import Garment
from schemas.catalog import Packet as PacketRecord
from schemas.ids import product_key
from schemas.records import Position, Record

_MANIFEST = "world.json"
MARKET = "market.json"


@dataclass(frozen=True, slots=True)
class World:
    """A drawn world; the rest of its data is in its folder."""

    folder: Path
    seed: int
    products: int
    """Items that ever existed."""
    looks: int
    packets: int
    """Records of the feed, repeated and broken ones included."""
    look_records: int
    """Records of looks.generated, repeated ones included."""

    @property
    def pictures(self) -> Path:
        return self.folder / "pictures"

    @property
    def look_pictures(self) -> Path:
        return self.folder / "looks"

    @property
    def lives_on(self) -> bool:
        """Whether the market has gone on since: the truth is no longer that of the topics."""
        return (self.folder / MARKET).exists()

    def packet_records(self) -> Iterator[Record]:
        """Read the vendors' feed in publishing order, broken records included."""
        return _records(self.folder / "packets.jsonl", "catalog.updates")

    def look_event_records(self) -> Iterator[Record]:
        """Read the records of looks.generated in publishing order."""
        return _records(self.folder / "looks.jsonl", "looks.generated")

    def truth(self) -> Truth:
        """Read the ground truth; no flow may use it."""
        return Truth.model_validate_json((self.folder / "truth.json").read_bytes())


def draw_world(
    folder: Path,
    *,
    seed: int,
    products: int,
    looks: int,
    pictured: int | None = None,
    progress: Progress | None = None,
) -> World:
    """Draw a world into ``folder`` (emptied first). The same arguments give the same files.

    ``products``: items that ever exist, sizes counted. ``pictured``: at most this many styles get
    their own pictures; see :func:`sandbox.life.assortment.stock_styles`.
    """
    folder = folder.resolve()
    _empty(folder)
    pictures_url, looks_url = (folder / "pictures").as_uri(), (folder / "looks").as_uri()
    styles, withheld, packets, contents = simulate(seed, products, pictures_url, pictured)
    broken = draw_broken_packets(
        styles, round(len(packets) * BROKEN_SHARE), pictures_url, random_for(seed, "broken")
    )
    packets = sorted([*packets, *broken], key=lambda packet: packet.published)
    _draw_catalog(folder / "pictures", seed, styles, contents, progress)

    outcome = replay(packets, contents)
    items = {
        product_key(style.vendor, item.product_id): (style, item)
        for style in styles
        for item in style.items
    }
    truths = {
        key: product_truth(*items[key], state, contents) for key, state in outcome.states.items()
    }
    shelves = Shelves(truths.values(), withheld)
    planned = plan_looks(shelves, looks, looks_url, random_for(seed, "looks"))
    look_truths = _draw_looks(folder / "looks", seed, planned, shelves, progress)
    look_records = [
        Record(look.look_id, look.model_dump_json().encode())
        for look in in_publishing_order(planned, random_for(seed, "repeats"))
    ]
    truth = _truth(seed, withheld, truths, packets, outcome, look_truths)
    (folder / "truth.json").write_text(truth.model_dump_json(), encoding="utf-8")
    _write_records(folder / "packets.jsonl", (Record(p.key, p.value) for p in packets))
    _write_records(folder / "looks.jsonl", look_records)
    world = World(folder, seed, products, looks, len(packets), len(look_records))
    manifest = {name: value for name, value in asdict(world).items() if name != "folder"}
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return world


def open_world(folder: Path) -> World:
    """Open a drawn world. Raises FileNotFoundError when ``folder`` has none.

    A world cannot be moved: its records name its pictures by absolute path.
    """
    manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    return World(folder.resolve(), **manifest)


def simulate(
    seed: int, products: int, pictures_url: str, pictured: int | None = None
) -> tuple[list[Style], frozenset[str], list[Packet], dict[str, str]]:
    """Live through the timeline: the styles as they are at its end, the types that no vendor sells,
    the sound packets in publishing order, and the pictures (file name -> content id)."""
    styles, withheld = stock_styles(random_for(seed, "assortment"), products, pictured)
    packets, contents = simulate_timeline(styles, pictures_url, random_for(seed, "timeline"))
    return styles, withheld, packets, contents


def random_for(seed: int, what: str) -> random.Random:
    """Seed a generator per purpose, so that more looks do not change the catalog."""
    return random.Random(f"{seed}/{what}")


def _empty(folder: Path) -> None:
    for name in ("pictures", "looks"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    for name in ("packets.jsonl", "looks.jsonl", "truth.json", MARKET, _MANIFEST):
        (folder / name).unlink(missing_ok=True)


def _draw_catalog(
    folder: Path,
    seed: int,
    styles: Sequence[Style],
    contents: Mapping[str, str],
    progress: Progress | None,
) -> None:
    shown: dict[str, Garment] = {}
    for style in styles:
        for content in (*style.drawn, f"{style.drawn[0]}-new"):
            shown.setdefault(content, style.garment)
    wanted = sorted(set(contents.values()))
    draw_products(
        [
            ProductPicture(folder / f"{content}.jpg", f"{seed}/{content}", shown[content])
            for content in wanted
        ],
        progress,
    )
    for name, content in contents.items():
        if name != f"{content}.jpg":
            shutil.copyfile(folder / f"{content}.jpg", folder / name)
    write_broken_pictures(folder, folder / f"{wanted[0]}.jpg")


def _draw_looks(
    folder: Path,
    seed: int,
    planned: Sequence[PlannedLook],
    shelves: Shelves,
    progress: Progress | None,
) -> list[LookTruth]:
    boxes = draw_looks(
        [
            LookPicture(folder / p.picture_file, f"{seed}/{p.look.look_id}", p.outfit)
            for p in planned
        ],
        progress,
    )
    return [truth_of(p, boxes[folder / p.picture_file], shelves) for p in planned]


def product_truth(
    style: Style, item: Item, state: ItemState, contents: Mapping[str, str]
) -> ProductTruth:
    """The truth about an item in ``state``. ``contents``: picture file -> content id."""
    facts = state.facts()
    picture_file = facts["pictures"][0]
    return ProductTruth(
        key=product_key(style.vendor, item.product_id),
        state="live" if state.exists else "deleted",
        version=_recorded_version(style.vendor, state.upserted),
        garment=GarmentTruth.of(style.garment),
        colour_stated=style.colour_stated != "nowhere",
        pattern_stated=style.pattern_stated != "nowhere",
        category_stated=style.category_stated != "nowhere",
        gender=style.gender,
        brand=style.brand,
        market=MARKETS[style.vendor],
        style=f"{style.vendor}:{style.style_id}",
        size=None if item.size is None else ":".join(item.size),
        price_minor=facts["price"][0],
        currency=CURRENCIES[style.vendor],
        stock=facts["stock"],
        picture=contents[picture_file],
        picture_file=picture_file,
    )


def _recorded_version(vendor: str, moment: int) -> int:
    """Convert a moment to the version that the packet schema parses from the vendor's form."""
    packet = PacketRecord(
        vendor=vendor, product_id="any", kind="upsert", version=VENDORS[vendor].version(moment)
    )
    return packet.version


def _truth(
    seed: int,
    withheld: Iterable[str],
    products: dict[str, ProductTruth],
    packets: Sequence[Packet],
    outcome: Replay,
    looks: Sequence[LookTruth],
) -> Truth:
    return Truth(
        seed=seed,
        withheld=tuple(sorted(withheld)),
        products=products,
        packets=tuple(
            PacketTruth(key=packet.key, fate=fate, reason=packet.reason)
            for packet, fate in zip(packets, outcome.fates, strict=True)
        ),
        embeddings_at_most=len(outcome.embedded),
        embeddings_at_least=len(set(outcome.embedded)),
        looks=tuple(looks),
    )


def _write_records(path: Path, records: Iterable[Record]) -> None:
    with path.open("wb") as file:
        file.writelines(encode(record) for record in records)


def _records(path: Path, topic: str) -> Iterator[Record]:
    with path.open("rb") as file:
        for line in file:
            record = decode(line, Position(topic, 0, 0))
            yield Record(record.key, record.value)
