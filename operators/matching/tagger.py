"""Queries without a vision-language model: the caption that lies nearest to a region."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np

from operators.ports import ImageTextEncoder, LayerDescription, Vector
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department

PATTERN_NOUNS = {
    "striped": "stripes",
    "checked": "checks",
    "dotted": "dots",
    "floral": "flowers",
}
"""Patterns that are told with their second colour: "with white stripes"."""

_SLEEVES = ("short sleeve", "long sleeve")
_NECKLINES = ("crew neck", "v-neck")
CUTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "t-shirt": (_SLEEVES, _NECKLINES),
    "shirt": (_SLEEVES,),
    "blouse": (_SLEEVES,),
    "sweater": (_NECKLINES,),
    "shirt dress": (_SLEEVES,),
    "evening gown": (("sleeveless", "long sleeve"),),
    "sundress": (("mini", "midi"),),
    "skirt": (("mini", "midi", "long"),),
    "coat": (("knee length", "long"),),
}
"""Cuts by which items of a category differ, in the order of a caption's words. Not exhaustive: a
category that is not here is described without."""

BEAM = 3
"""Captions that are followed up at each step."""

REMEMBERED_CAPTIONS = 20_000


@dataclass(frozen=True, slots=True)
class Caption:
    """A garment in words; what is empty is not said."""

    category: str
    colour: str
    pattern: str = ""
    second_colour: str = ""
    cuts: tuple[str, ...] = ()

    def text(self) -> str:
        """E.g. "red striped short sleeve t-shirt with white stripes"."""
        words = (self.colour, self.pattern, *self.cuts, self.category)
        start = " ".join(word for word in words if word)
        if not self.second_colour:
            return start
        return f"{start} with {self.second_colour} {PATTERN_NOUNS[self.pattern]}"

    def description(self) -> LayerDescription:
        """The caption as a vision-language model would have put it."""
        attributes = {
            "category": self.category,
            "colour": self.colour,
            "pattern": self.pattern,
            "second_colour": self.second_colour,
        }
        said = {name: value for name, value in attributes.items() if value}
        return LayerDescription(self.text(), said)


class Tagger:
    """Grows a caption word by word, keeping the few that lie nearest to the region.

    A beam search over what the encoder's text tower can tell apart: colour and category first,
    then pattern, second colour, cuts. Whole captions are compared rather than single words,
    because a word's meaning depends on the others: white stripes on red, or red on white.
    """

    def __init__(self, encoder: ImageTextEncoder, taxonomy: Taxonomy) -> None:
        self._encoder = encoder
        self._taxonomy = taxonomy
        self._colours = tuple(taxonomy.colour_prompts())
        self._patterns = tuple(taxonomy.pattern_prompts())
        self._vectors: OrderedDict[str, Vector] = OrderedDict()

    async def prepare(self) -> None:
        """Encode the captions that every description begins with, so that no look waits for it."""
        captions = [c for department in Department for c in self._first(department)]
        await asyncio.gather(*(self._vector(caption.text()) for caption in captions))

    async def describe(self, department: Department, region: Vector) -> LayerDescription:
        """The nearest caption of a garment of ``department``; one encoding per new caption."""
        beam = await self._nearest(region, self._first(department))
        beam = await self._nearest(
            region, [replace(c, pattern=pattern) for c in beam for pattern in self._patterns]
        )
        beam = await self._nearest(region, [d for c in beam for d in self._with_second_colours(c)])
        for step in range(max(len(CUTS.get(caption.category, ())) for caption in beam)):
            beam = await self._nearest(region, [d for c in beam for d in _with_cuts(c, step)])
        return beam[0].description()

    async def category_gap(
        self, region: Vector, description: LayerDescription, category: str | None
    ) -> float:
        """How much nearer (cosine) the region lies to the description's caption than to the same
        caption of another ``category``; 0 when either category is unknown or they agree."""
        said = description.attributes
        own = said.get("category")
        if own is None or category is None or own == category:
            return 0.0
        caption = Caption(own, said.get("colour", ""), said.get("pattern", ""))
        other = replace(caption, category=category)
        vectors = await asyncio.gather(self._vector(caption.text()), self._vector(other.text()))
        return max(0.0, float((vectors[0] - vectors[1]) @ region))

    def _first(self, department: Department) -> list[Caption]:
        categories = tuple(self._taxonomy.category_prompts(department)) or (
            department.replace("_", " "),
        )
        return [Caption(category, colour) for category in categories for colour in self._colours]

    def _with_second_colours(self, caption: Caption) -> list[Caption]:
        if caption.pattern not in PATTERN_NOUNS:
            return [caption]
        others = [colour for colour in self._colours if colour != caption.colour]
        return [replace(caption, second_colour=colour) for colour in others]

    async def _nearest(self, region: Vector, captions: list[Caption]) -> list[Caption]:
        """At most BEAM of ``captions``, nearest first; equals in the order given."""
        vectors = await asyncio.gather(*(self._vector(caption.text()) for caption in captions))
        order = np.argsort(-(np.stack(vectors) @ region), kind="stable")
        return [captions[n] for n in order[:BEAM]]

    async def _vector(self, text: str) -> Vector:
        """Remembered: captions repeat from look to look far more than they are new."""
        if (known := self._vectors.get(text)) is not None:
            self._vectors.move_to_end(text)
            return known
        vector = await self._encoder.encode_text(text)
        self._vectors[text] = vector
        if len(self._vectors) > REMEMBERED_CAPTIONS:
            self._vectors.popitem(last=False)
        return vector


def _with_cuts(caption: Caption, step: int) -> list[Caption]:
    """The caption as it is (a look may hide its sleeves), and with each cut of its ``step``."""
    cuts = CUTS.get(caption.category, ())
    if step >= len(cuts):
        return [caption]
    return [caption, *(replace(caption, cuts=(*caption.cuts, cut)) for cut in cuts[step])]
