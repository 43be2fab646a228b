"""The names that a path reads: without them, a payload says no more than an empty one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import load_mappings
from operators.catalog.paths import FieldPath
from schemas.catalog import Packet, PacketKind
from tests.catalog.small_shop import MAPPING, mapping_of

NAMES = ("a", "b", "c")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=6,
)
SHIPPED = sorted(
    {path.text for mapping in load_mappings().values() for path in mapping.paths()}
    | {
        "a",
        "a.b || c",
        "a[0].b",
        "a[?b=='x'].c",
        "a[].b",
        "a.*",
        "*",
        "@",
        "'x'",
        "[a, b]",
        "{x: a, y: b}",
        "a && b",
        "!a",
        "a == b",
        "a | @",
        "a | 'x'",
        "length(a)",
        "length(@)",
        "keys(@)",
        "not_null(a, 'x')",
        "sort_by(a, &b)[0].c",
        "map(&b, a)",
        "a[1:]",
        "join('-', [a, b][?@])",
    }
)


def found(path: FieldPath, payload: dict[str, Any]) -> object:
    try:
        return path.find(payload)
    except JMESPathError:
        return JMESPathError


@settings(max_examples=400, deadline=None)
@given(
    text=st.sampled_from(SHIPPED),
    payload=st.dictionaries(
        st.sampled_from([*NAMES, "variant", "price", "SKU", "item", "hasVariant"]), VALUES
    ),
)
def test_without_its_names_a_path_finds_what_it_finds_in_nothing(
    text: str, payload: dict[str, Any]
) -> None:
    path = FieldPath.of(text)
    if path.roots is not None:
        others = {name: value for name, value in payload.items() if name not in path.roots}
        assert found(path, others) == found(path, {})


@pytest.mark.parametrize(
    ("text", "roots"),
    [
        ("a.b.c", {"a"}),
        ("a.b || c", {"a", "c"}),
        ("[a, b || c][?@]", {"a", "b", "c"}),
        ("a | b", {"a"}),
        ("'x'", set()),
        ("@", None),
        ("*.a", None),
        ("length(@)", None),
    ],
)
def test_the_names_that_a_path_reads(text: str, roots: set[str] | None) -> None:
    assert FieldPath.of(text).roots == roots


def test_a_patch_sets_a_field_that_a_constant_path_always_finds() -> None:
    """Whatever the patch carries: an empty payload says it, too."""
    mapping = mapping_of(MAPPING.replace('brand = "brand"', "brand = \"brand || 'Own'\""))
    patch = Packet(
        vendor="shop", product_id="1", kind=PacketKind.PATCH, version=1, payload={"stock": 1}
    )
    assert map_packet(patch, mapping).update.model_fields_set == {"brand", "stock"}
