"""Decodes pictures in processes that can be killed, so no picture can block the flow.

    a picture takes too much processor time   ImageRefused, reason too-slow
    a picture ends three workers              ImageRefused, reason broken
    a worker is stuck or cannot be started    Unavailable, reason decoding: wait

In each case the worker is replaced and the others go on (docs/decisions/119).
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import FileIO

from PIL import Image

from operators.images.decoding_worker import LENGTH_BYTES
from operators.picture import WHOLE, Picture, Wanted
from schemas.errors import ImageRefused, Unavailable
from schemas.settings import ImageSettings

STUCK_SECONDS = 3.0
"""Without any picture decoded while all workers are busy: those waiting get an error. Less than a
look's budget of 5 s, so that a look waits for the decoders instead of being given up."""

WALL_FACTOR = 2.5
"""A worker gets this many times the processor time of a picture; with the default of 8 s it is
found to be stuck before the 30 s of a catalog packet are over."""

WORKER = "operators.images.decoding_worker"

START_SECONDS = 20.0
"""Time in which a new worker must be ready; it takes 0.15 s of processor time."""

MAX_DEATHS = 3
"""Workers that one picture may see die. The first may have been broken by an earlier picture, the
second killed from outside; the third was new, able to run, and had nothing but this picture."""

_PIPE_BYTES = 2**20
"""Of the kernel's buffer; 64 KiB would wake both sides 40 times per picture."""
_KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20),
}
"""glibc then keeps the memory of one picture for the next instead of asking the system again: 41 ms
of processor time instead of 51 for a photograph of 2 megapixels."""
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
"""Of the environment. The others may hold passwords, which untrusted bytes should not be near."""


