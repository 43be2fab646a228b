"""In-memory doubles of the ports, with the same contracts and without servers, models or files."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL.Image import Image
from pydantic import ValidationError

from operators.picture import REDUCED_HASH, WHOLE, Wanted
from operators.ports import Candidate, Filters, IndexedAttributes, Picture, Vector
from operators.stores.index_writes import validate_vector
from schemas.catalog import LedgerEntry
from schemas.errors import ImageRefused, UnreadableEntry
from schemas.looks import ImageReference


def unit_vector(seed: bytes, dimension: int) -> Vector:
    """A pseudo-random direction that depends on ``seed`` only."""
    number = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big")
    drawn = np.random.default_rng(number).standard_normal(dimension).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn), dtype=np.float32)


class HashEncoder:
    """A pseudo-random vector per picture and text; ``images`` and ``texts`` record the calls."""

    def __init__(self, fingerprint: str = "hash-encoder", dimension: int = 16) -> None:
        self.fingerprint = fingerprint
        self.dimension = dimension
        self.reads_text = self.finds_layers = True
        self.images: list[str] = []
        self.texts: list[str] = []

    async def encode_image(self, image: Image) -> Vector:
        self.images.append(pixel_hash(image))
        return unit_vector(self._seed(image.tobytes()), self.dimension)

    async def encode_text(self, text: str) -> Vector:
        self.texts.append(text)
        return unit_vector(self._seed(text.encode()), self.dimension)

    async def encode_patches(self, image: Image) -> NDArray[np.float32]:
        cells = image.resize((64, 64))
        return np.stack(
            [
                np.stack(
                    [
                        unit_vector(
                            self._seed(cells.crop((x, y, x + 16, y + 16)).tobytes()),
                            self.dimension,
                        )
                        for x in range(0, 64, 16)
                    ]
                )
                for y in range(0, 64, 16)
            ]
        )

    def _seed(self, content: bytes) -> bytes:
        return self.fingerprint.encode() + b"/" + content


def pixel_hash(image: Image) -> str:
    return hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()


def plain_picture(colour: str | tuple[int, int, int], size: tuple[int, int] = (8, 8)) -> Image:
    return PillowImage.new("RGB", size, colour)


class StoredPictures:
    """Pictures by URL; unknown URLs are refused, and a stored exception is raised."""

    def __init__(self, by_url: Mapping[str, Image | Exception] | None = None) -> None:
        self.by_url = dict(by_url or {})
        self.blank: set[str] = set()
        """URLs of pictures that show nothing."""
        self.fetched: list[str] = []

    async def fetch(
        self, reference: ImageReference, vendor: str | None = None, wanted: Wanted = WHOLE
    ) -> Picture:
        if reference.url is None:
            image: Image | Exception | None = PillowImage.open(
                io.BytesIO(reference.data or b"")
            ).convert("RGB")
        else:
            self.fetched.append(reference.url)
            image = self.by_url.get(reference.url)
        if image is None:
            raise ImageRefused(f"{reference.url}: there is no such picture", reason="not-found")
        if isinstance(image, Exception):
            raise image
        hashes = pixel_hash(image), REDUCED_HASH + pixel_hash(image)
        return Picture(
            image,
            hashes[wanted.reduced],
            reference.url in self.blank,
            hashes[not wanted.reduced] if wanted.both_hashes else None,
        )


class InMemoryIndex:
    """A vector store in a dict; exact search."""

    def __init__(self, generation: str = "memory") -> None:
        self.generation = generation
        self.objects: dict[str, tuple[Vector, IndexedAttributes]] = {}
        self.upserts: list[str] = []
        self.patches: list[str] = []

    async def upsert(self, key: str, vector: Vector, attributes: IndexedAttributes) -> None:
        self.upserts.append(key)
        first = next((stored for stored, _ in self.objects.values()), vector)
        self.objects[key] = (validate_vector(vector, first.size).copy(), attributes)

    async def patch(self, key: str, attributes: IndexedAttributes) -> bool:
        self.patches.append(key)
        if key not in self.objects:
            return False
        self.objects[key] = (self.objects[key][0], attributes)
        return True

    async def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    async def search(self, vector: Vector, filters: Filters, limit: int) -> list[Candidate]:
        found = [
            Candidate(key, float(stored @ vector), attributes, stored)
            for key, (stored, attributes) in self.objects.items()
            if passes(filters, attributes)
        ]
        return sorted(found, key=lambda candidate: (-candidate.similarity, candidate.key))[:limit]

    async def get(self, key: str) -> Candidate | None:
        if key not in self.objects:
            return None
        vector, attributes = self.objects[key]
        return Candidate(key, 1.0, attributes, vector.copy())

    async def count(self) -> int:
        return len(self.objects)

    async def scan(self) -> AsyncIterator[tuple[str, IndexedAttributes]]:
        for key, (_, attributes) in list(self.objects.items()):
            yield key, replace(attributes)

    async def close(self) -> None:
        return None


def passes(filters: Filters, attributes: IndexedAttributes) -> bool:
    """The meaning of :class:`Filters` in plain Python."""
    bucket, brand = attributes.price_bucket, attributes.brand
    return (
        filters.department in (None, attributes.department)
        and filters.market in (None, attributes.market)
        and (
            not filters.genders or attributes.gender is None or attributes.gender in filters.genders
        )
        and (not filters.colours or attributes.colour in filters.colours)
        and (not filters.brands or brand in filters.brands)
        and brand not in filters.excluded_brands
        and (not filters.sizes or bool(filters.sizes.intersection(attributes.sizes)))
        and (attributes.in_stock or not filters.in_stock)
        and (
            filters.price_buckets is None
            or (
                bucket is not None
                and filters.price_buckets[0] <= bucket <= filters.price_buckets[1]
            )
        )
        and filters.currency in (None, attributes.currency)
    )


class InMemoryLedger:
    """Stores JSON like the real ledger, so that fields lost in a round trip are noticed."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.writes: list[str] = []

    async def read(self, key: str) -> LedgerEntry | None:
        text = self.entries.get(key)
        try:
            return None if text is None else LedgerEntry.read(text)
        except ValidationError as error:
            raise UnreadableEntry(key, reason="ledger-unreadable") from error

    async def read_many(
        self, keys: Sequence[str], on_unreadable: Callable[[UnreadableEntry], None]
    ) -> list[LedgerEntry | None]:
        async def read(key: str) -> LedgerEntry | None:
            try:
                return await self.read(key)
            except UnreadableEntry as error:
                on_unreadable(error)
                return None

        return [await read(key) for key in keys]

    async def read_known(self, keys: Sequence[str]) -> dict[str, LedgerEntry]:
        errors: list[UnreadableEntry] = []
        entries = await self.read_many(keys, errors.append)
        return {entry.key: entry for entry in entries if entry is not None}

    async def write_many(self, entries: Sequence[LedgerEntry]) -> None:
        for entry in entries:
            await self.write(entry)

    async def write(self, entry: LedgerEntry) -> None:
        self.writes.append(entry.key)
        self.entries[entry.key] = entry.model_dump_json()

    async def scan(self, prefix: str = "") -> AsyncIterator[LedgerEntry]:
        for key, text in list(self.entries.items()):
            if key.startswith(prefix):
                yield LedgerEntry.read(text)

    async def close(self) -> None:
        return None


