"""A Weaviate node for a benchmark, and clustered vectors like those of products."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devservers.weaviate import provision_weaviate, weaviate_server
from schemas.settings import BatchSettings, IndexSettings
from services.processes import free_port

HOME = Path(__file__).parents[1] / "var" / "services"


@contextmanager
def weaviate_node() -> Iterator[IndexSettings]:
    """Start a server; yield index settings with a unique alias on it."""
    with tempfile.TemporaryDirectory() as name:
        grpc_port = free_port()
        made = provision_weaviate(HOME)
        with weaviate_server(made, Path(name), free_port(), grpc_port) as server:
            yield IndexSettings(
                kind="weaviate",
                url=server.address,
                grpc_port=grpc_port,
                alias=f"Bench_{uuid.uuid4().hex[:8]}",
                read_seconds=30,
                write_seconds=60,
                writes=BatchSettings(max_size=256, max_wait_ms=1.0),
            )


def clustered(
    many: int, dimension: int, clusters: int, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw ``many`` unit vectors around ``clusters`` centres, at a cosine of about 0.7.

    Returns the vectors, (many, dimension) float32, and the cluster of each, (many,) int64.
    """
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((clusters, dimension))
    cluster = rng.integers(0, clusters, many)
    drawn = centres[cluster] + rng.standard_normal((many, dimension))
    unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit.astype(np.float32), cluster
