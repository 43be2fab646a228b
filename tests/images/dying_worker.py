"""A decoding process that its input can terminate in the ways that decoders have been seen to.

b"signal 9"   by this signal
b"exit 3"     by itself
"""

from __future__ import annotations

import os
import sys

from operators.images import decoding_worker
from operators.images.decode import decode
from operators.picture import Picture


def _die_or_decode(
    content: bytes, *, max_pixels: int, max_side: int, reduced: bool = False
) -> Picture:
    how, _, number = content[:16].partition(b" ")
    if how == b"signal":
        os.kill(os.getpid(), int(number))
    if how == b"exit":
        os._exit(int(number))
    return decode(content, max_pixels=max_pixels, max_side=max_side, reduced=reduced)


if __name__ == "__main__":
    setattr(decoding_worker, "decode", _die_or_decode)  # noqa: B010 mypy minds assigning it
    decoding_worker.main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
