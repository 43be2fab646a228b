"""Slow hosts and vendors hold up no others. In virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import httpcore
import httpx
import pytest

from operators.images.bytes_in_flight import BytesInFlight
from operators.images.download import Downloader
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.keyed_calls import KeyedCalls
from operators.streaming.engine.outcomes import Failed, Outcome
from schemas.errors import ImageRefused, PictureUnavailable
from schemas.settings import ImageSettings
from tests.images import encoded_pictures as pictures
from tests.virtual_time import in_virtual_time

Answer = Callable[[httpx.URL], Awaitable[httpx.Response]]
GOOD, BAD = "https://good.example/a.png", "https://bad.example/a.png"


class Net(httpx.AsyncBaseTransport):
    """Hosts with prescribed answers; each counts what is asked of it."""

    def __init__(self, **answers: Answer) -> None:
        self._answers = answers
        self.asked: Counter[str] = Counter()
        self.at_once: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host.split(".")[-2]
        self.asked[host] += 1
        self.at_once[host] += 1
        self.most_at_once[host] = max(self.most_at_once[host], self.at_once[host])
        try:
            return await self._answers[host](request.url)
        finally:
            self.at_once[host] -= 1


def after(seconds: float, status: int = 200, **headers: str) -> Answer:
    async def answer(url: httpx.URL) -> httpx.Response:
        await asyncio.sleep(seconds)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.Response(status, headers=named, stream=Body(pictures.PNG))

    return answer


async def never(url: httpx.URL) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def reset(url: httpx.URL) -> httpx.Response:
    raise httpcore.ReadError("connection reset")


class Body(httpx.AsyncByteStream):
    def __init__(self, content: bytes, seconds: float = 0.0) -> None:
        self._content = content
        self._seconds = seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for byte in self._content if self._seconds else ():
            await asyncio.sleep(self._seconds)
            yield bytes([byte])
        if not self._seconds:
            yield self._content


async def drip(url: httpx.URL) -> httpx.Response:
    """A byte each 0.05 s: some 9 s for a picture, less than the time-out."""
    return httpx.Response(200, stream=Body(bytes(180), 0.05))


def downloader(net: Net, **settings: int) -> Downloader:
    return Downloader(net, ImageSettings(http_cache=None, **settings), connections=64)


async def get(net: Downloader, url: str, vendor: str | None = None) -> bytes:
    with BytesInFlight(10**9, 64).picture() as held:
        return await net.download(url, vendor, held)


async def outcome(net: Downloader, url: str, vendor: str | None = None) -> str:
    try:
        await get(net, url, vendor)
    except (PictureUnavailable, ImageRefused) as error:
        return error.reason
    return "picture"


async def good_ones_per_second(net: Downloader, urls: list[str], vendor: str | None) -> float:
    """The flow's calls, 64 at once, each for the next of ``urls``; those that bring a picture."""
    loop = asyncio.get_running_loop()
    finished: Counter[str] = Counter()
    ended: asyncio.Future[float] = loop.create_future()

    def report(result: Outcome[tuple[int, str], bytes]) -> None:
        if ended.done():
            return
        if result.item[1] == GOOD and isinstance(result, Failed):
            ended.set_exception(result.error)
            return
        finished[result.item[1]] += 1
        if finished[GOOD] == urls.count(GOOD):
            ended.set_result(loop.time())

    async def call(item: tuple[int, str]) -> bytes:
        return await get(net, item[1], vendor)

    policy = CallPolicy(window=64, deadline_seconds=30.0, attempts=3)
    calls = KeyedCalls(call, lambda item: str(item[0]), policy, loop)
    started = loop.time()
    for item in enumerate(urls):
        calls.submit(item, report)
    return urls.count(GOOD) / (await ended - started)


@pytest.mark.parametrize(
    ("bad", "vendor"),
    [
        (never, "one"),
        (never, None),
        (drip, "one"),
        (reset, "one"),
        (after(0.5, 503), None),
        (after(9.0), "one"),
    ],
)
@in_virtual_time
async def test_others_keep_nine_tenths_of_their_rate_beside_a_host_that_is_slow_or_down(
    bad: Answer, vendor: str | None
) -> None:
    net = downloader(Net(good=after(0.5), bad=bad))
    beside = await good_ones_per_second(net, [GOOD, BAD] * 8000, vendor)
    alone = 64 / 0.5
    assert beside >= 0.9 * alone


