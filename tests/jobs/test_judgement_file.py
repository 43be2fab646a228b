"""Reading a file of judged pairs: every line is a judgement, or says why it is none."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.jobs import judgement_file
from dataflows.jobs.judgement_file import Context, Unused, read_judgements, summarise
from schemas.attributes import Department, Gender
from schemas.errors import InvalidFile
from schemas.judgements import Judgement, Verdict

GOOD = {"picture": "look.jpg", "layer": "top", "product": "elm:T-1", "verdict": "same"}


def line(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def write(folder: Path, *lines: bytes) -> Path:
    file = folder / "judged.jsonl"
    file.write_bytes(b"\n".join(lines))
    return file


def test_judgements_are_gathered_by_look(tmp_path: Path) -> None:
    found = read_judgements(
        write(
            tmp_path,
            line(),
            line(product="elm:T-2", verdict="similar"),
            line(layer="bottom", market="DE", gender="female"),
        )
    )
    picture = str(tmp_path / "look.jpg")
    plain, with_market = found.looks
    assert plain == Context(picture, None, None)
    assert with_market == Context(picture, "DE", Gender.FEMALE)
    said = [(one.line, one.layer, one.product, one.verdict) for one in found.looks[plain]]
    assert said == [
        (1, Department.TOP, "elm:T-1", "same"),
        (2, Department.TOP, "elm:T-2", "similar"),
    ]
    assert found.unused == []


@pytest.mark.parametrize(
    ("picture", "meant"),
    [
        ("look.jpg", "{}/look.jpg"),
        ("./looks/../look.jpg", "{}/look.jpg"),
        ("../look.jpg", "{}/../look.jpg"),
        ("/looks/1.jpg", "/looks/1.jpg"),
        ("file:///looks/1.jpg", "/looks/1.jpg"),
        ("https://looks.example/a/../1.jpg", "https://looks.example/a/../1.jpg"),
    ],
)
def test_pictures_are_relative_to_the_file(tmp_path: Path, picture: str, meant: str) -> None:
    (context,) = read_judgements(write(tmp_path, line(picture=picture))).looks
    expected = meant.format(tmp_path)
    assert context.picture == (expected if "://" in meant else os.path.normpath(expected))


@pytest.mark.parametrize(
    ("bad", "reason", "detail"),
    [
        (b"look.jpg top elm:T-1 same", "not-json", "Invalid JSON"),
        (b'{"picture": "look.jpg"', "not-json", "Invalid JSON"),
        (b"\xff\xfe{}", "not-json", "Invalid JSON"),
        (b"[" * 100_000, "not-json", "Invalid JSON"),
        (b"null", "invalid", "value"),
        (b"[]", "invalid", "value"),
        (b"{}", "invalid", "picture: Field required"),
        (line(verdict="maybe"), "invalid", "verdict"),
        (line(verdict=True), "invalid", "verdict"),
        (line(layer="sofa"), "invalid", "layer"),
        (line(picture=""), "invalid", "picture"),
        (line(picture=7), "invalid", "picture"),
        (line(product=""), "invalid", "product"),
        (line(market="Germany"), "invalid", "market"),
        (line(gender="woman"), "invalid", "gender"),
        (line(schema_version=2), "invalid", "schema_version"),
    ],
)
def test_a_bad_line_is_named_and_the_others_count(
    tmp_path: Path, bad: bytes, reason: str, detail: str
) -> None:
    found = read_judgements(write(tmp_path, line(), bad, line(product="elm:T-2")))
    (unused,) = found.unused
    assert (unused.line, unused.reason) == (2, reason)
    assert detail in unused.detail
    assert [one.line for look in found.looks.values() for one in look] == [1, 3]


def test_what_editors_and_other_systems_add_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "judged.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + line(judge="ann") + b"\r\n\r\n  \n" + line(product="b:2"))
    found = read_judgements(file)
    assert [one.line for look in found.looks.values() for one in look] == [1, 4]
    assert found.unused == []


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, line())
    monkeypatch.setattr(judgement_file, "MOST_BYTES", file.stat().st_size)
    assert read_judgements(file).looks
    monkeypatch.setattr(judgement_file, "MOST_BYTES", file.stat().st_size - 1)
    with pytest.raises(InvalidFile, match="judge a sample"):
        read_judgements(file)


judgements = st.builds(
    Judgement,
    picture=st.sampled_from(["a.jpg", "b.jpg", "https://looks.example/1.jpg"]),
    layer=st.sampled_from([Department.TOP, Department.BOTTOM]),
    product=st.sampled_from(["elm:1", "elm:2", "elm:3"]),
    verdict=st.sampled_from(["same", "similar", "other"]),
    market=st.sampled_from([None, "DE"]),
)


@given(
    given_lines=st.lists(judgements.map(lambda one: one.model_dump_json().encode()) | st.binary()),
    seed=st.integers(),
)
def test_lines_say_the_same_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, given_lines: list[bytes], seed: int
) -> None:
    lines = [one for whole in given_lines for one in whole.split(b"\n")]

    def said(
        ordered: list[bytes],
    ) -> tuple[dict[Context, list[tuple[str, str, Verdict]]], list[str]]:
        # A first line, so that no other one begins with a byte-order mark that is left out.
        found = read_judgements(write(folder, b"", *ordered))
        looks = {
            context: sorted((one.layer.value, one.product, one.verdict) for one in judged)
            for context, judged in found.looks.items()
        }
        return looks, sorted(one.reason for one in found.unused)

    folder = tmp_path_factory.mktemp("lines")
    shuffled = random.Random(seed).sample(lines, len(lines))
    assert said(shuffled) == said(lines)


def test_the_summary_has_the_lines_of_each_reason() -> None:
    unused = [Unused(n, "not-ranked", f"product {n}") for n in range(30, 1, -1)]
    text = summarise([Unused(1, "not-json", "no value"), *unused])
    assert text.splitlines() == [
        "  not-ranked: 29 (lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 19 more), e.g. product 2",
        "  not-json: 1 (line 1), e.g. no value",
    ]
    assert summarise([]) == ""


def test_the_example_is_a_file_of_judgements() -> None:
    found = read_judgements(Path(__file__).parents[2] / "examples/judgements.jsonl")
    assert found.unused == []
    assert sorted(len(look) for look in found.looks.values()) == [1, 3]