class InMemoryThumbnails:
    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}

    async def put(self, key: str, image: Image) -> None:
        small = image.copy()
        small.thumbnail((336, 336))
        buffer = io.BytesIO()
        small.save(buffer, "JPEG")
        self.pictures[key] = buffer.getvalue()

    async def get(self, key: str) -> bytes | None:
        return self.pictures.get(key)

    async def delete(self, key: str) -> None:
        self.pictures.pop(key, None)


class InMemoryCache:
    """Evicts nothing; records the time to live of each key."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.ttl_seconds: dict[str, float] = {}

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def put(self, key: str, value: bytes, ttl_seconds: float) -> None:
        self.values[key] = value
        self.ttl_seconds[key] = ttl_seconds


class InMemorySchedule:
    """``due`` shows what is scheduled."""

    def __init__(self) -> None:
        self.due: dict[str, datetime] = {}

    async def set(self, key: str, due: datetime | None) -> None:
        if due is None:
            self.due.pop(key, None)
        else:
            self.due[key] = due

    async def lease_due(self, now: datetime, limit: int, lease: timedelta) -> list[str]:
        waiting = sorted((due, key) for key, due in self.due.items() if due <= now)
        keys = [key for _, key in waiting[:limit]]
        self.due.update(dict.fromkeys(keys, now + lease))
        return keys


class InMemoryClaims:
    def __init__(self) -> None:
        self.owners: dict[str, str] = {}

    async def claim(self, name: str, owner: str, ttl_seconds: float) -> str:
        del ttl_seconds
        return self.owners.setdefault(name, owner)
