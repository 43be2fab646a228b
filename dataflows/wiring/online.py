"""The dependencies of the HTTP API, opened from settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from dataflows.wiring.clients import Clients
from dataflows.wiring.match_parts import open_match_parts
from dataflows.wiring.topics import FlowTopic, open_topic
from operators.matching.parts import MatchParts
from operators.stores.redis.kept_matches import RedisKeptMatches
from operators.stores.redis.look_pictures import RedisLookPictures
from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class OnlineParts:
    """What requests are answered with."""

    match: MatchParts
    kept: RedisKeptMatches
    look_pictures: RedisLookPictures
    redis: Redis
    """Counts requests per key."""
    looks: FlowTopic
    matches: FlowTopic
    changes: FlowTopic
    interactions: FlowTopic


@asynccontextmanager
async def open_online_parts(settings: Settings) -> AsyncIterator[OnlineParts]:
    """Open the parts. Raises Misconfigured, or Unavailable when a server does not answer."""
    topics = settings.topics
    async with Clients(settings, online=True) as clients:
        yield OnlineParts(
            match=await open_match_parts(clients, settings, online=True),
            kept=clients.kept_matches,
            look_pictures=clients.look_pictures,
            redis=clients.redis,
            looks=open_topic(topics, topics.looks),
            matches=open_topic(topics, topics.matches),
            changes=open_topic(topics, topics.changes),
            interactions=open_topic(topics, topics.interactions),
        )
