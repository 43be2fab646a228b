"""A decoding process: reads encoded pictures from its input and writes decoded ones to its output.

    python -m operators.images.decoding_worker MAX_PIXELS MAX_SIDE CPU_SECONDS

:mod:`operators.images.decoding_pool` starts it and talks to it. The system ends it when a picture
takes more than CPU_SECONDS of processor time, whatever library is at work; it ends itself when its
input does, so that no worker outlives the process it decodes for.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from functools import partial
from io import FileIO
from typing import Any

from operators.images.decode import decode
from operators.picture import Picture
from schemas.errors import ImageRefused

LENGTH_BYTES = 8
"""Each message is preceded by its length, big-endian."""

WANTED_BYTES = 2
"""Before each picture: whether it is wanted reduced, and whether both hashes are (0 or 1 each)."""

READY = b"ready"
"""The first message of a worker. One that dies after it did so at a picture."""

_FIXED_BYTES = 256 * 2**20
_BYTES_PER_PIXEL = 16
"""A decoder's own copies in full size: coefficients of a progressive JPEG (6 bytes per pixel),
Pillow's pixels (4) and those of the picture without its palette (4)."""


def main(max_pixels: int, max_side: int, cpu_seconds: float) -> None:
    """Decode until the input ends; the limits are explained in ImageSettings."""
    # Whoever stops the flow by the terminal or by its group of processes lets it drain first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    memory = _FIXED_BYTES + _BYTES_PER_PIXEL * max_pixels
    _, allowed = resource.getrlimit(resource.RLIMIT_DATA)
    if allowed == resource.RLIM_INFINITY or memory < allowed:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests, answers = FileIO(0), io.BufferedWriter(FileIO(os.dup(1), "w"))
    os.dup2(2, 1)  # whatever a library prints is no answer
    decode_one = partial(decode, max_pixels=max_pixels, max_side=max_side)
    _write_message(answers, READY)
    answers.flush()
    while (wanted := _read(requests, WANTED_BYTES)) is not None:
        content = _read_message(requests)
        if content is None:
            return
        reduced, both_hashes = map(bool, wanted)
        # For both hashes the picture is decoded twice.
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds * (1 + both_hashes))
        head, pixels = _answer(bytes(content), decode_one, reduced, both_hashes)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for part in (json.dumps(head).encode(), pixels):
            _write_message(answers, part)
        answers.flush()


def _write_message(answers: io.BufferedWriter[FileIO], content: bytes) -> None:
    answers.write(len(content).to_bytes(LENGTH_BYTES, "big"))
    answers.write(content)


def _read_message(stream: FileIO) -> bytearray | None:
    """The next message; None when ``stream`` ended before it was complete."""
    length = _read(stream, LENGTH_BYTES)
    return None if length is None else _read(stream, int.from_bytes(length, "big"))


def _read(stream: FileIO, size: int) -> bytearray | None:
    content = bytearray(size)
    view = memoryview(content)
    while view:
        count = stream.readinto(view)
        if not count:
            return None
        view = view[count:]
    return content


def _answer(
    content: bytes, decode_one: Callable[..., Picture], reduced: bool, both_hashes: bool
) -> tuple[dict[str, Any], bytes]:
    other_hash: str | None = None
    try:
        if both_hashes:
            other_hash = decode_one(content, reduced=not reduced).pixel_hash
        picture = decode_one(content, reduced=reduced)
    except ImageRefused as error:
        return {"refused": str(error), "reason": error.reason}, b""
    except MemoryError:
        return {"refused": "decoding takes too much memory", "reason": "too-complex"}, b""
    except Exception as error:
        # A worker that ended here would be replaced for each such picture.
        return {"refused": f"the picture cannot be decoded: {error}", "reason": "broken"}, b""
    head = {
        "size": picture.image.size,
        "pixel_hash": picture.pixel_hash,
        "blank": picture.blank,
        "other_hash": other_hash,
    }
    return head, picture.image.tobytes()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
