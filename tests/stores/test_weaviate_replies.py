"""Searches leave out objects in the reply that are not products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from weaviate.proto.v1 import properties_pb2, search_get_pb2

from operators.stores.weaviate.search import nearest

GOOD = {"key": "shop:1", "gender": "?", "in_stock": 1}
UNIT = np.asarray([0.6, 0.8], "<f4").tobytes()


def stored(
    properties: dict[str, Any], packed: bytes = UNIT, distance: float = 0.25
) -> search_get_pb2.SearchResult:
    fields = {
        name: properties_pb2.Value(text_value=value)
        if isinstance(value, str)
        else properties_pb2.Value(int_value=value)
        for name, value in properties.items()
    }
    return search_get_pb2.SearchResult(
        properties=search_get_pb2.PropertiesResult(
            non_ref_props=properties_pb2.Properties(fields=fields)
        ),
        metadata=search_get_pb2.MetadataResult(vector_bytes=packed, distance=distance),
    )


class Query:
    """The parts of the client's query object that a search uses, with a canned reply."""

    def __init__(self, *results: search_get_pb2.SearchResult) -> None:
        self._reply = search_get_pb2.SearchReply(results=results)
        self._query = self
        self._connection = self

    def near_vector(self, **_: object) -> None: ...

    def _parse_return_metadata(self, *_: object) -> None: ...

    def _parse_return_properties(self, *_: object) -> None: ...

    async def grpc_search(self, _request: object) -> search_get_pb2.SearchReply:
        return self._reply


@pytest.mark.parametrize(
    "broken",
    [
        stored({}),
        stored({**GOOD, "key": ""}),
        stored({**GOOD, "key": 7}),
        stored({"key": "shop:2", "in_stock": 1}),
        stored({"key": "shop:2", "gender": "?"}),
        stored(GOOD, packed=b""),
        stored(GOOD, packed=UNIT[:7]),
        stored(GOOD, packed=UNIT + UNIT),
        stored(GOOD, packed=np.asarray([math.nan, 1], "<f4").tobytes()),
        stored(GOOD, packed=np.zeros(2, "<f4").tobytes()),
        stored(GOOD, distance=math.nan),
        stored(GOOD, distance=math.inf),
        stored(GOOD, distance=-1e30),
        stored(GOOD, distance=2.1),
        stored({**GOOD, "in_stock": 2}),
        stored({**GOOD, "in_stock": "yes"}),
        stored({**GOOD, "gender": 1}),
        stored({**GOOD, "category": 7}),
        stored({**GOOD, "sizes": "M"}),
        stored({**GOOD, "price_bucket": -1}),
        stored({**GOOD, "price_bucket": "cheap"}),
    ],
)
async def test_an_object_that_is_not_a_product_is_left_out_of_the_search(
    broken: search_get_pb2.SearchResult,
) -> None:
    (found,) = await nearest(Query(broken, stored(GOOD)), [0.6, 0.8], None, 10)
    assert (found.key, found.similarity) == ("shop:1", 0.75)
