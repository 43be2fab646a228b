"""A vector search of Weaviate, its reply read without detours.

The client turns each vector into a list of Python numbers and tries every type on every property:
more time than the server's own. So its request goes out by its own connection, and the reply is
read here. That touches parts of the client that it does not promise (`_query`, `_connection`); they
are used in this file only, and the contract suite runs on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from weaviate.classes.query import MetadataQuery
from weaviate.collections.classes.filters import _Filters as WeaviateFilter

from operators.ports import Candidate
from operators.stores.weaviate.objects import from_properties


async def nearest(
    query: Any, vector: Sequence[float], conditions: WeaviateFilter | None, limit: int
) -> list[Candidate]:
    """The ``limit`` nearest, with their vectors, in the server's order.

    ``query``: a collection's ``query``. Raises what the client raises.
    """
    request = query._query.near_vector(
        near_vector=vector,
        filters=conditions,
        limit=limit,
        return_metadata=query._parse_return_metadata(MetadataQuery(distance=True), True),
        return_properties=query._parse_return_properties(None),
        return_references=None,
    )
    reply = await query._connection.grpc_search(request)
    return [_candidate(result) for result in reply.results]


def _candidate(result: Any) -> Candidate:
    stored = {name: _value(value) for name, value in result.properties.non_ref_props.fields.items()}
    key, attributes = from_properties(stored)
    metadata = result.metadata
    packed = metadata.vectors[0].vector_bytes if metadata.vectors else metadata.vector_bytes
    return Candidate(
        key=key,
        similarity=1.0 - metadata.distance,
        attributes=attributes,
        vector=np.frombuffer(packed, dtype="<f4"),
    )


def _value(value: Any) -> Any:
    match value.WhichOneof("kind"):
        case "text_value":
            return value.text_value
        case "int_value":
            return value.int_value
        case "list_value":
            return list(value.list_value.text_values.values)
        case _:
            return None
