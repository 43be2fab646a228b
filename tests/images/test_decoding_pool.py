"""Decoding processes: neither a picture nor a crashed process delays the others."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from PIL import Image

from operators.images import decoding_pool
from operators.images.decoding_pool import DecodingPool
from schemas.errors import ImageRefused, Unavailable
from schemas.settings import ImageSettings
from tests.images import encoded_pictures as pictures
from tests.images.encoded_pictures import PNG_HASH

SLOW = pictures.encoded(Image.new("RGB", (6300, 6300), "red"), "PNG", compress_level=1)
"""About 0.4 s of work that passes all checks: 40 megapixels."""


@pytest.fixture
async def open_pool(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., DecodingPool]]:
    """A timeout long enough that a busy machine does not make workers look stuck."""
    monkeypatch.setattr(decoding_pool, "WALL_FACTOR", 1000.0)
    opened: list[DecodingPool] = []

    def open_one(workers: int = 1, cpu_seconds: float = 8.0) -> DecodingPool:
        settings = ImageSettings(decode_cpu_seconds=cpu_seconds, max_side=256)
        opened.append(DecodingPool(settings, workers))
        return opened[-1]

    yield open_one
    for pool in opened:
        await pool.close()


def worker_processes(parent: int | str = "self") -> list[int]:
    """The decoding processes of this process, or of ``parent``."""
    threads = Path(f"/proc/{parent}/task").glob("*/children")
    children = [int(pid) for thread in threads for pid in thread.read_text().split()]
    return [pid for pid in children if b"decoding_worker" in command_line(pid)]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def test_a_picture_that_takes_too_long_is_refused_and_the_next_is_decoded(
    open_pool: Callable[..., DecodingPool],
) -> None:
    pool = open_pool(cpu_seconds=0.15)
    with pytest.raises(ImageRefused) as refusal:
        await pool.decode(SLOW)
    assert refusal.value.reason == "too-slow"
    assert (await pool.decode(pictures.PNG)).pixel_hash == PNG_HASH


async def test_others_are_decoded_while_one_picture_takes_long(
    open_pool: Callable[..., DecodingPool],
) -> None:
    pool = open_pool(workers=2, cpu_seconds=0.15)
    slow = asyncio.create_task(pool.decode(SLOW))
    await asyncio.sleep(0)
    for _ in range(10):
        assert (await pool.decode(pictures.PNG)).pixel_hash == PNG_HASH
    with pytest.raises(ImageRefused):
        await slow


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_crashed_worker_is_replaced_before_anyone_notices(
    open_pool: Callable[..., DecodingPool], number: signal.Signals
) -> None:
    pool = open_pool()
    await pool.decode(pictures.PNG)
    (worker,) = worker_processes()
    os.kill(worker, number)
    assert (await pool.decode(pictures.PNG)).pixel_hash == PNG_HASH


@pytest.mark.parametrize("death", [b"signal 11", b"signal 9", b"exit 1"])
async def test_a_picture_that_ends_its_workers_is_refused_and_its_neighbours_are_decoded(
    open_pool: Callable[..., DecodingPool], monkeypatch: pytest.MonkeyPatch, death: bytes
) -> None:
    monkeypatch.setattr(decoding_pool, "WORKER", "tests.images.dying_worker")
    pool = open_pool(workers=2)
    neighbours = [pictures.PNG] * 4
    outcomes = await asyncio.gather(
        *map(pool.decode, [*neighbours, death, *neighbours]), return_exceptions=True
    )
    refusal = outcomes.pop(4)
    assert isinstance(refusal, ImageRefused)
    assert refusal.reason == "broken"
    assert "ended 3 decoding processes" in str(refusal)
    assert {getattr(picture, "pixel_hash", picture) for picture in outcomes} == {PNG_HASH}


@pytest.mark.parametrize("module", ["no_such_module", "tests.images"])
async def test_workers_that_end_at_their_start_are_not_the_pictures_fault(
    open_pool: Callable[..., DecodingPool], monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    pool = open_pool()
    with monkeypatch.context() as broken:
        broken.setattr(decoding_pool, "WORKER", module)
        with pytest.raises(Unavailable) as away:
            await pool.decode(pictures.PNG)
    assert away.value.reason == "decoding"
    assert (await pool.decode(pictures.PNG)).pixel_hash == PNG_HASH


async def test_a_worker_that_is_stuck_is_replaced_without_blaming_a_picture(
    open_pool: Callable[..., DecodingPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding_pool, "WALL_FACTOR", 0.05)
    pool = open_pool()
    await pool.decode(pictures.PNG)
    (worker,) = worker_processes()
    os.kill(worker, signal.SIGSTOP)
    with pytest.raises(Unavailable, match="does not answer") as away:
        await pool.decode(pictures.PNG)
    assert away.value.reason == "decoding"
    assert not command_line(worker)
    assert (await pool.decode(pictures.PNG)).pixel_hash == PNG_HASH


async def test_waiting_behind_stuck_workers_is_reported(
    open_pool: Callable[..., DecodingPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding_pool, "STUCK_SECONDS", 0.05)
    pool = open_pool(cpu_seconds=0.15)
    slow = asyncio.create_task(pool.decode(SLOW))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="no picture was decoded") as away:
        await pool.decode(pictures.PNG)
    assert away.value.reason == "decoding"
    with pytest.raises(ImageRefused):
        await slow
    assert (await pool.decode(pictures.PNG)).pixel_hash == PNG_HASH


async def test_a_worker_that_cannot_be_started_is_unavailable(
    open_pool: Callable[..., DecodingPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Unavailable) as away:
        await open_pool().decode(pictures.PNG)
    assert away.value.reason == "decoding"


async def test_a_worker_sees_no_passwords(
    open_pool: Callable[..., DecodingPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKSYNC_REDIS__PASSWORD", "hunter2")
    await open_pool().decode(pictures.PNG)
    (worker,) = worker_processes()
    assert b"hunter2" not in Path(f"/proc/{worker}/environ").read_bytes()


async def test_closing_ends_the_workers(open_pool: Callable[..., DecodingPool]) -> None:
    pool = open_pool()
    await pool.decode(pictures.PNG)
    assert worker_processes()
    await pool.close()
    assert not worker_processes()


_OWNER = """
import asyncio, sys
from operators.images.decoding_pool import DecodingPool
from schemas.settings import ImageSettings
from tests.images import encoded_pictures as pictures

async def main():
    await DecodingPool(ImageSettings(), 1).decode(pictures.PNG)
    print("decoded", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_workers_end_with_a_process_that_is_killed() -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"decoded\n"
    (worker,) = worker_processes(owner.pid)
    ended = os.pidfd_open(worker)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    try:
        assert select.select([ended], [], [], 20)[0], "the worker outlives its owner"
    finally:
        os.close(ended)
