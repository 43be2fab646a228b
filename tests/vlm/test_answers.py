"""Parsing a model's answers: complete, truncated, wrong, or nonsense."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.models.vlm.answers import (
    AnswerParser,
    LocatedLookDescription,
    LookDescription,
    Order,
    description_type,
    schema_of,
)
from operators.models.vlm.prompts import FOLDER, Prompts, fill_in
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.errors import Misconfigured, Unavailable
from schemas.looks import Region

TAXONOMY = Taxonomy.load()


def counting_parser() -> tuple[AnswerParser, Counter[str]]:
    repairs: Counter[str] = Counter()
    return AnswerParser(TAXONOMY, lambda kind: repairs.update([kind])), repairs


def layers(*given_: Mapping[str, object]) -> str:
    return json.dumps({"layers": list(given_)})


TOP = {"layer": "top", "query": "red striped t-shirt with white stripes"}
SHORTS_AS_HAT = {"layer": "headwear", "query": "black shorts"}
JEANS = {"layer": "bottom", "query": "blue jeans"}
SHOES = {"layer": "footwear", "query": "white sneakers", "colour": "white", "fabric": "leather"}


def test_a_complete_answer_needs_no_repair() -> None:
    parser, repairs = counting_parser()
    found = parser.parse_description(layers(TOP, SHOES))
    assert list(found) == [Department.TOP, Department.FOOTWEAR]
    assert found[Department.TOP].query == TOP["query"]
    assert found[Department.FOOTWEAR].attributes["fabric"] == "leather"
    assert not repairs


def test_compared_attributes_are_read_from_the_query() -> None:
    parser, _ = counting_parser()
    attributes = parser.parse_description(layers(TOP))[Department.TOP].attributes
    assert attributes["category"] == "t-shirt"
    assert attributes["colour"] == "red"
    assert attributes["pattern"] == "striped"


@pytest.mark.parametrize(
    ("layer", "second_colour"),
    [
        (TOP, "white"),
        (TOP | {"second_colour": "Navy Blue"}, "navy"),
        (TOP | {"second_colour": "red"}, "white"),
        (TOP | {"second_colour": "of the sea"}, "white"),
        (TOP | {"query": "red striped t-shirt"}, None),
        (TOP | {"query": "red t-shirt with white buttons", "pattern": "plain"}, None),
        (JEANS | {"second_colour": "white"}, None),
    ],
)
def test_a_pattern_has_a_second_colour(layer: dict[str, str], second_colour: str | None) -> None:
    parser, _ = counting_parser()
    (description,) = parser.parse_description(layers(layer)).values()
    assert description.attributes.get("second_colour") == second_colour


def test_synonyms_become_the_taxonomys_labels() -> None:
    parser, _ = counting_parser()
    answer = layers(
        {"layer": "top", "query": "a shirt", "category": "tee", "colour": "crimson-ish"}
    )
    attributes = parser.parse_description(answer)[Department.TOP].attributes
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
        (layers(TOP, SHORTS_AS_HAT), ["top", "bottom"], {"misplaced-layer": 1}),
        (layers(SHORTS_AS_HAT, JEANS), ["bottom"], {"misplaced-layer": 1}),
    ],
)
def test_repairs_are_counted(answer: str, kept: list[str], repairs: dict[str, int]) -> None:
    parser, counted = counting_parser()
    assert [str(d) for d in parser.parse_description(answer)] == kept
    assert counted == repairs


@pytest.mark.parametrize("answer", ["", "no idea", "[]", "{}", '{"layers": 3}', '{"layers": [1]}'])
def test_an_answer_without_layers_is_refused(answer: str) -> None:
    parser, _ = counting_parser()
    with pytest.raises(Unavailable, match="cannot be used"):
        parser.parse_description(answer)


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
def test_repairs_invent_nothing(given_: list[object], cut: int) -> None:
    parser, _ = counting_parser()
    answer = json.dumps({"layers": given_})[: max(1, cut)]
    try:
        found = parser.parse_description(answer)
    except Unavailable:
        return
    answered = [layer for layer in given_ if isinstance(layer, dict)]
    for department, description in found.items():
        sources = [layer for layer in answered if layer.get("layer") == department]
        assert any(
            isinstance(layer.get("query"), str)
            and description.query == " ".join(layer["query"].split())
            for layer in sources
        )


@given(text=st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    parser, _ = counting_parser()
    for parse in (parser.parse_description, lambda answer: parser.parse_order(answer, 3)):
        with suppress(Unavailable):
            parse(text)


def test_an_order_becomes_scores() -> None:
    parser, repairs = counting_parser()
    assert parser.parse_order('{"order": [2, 1, 4, 3]}', 4) == [0.75, 1.0, 0.25, 0.5]
    assert not repairs


def test_an_order_is_repaired() -> None:
    parser, repairs = counting_parser()
    scores = parser.parse_order('{"order": [2, 2, 9, 0, true, 1.0, [3], null, 1]}', 3)
    assert scores == [pytest.approx(2 / 3), 1.0, None]
    assert repairs == {"repeated-number": 1, "invented-number": 6, "missing-number": 1}


@given(order=st.lists(st.integers(-2, 12), max_size=12), candidates=st.integers(1, 10))
def test_scores_follow_the_given_order(order: list[int], candidates: int) -> None:
    parser, _ = counting_parser()
    named = list(dict.fromkeys(n for n in order if 1 <= n <= candidates))
    try:
        scores = parser.parse_order(json.dumps({"order": order}), candidates)
    except Unavailable:
        assert not named
        return
    scored = [n + 1 for n, score in enumerate(scores) if score is not None]
    assert sorted(scored, key=lambda n: -(scores[n - 1] or 0)) == named


def test_the_schemas_permit_exactly_the_known_layers() -> None:
    schema = schema_of(LookDescription)
    assert schema["$defs"]["Department"]["enum"] == [str(d) for d in Department]
    assert schema["$defs"]["DescribedLayer"]["additionalProperties"] is False
    assert schema_of(Order)["required"] == ["order"]


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_every_set_of_prompts_is_complete(name: str) -> None:
    prompts = Prompts.load(name)
    prompt = fill_in(prompts.pointwise, "a {colour} top")
    assert "a {colour} top" in prompt
    assert "{query}" not in prompt
    assert prompts.describe
    assert prompts.likelihood
    assert "{query}" in prompts.listwise


def test_the_example_in_a_prompt_is_a_valid_answer() -> None:
    parser, repairs = counting_parser()
    example = Prompts.load("general-3").describe.rsplit("\n", 1)[-1]
    described = parser.parse_description(example)
    assert len(described) == 3
    assert described[Department.TOP].region == Region(x0=0.31, y0=0.18, x1=0.69, y1=0.52)
    LocatedLookDescription.model_validate_json(example)
    assert not repairs


def test_only_models_that_are_asked_for_boxes_have_to_give_them() -> None:
    with_boxes = schema_of(description_type(boxes=True))["$defs"]["LocatedLayer"]
    without = schema_of(description_type(boxes=False))["$defs"]["DescribedLayer"]
    assert with_boxes["required"] == ["layer", "query", "box"]
    assert "box" not in without["properties"]


@pytest.mark.parametrize(
    "box",
    [
        [0, 0, 0, 10],
        [10, 10, 5, 20],
        [0, 0, 1001, 10],
        [-1, 0, 10, 10],
        [0, 0, 10],
        [0.1, 0.1, 0.5, 0.5],
        [True, 0, 10, 10],
        "0,0,10,10",
        {"x0": 0},
    ],
)
def test_a_box_that_is_not_in_the_picture_is_left_out(box: object) -> None:
    parser, repairs = counting_parser()
    answer = json.dumps({"layers": [{"layer": "top", "query": "red shirt", "box": box}]})
    assert parser.parse_description(answer)[Department.TOP].region is None
    assert repairs == {"invalid-box": 1}


@given(corners=st.lists(st.integers(0, 1000), min_size=4, max_size=4))
def test_every_box_in_the_picture_is_a_region(corners: list[int]) -> None:
    parser, _ = counting_parser()
    answer = json.dumps({"layers": [{"layer": "top", "query": "red shirt", "box": corners}]})
    region = parser.parse_description(answer)[Department.TOP].region
    x0, y0, x1, y1 = corners
    assert (region is not None) == (x0 < x1 and y0 < y1)
    if region is not None:
        found = (region.x0, region.y0, region.x1, region.y1)
        assert found == tuple(corner / 1000 for corner in corners)


def test_an_unknown_set_of_prompts_is_refused() -> None:
    with pytest.raises(Misconfigured, match="general-3, sandbox-1"):
        Prompts.load("general-9")


def test_of_two_layers_of_a_department_the_one_named_there_is_kept() -> None:
    parser, _ = counting_parser()
    found = parser.parse_description(layers(SHORTS_AS_HAT, JEANS))
    assert found[Department.BOTTOM].query == "blue jeans"