class DecodingPool:
    """``workers`` decoding processes, started when needed. Use from one event loop."""

    def __init__(self, settings: ImageSettings, workers: int) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(workers, "decode")
        self._free = asyncio.Semaphore(workers)
        self._idle: deque[_Worker] = deque()
        self._moved_at = 0.0
        """Loop time at which a worker was last free."""

    async def decode(self, content: bytes, wanted: Wanted = WHOLE) -> Picture:
        """Raises ImageRefused or Unavailable."""
        await self._wait_for_a_worker()
        decoding = self._threads.submit(self._decode, content, wanted)
        loop = asyncio.get_running_loop()

        def moved(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._release)

        # When the worker is done, which may be long after a caller has given up.
        decoding.add_done_callback(moved)
        return await asyncio.wrap_future(decoding)

    async def close(self) -> None:
        """Stop the workers; pictures that are being decoded are finished first."""
        await asyncio.to_thread(self._threads.shutdown)
        while self._idle:
            self._idle.pop().end()

    def _release(self) -> None:
        self._moved_at = asyncio.get_running_loop().time()
        self._free.release()

    async def _wait_for_a_worker(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._free.locked():
            self._moved_at = loop.time()
        while True:
            try:
                async with asyncio.timeout_at(self._moved_at + STUCK_SECONDS):
                    await self._free.acquire()
                    return
            except TimeoutError:
                if loop.time() >= self._moved_at + STUCK_SECONDS:
                    raise _away(f"no picture was decoded for {STUCK_SECONDS:g} s") from None

    def _decode(self, content: bytes, wanted: Wanted) -> Picture:
        """Blocking: runs in one of as many threads as there are workers."""
        death = ""
        for _ in range(MAX_DEATHS):
            try:
                return self._try(content, wanted)
            except _Died as died:
                death = str(died)
        raise ImageRefused(
            f"the picture ended {MAX_DEATHS} decoding processes ({death})", reason="broken"
        )

    def _try(self, content: bytes, wanted: Wanted) -> Picture:
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker.start(self._settings)
        try:
            picture = worker.decode(content, wanted)
        except ImageRefused:
            if worker.running:
                self._idle.append(worker)
            else:
                worker.end()
            raise
        except BaseException:
            worker.end()
            raise
        self._idle.append(worker)
        return picture


class _Died(Exception):
    """A worker that was ready ended while it decoded."""


class _Worker:
    """One decoding process."""

    def __init__(self, process: subprocess.Popen[bytes], settings: ImageSettings) -> None:
        assert isinstance(process.stdin, FileIO), "an unbuffered pipe"
        assert isinstance(process.stdout, FileIO), "an unbuffered pipe"
        self._process = process
        self._requests, self._answers = process.stdin, process.stdout
        self._cpu_seconds = settings.decode_cpu_seconds
        self._longest_answer = 3 * settings.max_side**2 + 2**16
        for pipe in (self._requests, self._answers):
            os.set_blocking(pipe.fileno(), False)
            if hasattr(fcntl, "F_SETPIPE_SZ"):
                with suppress(OSError):  # more than a user without privileges may have
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    @classmethod
    def start(cls, settings: ImageSettings) -> _Worker:
        """Raises Unavailable."""
        limits = (settings.max_pixels, settings.max_side, settings.decode_cpu_seconds)
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        try:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", WORKER, *map(str, limits)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env={
                    **kept,
                    **_KEEP_MEMORY,
                    "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
                },
            )
        except OSError as error:
            raise _away(f"a decoding process cannot be started: {error}") from error
        worker = cls(process, settings)
        try:
            worker._receive(time.monotonic() + START_SECONDS)
        except (OSError, EOFError):
            worker.end()
            raise _away(f"a decoding process {worker._ending()} at its start") from None
        except Unavailable:
            worker.end()
            raise
        return worker

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def decode(self, content: bytes, wanted: Wanted) -> Picture:
        """Raises ImageRefused, Unavailable or _Died; after the last two the worker is to end."""
        until = time.monotonic() + WALL_FACTOR * self._cpu_seconds
        try:
            self._send(bytes([wanted.reduced, wanted.both_hashes]), until)
            self._send(len(content).to_bytes(LENGTH_BYTES, "big"), until)
            self._send(content, until)
            head, pixels = self._receive(until), self._receive(until)
        except (OSError, EOFError):
            raise self._death() from None
        answer = json.loads(head)
        if "refused" in answer:
            raise ImageRefused(answer["refused"], reason=answer["reason"])
        image = Image.frombytes("RGB", tuple(answer["size"]), pixels)
        return Picture(image, answer["pixel_hash"], answer["blank"], answer["other_hash"])

    def end(self) -> None:
        """End the process at once. It holds nothing that could be lost."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._requests, self._answers):
            with suppress(OSError):
                pipe.close()

    def _send(self, content: bytes, until: float) -> None:
        view = memoryview(content)
        while view:
            self._wait(self._requests, select.POLLOUT, until)
            view = view[self._requests.write(view) or 0 :]

    def _receive(self, until: float) -> bytearray:
        size = int.from_bytes(self._read(LENGTH_BYTES, until), "big")
        if size > self._longest_answer:
            raise OSError("not an answer")
        return self._read(size, until)

    def _read(self, size: int, until: float) -> bytearray:
        content = bytearray(size)
        view = memoryview(content)
        while view:
            self._wait(self._answers, select.POLLIN, until)
            count = self._answers.readinto(view)
            if count == 0:
                raise EOFError
            view = view[count or 0 :]
        return content

    def _wait(self, pipe: FileIO, event: int, until: float) -> None:
        poll = select.poll()
        poll.register(pipe, event)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise _away("a decoding process does not answer")

    def _death(self) -> Exception:
        self._process.kill()  # does not change how it ended, if it has
        if self._process.wait() == -signal.SIGPROF:
            return ImageRefused(
                f"decoding takes more than {self._cpu_seconds:g} s of processor time",
                reason="too-slow",
            )
        return _Died(self._ending())

    def _ending(self) -> str:
        code = self._process.wait()
        return f"ended with {code}" if code >= 0 else f"ended by {signal.Signals(-code).name}"


def _away(why: str) -> Unavailable:
    return Unavailable(f"decoding of pictures: {why}", reason="decoding")
