"""How long a job's packets wait for each of the catalog's parts."""

from __future__ import annotations

import inspect
import time
from dataclasses import replace
from typing import Any, cast

from operators.catalog.parts import CatalogParts
from operators.ports import BatchLedger, ImageTextEncoder, PictureSource, Thumbnails, VectorStore


def timed(parts: CatalogParts, seconds: dict[str, float]) -> CatalogParts:
    """``parts`` whose calls add to ``seconds``, by stage and summed over all packets in flight.

    Divided by the job's seconds: how many packets were in the stage at a time, on average.
    """
    return replace(
        parts,
        pictures=cast(PictureSource, _Timed(parts.pictures, "pictures", seconds)),
        encoder=cast(ImageTextEncoder, _Timed(parts.encoder, "encoder", seconds)),
        index=cast(VectorStore, _Timed(parts.index, "index", seconds)),
        ledger=cast(BatchLedger, _Timed(parts.ledger, "ledger", seconds)),
        thumbnails=cast(Thumbnails, _Timed(parts.thumbnails, "thumbnails", seconds)),
    )


class _Timed:
    """A part whose coroutines are timed; everything else is passed on."""

    def __init__(self, part: Any, stage: str, seconds: dict[str, float]) -> None:
        self._part = part
        self._stage = stage
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*arguments: Any) -> Any:
            started = time.perf_counter()
            try:
                return await found(*arguments)
            finally:
                spent = time.perf_counter() - started
                self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + spent

        return call
