"""A fake API for the tests of apps: the real routes, and recorded events in place of models."""

from __future__ import annotations

import asyncio
import io
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray
from PIL import Image

from dataflows.wiring.online import OnlineParts
from dataflows.wiring.topics import open_topic
from operators.concurrency import running
from operators.images.fetch import PictureFetcher
from operators.matching.calibration import Calibration
from operators.matching.parts import MatchParts
from operators.ports import Vector
from operators.stores.redis.client import open_redis
from operators.stores.redis.embedded_server import ensure_server
from operators.stores.redis.kept_matches import RedisKeptMatches
from operators.stores.redis.ledger import RedisLedger
from operators.stores.redis.look_pictures import RedisLookPictures
from operators.stores.sqlite.index import SqliteIndex
from operators.stores.thumbnails import ThumbnailFolder
from operators.streaming.tail import open_tail
from operators.vocabulary.views import indexed_attributes
from schemas.base import encode
from schemas.errors import Misconfigured
from schemas.looks import ImageReference, Look
from schemas.records import Record
from schemas.settings import (
    ApiSettings,
    BatchSettings,
    ImageSettings,
    MatchingSettings,
    Settings,
    ThumbnailSettings,
    TopicSettings,
)
from services.api.app import create_app
from services.api.rate_limits import memory_counter
from services.fake.recorded import SCENARIOS, Recorded

KEPT_SECONDS = 48 * 3600
BATCHES = BatchSettings()


class WordEncoder:
    """An ImageTextEncoder without a model: texts with the same words are near each other."""

    fingerprint = "words"
    dimension = 256
    reads_text = True
    finds_layers = False

    async def encode_text(self, text: str) -> Vector:
        vector = np.full(self.dimension, 1e-3, np.float32)
        for word in text.casefold().split():
            vector[zlib.crc32(word.encode()) % self.dimension] += 1
        unit: Vector = vector / np.linalg.norm(vector)
        return unit

    async def encode_image(self, image: Image.Image) -> Vector:
        raise Misconfigured("the fake server sees no pictures")

    async def encode_patches(self, image: Image.Image) -> NDArray[np.float32]:
        raise Misconfigured("the fake server sees no pictures")


@asynccontextmanager
async def open_fake(folder: Path, own: ApiSettings) -> AsyncIterator[FastAPI]:
    """The application, with its state in ``folder``, which is empty. The caller runs its lifespan.

    Raises Misconfigured or Unavailable when the embedded Valkey does not start.
    """
    server = await asyncio.to_thread(ensure_server, folder / "valkey")
    topics = TopicSettings(folder=folder / "topics", partitions=1)
    recorded, redis = Recorded(), open_redis(server.url)
    ledger, pictures = RedisLedger(redis, BATCHES), PictureFetcher(ImageSettings(http_cache=None))
    index = SqliteIndex.open(
        folder / "index.sqlite",
        fingerprint=WordEncoder.fingerprint,
        dimension=WordEncoder.dimension,
        writes=BATCHES,
    )
    parts = OnlineParts(
        match=MatchParts(
            pictures=pictures,
            encoder=WordEncoder(),
            index=index,
            ledger=ledger,
            segmenter=None,
            tagger=None,
            calibration=Calibration(),
            thumbnails=ThumbnailFolder.open(ThumbnailSettings(url=str(folder / "thumbnails"))),
            settings=MatchingSettings(),
        ),
        kept=RedisKeptMatches(redis, BATCHES, KEPT_SECONDS),
        look_pictures=RedisLookPictures(redis, BATCHES, KEPT_SECONDS),
        redis=redis,
        looks=open_topic(topics, topics.looks),
        matches=open_topic(topics, topics.matches),
        changes=open_topic(topics, topics.changes),
        interactions=open_topic(topics, topics.interactions),
    )
    try:
        await _fill(parts.match, recorded)
        settings = Settings(topics=topics, api=own)
        for scenario in SCENARIOS:
            await _send(parts, scenario)
        async with running(_answer_looks(parts, recorded)):
            yield create_app(parts, settings, memory_counter(), matcher=recorded.match)
    finally:
        for part in (parts.kept, parts.look_pictures, ledger, index, pictures):
            await part.close()
        await redis.aclose()
        await asyncio.to_thread(server.stop)


async def _fill(match: MatchParts, recorded: Recorded) -> None:
    """The recorded products; their pictures are squares of a colour."""
    for entry in recorded.entries():
        vector = await match.encoder.encode_text(entry.update.title)
        await match.index.upsert(entry.key, vector, indexed_attributes(entry, datetime.now(UTC)))
        await match.ledger.write(entry)
        await match.thumbnails.put(entry.key, _square(entry.key))


def _square(name: str) -> Image.Image:
    colour = zlib.crc32(name.encode())
    return Image.new("RGB", (64, 64), (colour & 255, colour >> 8 & 255, colour >> 16 & 255))


async def _send(parts: OnlineParts, look_id: str) -> None:
    """Send a look as the API does."""
    out = io.BytesIO()
    _square(look_id).save(out, "PNG")
    image = ImageReference.model_construct(url=None, data=out.getvalue())
    await parts.kept.accept(look_id, look_id)
    look = Look.model_construct(look_id=look_id, image=image, market=None)
    await asyncio.to_thread(parts.looks.append, [Record(look_id, encode(look))])


async def _answer_looks(parts: OnlineParts, recorded: Recorded) -> None:
    """In place of the look flow."""
    with closing(await open_tail(parts.looks, {0: 0})) as tail:
        async for records in tail.batches():
            looks = [Look.model_validate_json(record.value) for record in records]
            events = [event for look in looks if (event := recorded.answer(look)) is not None]
            answers = [Record(event.look_id, encode(event)) for event in events]
            await asyncio.to_thread(parts.matches.append, answers)
