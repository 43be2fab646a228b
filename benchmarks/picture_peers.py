"""What others would write for product pictures: decode, encode with open_clip, store, publish.

No mapping, no thumbnails, no guard, and at least once. The same encoder, and the same tables with
the same durability as our index on SQLite.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import bytewax.operators as op
import numpy as np
import open_clip
import torch
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow
from numpy.typing import NDArray
from PIL import Image

from benchmarks.peers import run_bytewax

BATCH = 32
AHEAD = 2
"""Batches that the bare loop decodes in threads while the model works."""

Keyed = tuple[str, dict[str, Any]]


class Embedding:
    """The sandbox's encoder, as its library's documentation uses it."""

    def __init__(self) -> None:
        weights = Path(__file__).parents[1] / "sandbox" / "weights" / "clip"
        self._model: Any
        self._prepare: Any
        self._model, _, self._prepare = open_clip.create_model_and_transforms(
            f"local-dir:{weights}"
        )
        self._model.eval()

    def prepare(self, path: str) -> torch.Tensor:
        with Image.open(path) as image:
            return torch.as_tensor(self._prepare(image.convert("RGB")))

    @torch.inference_mode()
    def encode(self, prepared: Sequence[torch.Tensor]) -> NDArray[np.float32]:
        features = self._model.encode_image(torch.stack(list(prepared)))
        return np.asarray(torch.nn.functional.normalize(features, dim=-1), np.float32)


class Store:
    """One transaction per call, synced."""

    def __init__(self, path: Path) -> None:
        self._file = apsw.Connection(str(path))
        for setting in ("page_size=16384", "journal_mode=WAL", "synchronous=FULL"):
            self._file.execute(f"PRAGMA {setting}")
        self._file.execute(
            "CREATE TABLE products(key TEXT PRIMARY KEY, attributes TEXT, vector BLOB) STRICT"
        )

    def put(self, keyed: Sequence[Keyed], vectors: NDArray[np.float32]) -> None:
        with self._file:
            self._file.executemany(
                "INSERT OR REPLACE INTO products VALUES(?, ?, ?)",
                [
                    (key, json.dumps(payload), vector.tobytes())
                    for (key, payload), vector in zip(keyed, vectors, strict=True)
                ],
            )


def path_of(payload: dict[str, Any]) -> str:
    return str(payload["image_link"]).removeprefix("file://")


def bare_loop(paths: Sequence[str], base: Path, first: Callable[[], None]) -> None:
    """Decode and prepare in two threads, encode in batches, store; no Kafka."""
    embedding, store = Embedding(), Store(base / "bare.sqlite")
    first()
    waiting: deque[tuple[Sequence[str], list[Future[torch.Tensor]]]] = deque()

    def finish() -> None:
        batch, futures = waiting.popleft()
        vectors = embedding.encode([future.result() for future in futures])
        store.put([(path, {}) for path in batch], vectors)

    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            waiting.append((batch, [pool.submit(embedding.prepare, path) for path in batch]))
            if len(waiting) > AHEAD:
                finish()
        while waiting:
            finish()


def bytewax(brokers: str, source: str, target: str, base: Path, first: Callable[[], None]) -> None:
    """A flow of stock connectors that collects batches."""
    embedding, store = Embedding(), Store(base / "bytewax.sqlite")
    flow = Dataflow("peer")
    records = kafka.input("in", flow, brokers=[brokers], topics=[source], tail=False).oks
    parsed = op.map(
        "parse", records, lambda m: ((m.key or b"").decode(), json.loads(m.value or b"")["payload"])
    )

    def embed(collected: tuple[str, list[Keyed]]) -> list[tuple[str, NDArray[np.float32]]]:
        first()
        _, batch = collected
        vectors = embedding.encode([embedding.prepare(path_of(payload)) for _, payload in batch])
        store.put(batch, vectors)
        return [(key, vector) for (key, _), vector in zip(batch, vectors, strict=True)]

    keyed = op.key_on("all", parsed, lambda _: "all")
    batches = op.collect("collect", keyed, timedelta(seconds=0.1), BATCH)
    done = op.flat_map("embed", batches, embed)
    out = op.map(
        "out",
        done,
        lambda pair: KafkaSinkMessage(
            pair[0].encode(), json.dumps({"vector": pair[1].tolist()}).encode()
        ),
    )
    kafka.output("to", out, brokers=[brokers], topic=target)
    run_bytewax(flow)
