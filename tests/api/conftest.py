"""An API over the painted shop, with file topics and the embedded Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from dataflows.wiring.online import OnlineParts
from dataflows.wiring.topics import open_topic
from operators.budget import Budget
from operators.images.fetch import PictureFetcher
from operators.matching.match import match_look
from operators.matching.parts import MatchParts
from operators.stores.redis.client import open_redis
from operators.stores.redis.embedded_server import ValkeyServer
from operators.stores.redis.kept_matches import RedisKeptMatches
from operators.stores.redis.look_pictures import RedisLookPictures
from operators.streaming.files.topic import FileTopic
from schemas.base import encode
from schemas.looks import Look, LookMatches
from schemas.records import Record
from schemas.settings import ApiSettings, BatchSettings, ImageSettings, Settings, TopicSettings
from services.api.app import AddPages, create_app
from services.api.rate_limits import redis_counter
from tests.matching.conftest import empty_shop, painted_taxonomy, parts, taxonomy
from tests.stores.conftest import shared_valkey, valkey

__all__ = ["empty_shop", "painted_taxonomy", "parts", "shared_valkey", "taxonomy", "valkey"]


@dataclass(frozen=True, slots=True)
class Served:
    """A running API, and what is behind it."""

    app: FastAPI
    client: AsyncClient
    parts: OnlineParts

    async def match(self) -> list[LookMatches]:
        """Match the looks that were sent, as the look flow does."""
        looks = self.parts.looks
        assert isinstance(looks, FileTopic)
        sent = [record for p in range(looks.partitions) for record in looks.read(p)]
        asked = [Look.model_validate_json(record.value) for record in sent]
        return [await match_look(look, self.parts.match, Budget.of(30)) for look in asked]

    async def flow(self) -> list[LookMatches]:
        """Do what the look flow does with the looks that were sent; the events."""
        events = await self.match()
        self.publish(events)
        return events

    def publish(self, events: list[LookMatches]) -> None:
        """Append ``events`` to looks.matched."""
        self.parts.matches.append([Record(event.look_id, encode(event)) for event in events])


def online_parts(match: MatchParts, valkey: ValkeyServer, topics: TopicSettings) -> OnlineParts:
    """``match`` with Redis and topics. The caller closes them."""
    redis = open_redis(valkey.url)
    return OnlineParts(
        match=match,
        kept=RedisKeptMatches(redis, BatchSettings(), 3600),
        look_pictures=RedisLookPictures(redis, BatchSettings(), 3600),
        redis=redis,
        looks=open_topic(topics, topics.looks),
        matches=open_topic(topics, topics.matches),
        changes=open_topic(topics, topics.changes),
        interactions=open_topic(topics, topics.interactions),
    )


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve(parts: MatchParts, valkey: ValkeyServer, tmp_path: Path) -> Serve:
    """Start an API with these settings of its own."""

    @asynccontextmanager
    async def start(pages: AddPages | None = None, **own: object) -> AsyncIterator[Served]:
        topics = TopicSettings(folder=tmp_path / "topics")
        api = ApiSettings.model_validate({"deadline_seconds": 30.0, **own})
        settings = Settings(topics=topics, api=api)
        pictures = PictureFetcher(ImageSettings(http_cache=None))
        online = online_parts(replace(parts, pictures=pictures), valkey, topics)
        app = create_app(online, settings, redis_counter(online.redis), pages)
        transport = ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=transport, base_url="http://api") as client,
        ):
            yield Served(app, client, online)
        await online.kept.close()
        await online.look_pictures.close()
        await pictures.close()
        await online.redis.aclose()

    return start
