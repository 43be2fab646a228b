"""Events as they come: kept, waited for, streamed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta

from schemas.webhooks import EventKind
from services.api import arrivals
from services.api.arrivals import Arrival, Arrivals
from services.api.look_pictures import LookPictures
from tests.api.conftest import Serve
from tests.api.requests import image, until


async def tell_nobody(arrival: Arrival) -> None:
    """No webhooks."""


KEPT = timedelta(hours=1)
ALL: frozenset[EventKind] = frozenset(("match", "change"))


async def take(source: Arrivals, count: int, after: str | None = None) -> list[Arrival | None]:
    found: list[Arrival | None] = []
    async with aclosing(source.stream(ALL, after)) as stream:
        async for arrival in stream:
            found.append(arrival)
            if len(found) == count:
                return found
    return found


async def test_a_stream_has_the_events_of_the_topic_with_their_ids(serve: Serve) -> None:
    async with serve() as served:
        source = Arrivals(served.parts, tell_nobody, LookPictures(served.parts), KEPT)
        running = asyncio.create_task(source.run())
        await until(lambda: len(source.following) == 3 and all(source.following.values()))
        reading = asyncio.create_task(take(source, 2))
        for name in ("one", "two"):
            await served.client.post("/v1/looks", json={"look_id": name, "image": image()})
        events = await served.flow()
        async with asyncio.timeout(20):
            found = await reading
        assert {one.event_id for one in found if one} == {str(one.event_id) for one in events}
        first = found[0]
        assert first is not None
        async with asyncio.timeout(20):
            assert await take(source, 1, first.event_id) == [found[1]]
            assert await take(source, 1, "unknown") == [None], "a gap is reported"
        running.cancel()


async def test_a_stream_that_is_too_far_behind_is_ended(
    serve: Serve,
) -> None:
    async with serve() as served:
        source = Arrivals(served.parts, tell_nobody, LookPictures(served.parts), KEPT)
        stream = source.stream(ALL, None)
        waiting: asyncio.Task[Arrival | None] = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        large = "x" * (arrivals.BEHIND_BYTES // 4)
        for number in range(8):
            source._publish(Arrival(str(number), "match", large))
        got = [await waiting, *[one async for one in stream]]
        assert 1 <= len(got) < 8, "then its client resumes with the last event's id"
