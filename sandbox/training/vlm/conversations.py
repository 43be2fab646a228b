"""What the model is asked and what it should answer, word by word.

The words are those of `operators/models/vlm/prompts/sandbox-1`; `tests/sandbox_vlm` holds both to
the same.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.world import Garment, describe

DESCRIBE_LOOK = "describe the look"
DESCRIBE_PRODUCT = "describe the product"


@dataclass(frozen=True, slots=True)
class Turn:
    """One question, after the pictures it is about, and its answer."""

    text: str
    answer: str


def describe_look(shown: Mapping[str, Garment]) -> Turn:
    """Department -> garment as far as the look shows it: a JSON object, compact."""
    layers = [{"layer": name, "query": describe(garment)} for name, garment in shown.items()]
    answer = json.dumps({"layers": layers}, separators=(",", ":"))
    return Turn(DESCRIBE_LOOK, answer)


def tell(garment: Garment) -> Turn:
    """A product photograph or a region in words. The log probability of a query as this answer
    tells how well a candidate fits it."""
    return Turn(DESCRIBE_PRODUCT, describe(garment))


def judge(wanted: Garment, *, same: bool) -> Turn:
    """Region and candidate: is it the same product?"""
    return Turn(f"query: {describe(wanted)}\nsame product?", "yes" if same else "no")


def listwise(wanted: Garment, order: Sequence[int]) -> Turn:
    """Region and candidates: their numbers from 1, best first."""
    text = f"query: {describe(wanted)}\norder the products"
    return Turn(text, json.dumps({"order": list(order)}, separators=(",", ":")))
