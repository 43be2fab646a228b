"""Reading a model's answers: whole, cut off, wrong, or nonsense."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.models.vlm.answers import LookDescription, Order, Reader, schema_of
from operators.models.vlm.prompts import FOLDER, Prompts
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.errors import Misconfigured, Unavailable

TAXONOMY = Taxonomy.load()


def reading() -> tuple[Reader, Counter[str]]:
    repairs: Counter[str] = Counter()
    return Reader(TAXONOMY, lambda kind: repairs.update([kind])), repairs


def layers(*given_: dict[str, object]) -> str:
    return json.dumps({"layers": list(given_)})


TOP = {"layer": "top", "query": "red striped t-shirt with white stripes"}
SHOES = {"layer": "footwear", "query": "white sneakers", "colour": "white", "fabric": "leather"}


def test_a_whole_answer_needs_no_repair() -> None:
    reader, repairs = reading()
    found = reader.description(layers(TOP, SHOES))
    assert list(found) == [Department.TOP, Department.FOOTWEAR]
    assert found[Department.TOP].query == TOP["query"]
    assert found[Department.FOOTWEAR].attributes["fabric"] == "leather"
    assert not repairs


def test_what_is_compared_later_is_read_from_the_query() -> None:
    reader, _ = reading()
    attributes = reader.description(layers(TOP))[Department.TOP].attributes
    assert attributes["category"] == "t-shirt"
    assert attributes["colour"] == "red"
    assert attributes["pattern"] == "striped"


def test_a_value_in_other_words_becomes_ours() -> None:
    reader, _ = reading()
    told = layers({"layer": "top", "query": "a shirt", "category": "tee", "colour": "crimson-ish"})
    attributes = reader.description(told)[Department.TOP].attributes
    assert attributes["category"] == "t-shirt"
    assert "colour" not in attributes


@pytest.mark.parametrize(
    ("answer", "kept", "repairs"),
    [
        (layers(TOP, {**TOP, "query": "another"}), ["top"], {"repeated-layer": 1}),
        (layers(TOP, {"layer": "cape", "query": "a cape"}), ["top"], {"invented-layer": 1}),
        (layers(TOP, {"layer": "bag"}), ["top"], {"missing-query": 1}),
        (layers(TOP, {"layer": "bag", "query": "  "}), ["top"], {"missing-query": 1}),
        (layers(TOP, SHOES)[:-20], ["top", "footwear"], {"truncated": 1}),
        (layers(TOP, SHOES)[:115], ["top"], {"truncated": 1, "missing-query": 1}),
        (f"Sure!\n```json\n{layers(TOP)}\n```", ["top"], {}),
        (layers(), [], {}),
    ],
)
def test_repairs_are_counted(answer: str, kept: list[str], repairs: dict[str, int]) -> None:
    reader, counted = reading()
    assert [str(d) for d in reader.description(answer)] == kept
    assert counted == repairs


@pytest.mark.parametrize("answer", ["", "no idea", "[]", "{}", '{"layers": 3}', '{"layers": [1]}'])
def test_an_answer_without_layers_is_none(answer: str) -> None:
    reader, _ = reading()
    with pytest.raises(Unavailable, match="cannot be used"):
        reader.description(answer)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
odd_layers = st.fixed_dictionaries(
    {},
    optional={
        "layer": st.sampled_from([*map(str, Department), "cape", "TOP"]) | values,
        "query": st.text(max_size=20) | values,
        "colour": st.sampled_from(["red", "Rot", ""]) | values,
    },
)


@given(given_=st.lists(odd_layers | values, max_size=5), cut=st.integers(0, 400))
def test_nothing_is_made_up(given_: list[object], cut: int) -> None:
    reader, _ = reading()
    answer = json.dumps({"layers": given_})[: max(1, cut)]
    try:
        found = reader.description(answer)
    except Unavailable:
        return
    told = [layer for layer in given_ if isinstance(layer, dict)]
    for department, description in found.items():
        sources = [layer for layer in told if layer.get("layer") == department]
        assert any(
            isinstance(layer.get("query"), str)
            and description.query == " ".join(layer["query"].split())
            for layer in sources
        )


@given(text=st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    reader, _ = reading()
    for read in (reader.description, lambda answer: reader.order(answer, 3)):
        with suppress(Unavailable):
            read(text)


def test_an_order_becomes_scores() -> None:
    reader, repairs = reading()
    assert reader.order('{"order": [2, 1, 4, 3]}', 4) == [0.75, 1.0, 0.25, 0.5]
    assert not repairs


def test_an_order_is_repaired() -> None:
    reader, repairs = reading()
    scores = reader.order('{"order": [2, 2, 9, 0, true, 1]}', 3)
    assert scores == [pytest.approx(2 / 3), 1.0, None]
    assert repairs == {"repeated-number": 1, "invented-number": 3, "missing-number": 1}


@given(order=st.lists(st.integers(-2, 12), max_size=12), candidates=st.integers(1, 10))
def test_scores_keep_the_order_that_was_told(order: list[int], candidates: int) -> None:
    reader, _ = reading()
    named = list(dict.fromkeys(n for n in order if 1 <= n <= candidates))
    try:
        scores = reader.order(json.dumps({"order": order}), candidates)
    except Unavailable:
        assert not named
        return
    told = [n + 1 for n, score in enumerate(scores) if score is not None]
    assert sorted(told, key=lambda n: -(scores[n - 1] or 0)) == named


def test_the_schemas_name_every_layer_and_nothing_else() -> None:
    schema = schema_of(LookDescription)
    assert schema["$defs"]["Department"]["enum"] == [str(d) for d in Department]
    assert schema["$defs"]["DescribedLayer"]["additionalProperties"] is False
    assert schema_of(Order)["required"] == ["order"]


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_every_set_of_prompts_is_whole(name: str) -> None:
    prompts = Prompts.load(name)
    asked = prompts.asking(prompts.pointwise, "a {colour} top")
    assert "a {colour} top" in asked
    assert "{query}" not in asked
    assert prompts.describe
    assert prompts.likelihood
    assert "{query}" in prompts.listwise


def test_an_example_in_a_prompt_is_an_answer() -> None:
    reader, repairs = reading()
    example = Prompts.load("general-1").describe.rsplit("\n", 1)[-1]
    assert len(reader.description(example)) == 3
    LookDescription.model_validate_json(example)
    assert not repairs


def test_a_set_that_is_not_there_is_named() -> None:
    with pytest.raises(Misconfigured, match="general-1, sandbox-1"):
        Prompts.load("general-9")
