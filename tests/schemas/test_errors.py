"""What errors tell people and metrics."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from schemas.errors import ImageRefused, IndexMismatch, Misconfigured, Unavailable, list_problems


class Size(BaseModel):
    width: int
    height: int


def test_the_default_reason_is_the_kind_of_the_error() -> None:
    kinds = (Unavailable, ImageRefused, IndexMismatch, Misconfigured)
    assert [kind("why").reason for kind in kinds] == [
        "unavailable",
        "image-refused",
        "index-mismatch",
        "misconfigured",
    ]
    assert ImageRefused("why", reason="too-large").reason == "too-large"


def test_problems_are_listed_by_field_without_the_name_of_the_class() -> None:
    with pytest.raises(ValidationError) as refused:
        Size.model_validate({"width": "x"})
    width, height = list_problems(refused.value).split("; ")
    assert width.startswith("width: Input should be a valid integer")
    assert height == "height: Field required"
    with pytest.raises(ValidationError) as refused:
        Size.model_validate_json("[]")
    assert list_problems(refused.value).startswith("value: ")
