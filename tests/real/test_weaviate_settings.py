"""Server settings that the guarantees depend on."""

from __future__ import annotations

from pathlib import Path

import pytest

from operators.stores.probes import probe_weaviate
from operators.stores.weaviate.async_indexing import refuse_async_indexing
from operators.stores.weaviate.connection import WeaviateConnection
from schemas.errors import Misconfigured
from tests.real.own_servers import own_weaviate
from tests.real.real_servers import RealWeaviate
from tests.real.weaviate_indexes import index_settings

pytestmark = pytest.mark.services


async def test_a_server_that_writes_before_it_acknowledges_is_accepted(
    weaviate: RealWeaviate,
) -> None:
    settings = index_settings(weaviate)
    connection = await WeaviateConnection.open(settings)
    for _ in range(2):
        await refuse_async_indexing(connection, settings)
    await connection.close()


async def test_a_server_that_acknowledges_before_it_writes_is_refused(tmp_path: Path) -> None:
    with own_weaviate(tmp_path / "weaviate", ASYNC_INDEXING="true") as server:
        settings = index_settings(server)
        connection = await WeaviateConnection.open(settings)
        with pytest.raises(Misconfigured, match="ASYNC_INDEXING"):
            await refuse_async_indexing(connection, settings)
        with pytest.raises(Misconfigured, match="ASYNC_INDEXING"):
            await probe_weaviate(connection, settings)
        await connection.close()
