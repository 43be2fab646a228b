"""The prompts and expected answers of training, verbatim.

The prompts equal those of `operators/models/vlm/prompts/sandbox-1`; `tests/sandbox_vlm` compares
them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.world import Garment, describe

DESCRIBE_LOOK = "describe the look"
DESCRIBE_PRODUCT = "describe the product"


@dataclass(frozen=True, slots=True)
class Turn:
    """A question about the pictures before it, and its answer."""

    text: str
    answer: str


def describe_look(shown: Mapping[str, Garment]) -> Turn:
    """Department -> visible attributes of its garment, as compact JSON."""
    layers = [{"layer": name, "query": describe(garment)} for name, garment in shown.items()]
    answer = json.dumps({"layers": layers}, separators=(",", ":"))
    return Turn(DESCRIBE_LOOK, answer)


def describe_product(garment: Garment) -> Turn:
    """Describe a product photograph or a region.

    The log probability of a query as the answer measures how well a candidate fits it."""
    return Turn(DESCRIBE_PRODUCT, describe(garment))


def judge(wanted: Garment, *, same: bool) -> Turn:
    """Region and candidate: is it the same product?"""
    return Turn(f"query: {describe(wanted)}\nsame product?", "yes" if same else "no")


def listwise(wanted: Garment, order: Sequence[int]) -> Turn:
    """Region and candidates: their numbers from 1, best first."""
    text = f"query: {describe(wanted)}\norder the products"
    return Turn(text, json.dumps({"order": list(order)}, separators=(",", ":")))
