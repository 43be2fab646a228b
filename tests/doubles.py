"""In-memory doubles of the ports: same contracts, no servers, no models, no files."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL.Image import Image

from operators.ports import Candidate, Filters, IndexedAttributes, Picture, Vector
from operators.stores.index_writes import checked
from schemas.catalog import LedgerEntry
from schemas.errors import ImageRefused
from schemas.looks import ImageReference


def unit_vector(seed: bytes, dimension: int) -> Vector:
    """A pseudo-random direction that depends on ``seed`` only."""
    number = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big")
    drawn = np.random.default_rng(number).standard_normal(dimension).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn), dtype=np.float32)


class HashEncoder:
    """Every picture and text its own direction. ``images`` and ``texts`` record the calls."""

    def __init__(self, fingerprint: str = "hash-encoder", dimension: int = 16) -> None:
        self.fingerprint = fingerprint
        self.dimension = dimension
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
    """Pictures by URL; a URL that is not there (or holds an exception) is refused."""

    def __init__(self, by_url: Mapping[str, Image | Exception] | None = None) -> None:
        self.by_url = dict(by_url or {})
        self.fetched: list[str] = []

    async def fetch(self, reference: ImageReference) -> Picture:
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
        return Picture(image, pixel_hash(image))


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
        self.objects[key] = (checked(vector, first.size).copy(), attributes)

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
    """The meaning of :class:`Filters`, in plain sight."""
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
    """Keeps JSON, as the real one does: what does not survive a round trip is noticed."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.writes: list[str] = []

    async def read(self, key: str) -> LedgerEntry | None:
        text = self.entries.get(key)
        return None if text is None else LedgerEntry.model_validate_json(text)

    async def read_many(self, keys: Sequence[str]) -> list[LedgerEntry | None]:
        return [await self.read(key) for key in keys]

    async def write(self, entry: LedgerEntry) -> None:
        self.writes.append(entry.key)
        self.entries[entry.key] = entry.model_dump_json()

    async def scan(self) -> AsyncIterator[LedgerEntry]:
        for text in list(self.entries.values()):
            yield LedgerEntry.model_validate_json(text)

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
    """Never forgets; records the time to live it was given."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.ttl_seconds: dict[str, float] = {}

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def put(self, key: str, value: bytes, ttl_seconds: float) -> None:
        self.values[key] = value
        self.ttl_seconds[key] = ttl_seconds


class InMemoryClaims:
    def __init__(self) -> None:
        self.owners: dict[str, str] = {}

    async def claim(self, name: str, owner: str, ttl_seconds: float) -> str:
        del ttl_seconds
        return self.owners.setdefault(name, owner)
