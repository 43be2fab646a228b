"""One vendor's hostile pictures on the running flow: they cost that vendor's products only."""

from __future__ import annotations

import pytest

from tests.flows.small_catalog import SmallCatalog
from tests.images import encoded_pictures as pictures
from tests.images import hostile_structures as hostile

pytestmark = pytest.mark.slow

HOSTILE = {
    "scans": (hostile.jpeg_of_scans(6320, 4000), "too-complex"),
    "segments": (hostile.jpeg_of_segments(20_000), "too-complex"),
    "chunks": (hostile.png_of_chunks(20_000), "too-complex"),
    "cut": (pictures.JPEG[: len(pictures.JPEG) // 2], "broken"),
    "text": (b"<html>no picture</html>", "html"),
}
COPIES = 6
"""More than there are decoding workers."""


def test_hostile_pictures_wait_and_all_others_are_created(catalog: SmallCatalog) -> None:
    good = catalog.picture("good", "red")
    for name, (content, _) in HOSTILE.items():
        for copy in range(COPIES):
            path = catalog.folder / f"{name}-{copy}.jpg"
            path.write_bytes(content)
            catalog.send(f"{name}-{copy}", 1, pictures=[path.as_uri()])
            catalog.send(f"good-{name}-{copy}", 1, pictures=[good])
    assert catalog.run_once() == 0

    entries = catalog.entries()
    assert len(entries) == 2 * COPIES * len(HOSTILE)
    for key, entry in entries.items():
        kind = key.removeprefix("shop:").partition("-")[0]
        if kind == "good":
            assert (entry.indexed, entry.picture_pending) == (True, None), key
        else:
            assert entry.picture_pending is not None, key
            assert (entry.indexed, entry.picture_pending.reason) == (False, HOSTILE[kind][1]), key
