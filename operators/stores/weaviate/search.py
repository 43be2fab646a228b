"""A vector search in Weaviate that parses the gRPC reply itself.

The client converts each vector to a list of Python numbers and tries every type on every property,
which takes longer than the search. Here the client only builds and sends the request. This uses
private attributes of the client (`_query`, `_connection`), in this file only; the contract suite
covers them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from weaviate.classes.query import MetadataQuery
from weaviate.collections.classes.filters import _Filters as WeaviateFilter

from operators.ports import Candidate
from operators.stores.index_writes import validate_vector
from operators.stores.weaviate.objects import from_properties, read_or_leave_out

ROUNDING = 1e-3
"""Of a distance; in single precision, or of vectors that the server has compressed."""

MAX_TIES = 512
"""A search reads up to this many more objects than requested while their similarity is equal, to
order them by key; a shop rarely has more items with one picture."""


async def nearest(
    query: Any, vector: Sequence[float], conditions: WeaviateFilter | None, limit: int
) -> list[Candidate]:
    """The ``limit`` nearest objects with their vectors, in the server's order, without those that
    cannot be read.

    ``query``: the ``query`` of a collection. Raises the client's errors.
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
    read = partial(_candidate, dimension=len(vector))
    found = (read_or_leave_out(read, result) for result in reply.results)
    return [candidate for candidate in found if candidate is not None]


def _candidate(result: Any, dimension: int) -> Candidate:
    """Raises ValueError or KeyError for an object that is not a product."""
    stored = {name: _value(value) for name, value in result.properties.non_ref_props.fields.items()}
    key, attributes = from_properties(stored)
    metadata = result.metadata
    packed = metadata.vectors[0].vector_bytes if metadata.vectors else metadata.vector_bytes
    if not -ROUNDING <= metadata.distance <= 2 + ROUNDING:  # also true for nan
        raise ValueError(f"the distance is {metadata.distance}, not one of cosines")
    return Candidate(
        key=key,
        similarity=1.0 - metadata.distance,
        attributes=attributes,
        vector=validate_vector(np.frombuffer(packed, dtype="<f4"), dimension),
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
