"""Judged pairs of a look's layer and a product: one per line of a JSON Lines file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.attributes import Department, Gender
from schemas.base import Event, Key, Market

Verdict = Literal["same", "similar", "other"]


class Judgement(Event):
    """What somebody says of one product and one layer of a look (``looksync calibrate --judged``).
    Unknown fields, such as who judged, are ignored."""

    picture: Annotated[str, StringConstraints(min_length=1, max_length=4000)] = Field(
        description="The look's picture: an http(s) URL, or a file, relative to the judgements'."
    )
    layer: Department = Field(description="The layer of the look that was judged.")
    product: Key = Field(description="vendor:product_id")
    verdict: Verdict = Field(
        description="same: the very item, or its twin; similar: another of its kind, e.g. a boot "
        "for a boot; other: of another kind."
    )
    market: Market | None = Field(None, description="The look's market, if it was matched for one.")
    gender: Gender | None = Field(None, description="The look's gender, if it was matched for one.")