@in_virtual_time
async def test_a_host_that_keeps_failing_is_left_alone_and_tried_once_at_a_time() -> None:
    source = Net(bad=reset)
    net = downloader(source)
    reasons = [await outcome(net, BAD, "one") for _ in range(8)]
    assert reasons == ["connection"] * 5 + ["host-shut"] * 3
    assert (source.asked["bad"], net.hosts_shut) == (5, 1)
    await asyncio.sleep(15.5)
    tries = await asyncio.gather(*(outcome(net, BAD, "one") for _ in range(4)))
    assert Counter(tries) == {"connection": 1, "host-shut": 3}
    await asyncio.sleep(15.5)
    assert await outcome(net, BAD, "one") == "host-shut", "the pause has doubled"


@in_virtual_time
async def test_a_host_that_recovers_is_asked_again() -> None:
    source = Net(bad=reset)
    net = downloader(source)
    for _ in range(6):
        await outcome(net, BAD, "one")
    source._answers["bad"] = after(0.1)
    await asyncio.sleep(15.5)
    assert [await outcome(net, BAD, "one") for _ in range(3)] == ["picture"] * 3
    assert net.hosts_shut == 0


@in_virtual_time
async def test_a_host_is_left_alone_for_as_long_as_it_asks() -> None:
    source = Net(bad=after(0.1, 429, retry_after="60"))
    net = downloader(source)
    assert await outcome(net, BAD, "one") == "http-status"
    with pytest.raises(PictureUnavailable) as away:
        await get(net, BAD, "one")
    assert away.value.retry_after_seconds == pytest.approx(60.0)
    await asyncio.sleep(61)
    assert await outcome(net, BAD, "one") == "http-status"
    assert source.asked["bad"] == 2


@in_virtual_time
async def test_missing_pictures_are_no_failure_of_their_host() -> None:
    net = downloader(Net(bad=after(0.1, 404)))
    assert {await outcome(net, BAD, "one") for _ in range(30)} == {"not-found"}


@in_virtual_time
async def test_a_redirect_counts_for_the_host_it_leads_to() -> None:
    async def lead_to_bad(url: httpx.URL) -> httpx.Response:
        return httpx.Response(302, headers={"location": BAD}, stream=Body(b""))

    source = Net(good=lead_to_bad, bad=reset, other=after(0.1))
    net = downloader(source)
    reasons = [await outcome(net, GOOD, "one") for _ in range(7)]
    assert reasons == ["connection"] * 5 + ["host-shut"] * 2
    assert source.asked == {"good": 7, "bad": 5}
    source._answers["good"] = after(0.1)
    assert await outcome(net, GOOD, "two") == "picture"


@in_virtual_time
async def test_a_vendor_with_thousands_of_dead_hosts_is_limited_as_a_whole() -> None:
    source = Net(good=after(0.5), bad=never)
    net = downloader(source)
    dead = [
        asyncio.create_task(outcome(net, f"https://h{n}.bad.example/a", "bad")) for n in range(60)
    ]
    started = asyncio.get_running_loop().time()
    for _ in range(30):
        assert await outcome(net, GOOD, "good") == "picture"
    assert asyncio.get_running_loop().time() - started == pytest.approx(15.0)
    assert source.most_at_once["bad"] <= 8
    assert set(await asyncio.gather(*dead)) <= {"timeout", "vendor-slow", "vendor-shut"}


@in_virtual_time
async def test_a_look_is_not_turned_away_while_no_other_host_answers() -> None:
    source = Net(good=after(0.1), bad=reset)
    net = downloader(source)
    assert {await outcome(net, BAD) for _ in range(20)} == {"connection"}
    await outcome(net, GOOD)
    assert await outcome(net, BAD) == "host-shut"


@in_virtual_time
async def test_the_only_host_is_waited_for_however_slow_it_is() -> None:
    net = downloader(Net(bad=after(8.0)))
    results = await asyncio.gather(*(outcome(net, BAD) for _ in range(40)))
    assert set(results) == {"picture"}


async def test_a_large_picture_waits_while_others_hold_the_memory() -> None:
    memory = BytesInFlight(1000, 10)
    with memory.picture() as first, memory.picture() as second, memory.picture() as small:
        first.add(900)
        small.add(100)  # its fair share
        with pytest.raises(PictureUnavailable) as away:
            second.add(150)
        assert away.value.reason == "memory"
        small.add(0)
    assert memory.held == 0
    with memory.picture() as again:
        again.add(1000)
