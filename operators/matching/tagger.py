"""Describe a layer without a vision-language model: the caption nearest to its region."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from operators.ports import ImageTextEncoder, LayerDescription, Vector
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department

PATTERN_NOUNS = {
    "striped": "stripes",
    "checked": "checks",
    "dotted": "dots",
    "floral": "flowers",
}
"""Patterns whose second colour is part of the caption, e.g. "with white stripes"."""

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
"""Per category, the alternatives of each cut, in the order of a caption's words. Not exhaustive:
captions of other categories have no cuts."""

BEAM = 3
"""Captions kept after each step."""

CACHED_CAPTIONS = 20_000
"""Captions whose embeddings are kept in memory, least recently used first out."""


@dataclass(frozen=True, slots=True)
class Caption:
    """A garment in words; empty fields are left out."""

    category: str
    colour: str
    pattern: str = ""
    second_colour: str = ""
    cuts: tuple[str, ...] = ()

    def text(self) -> str:
        """The words, e.g. "red striped short sleeve t-shirt with white stripes"."""
        words = (self.colour, self.pattern, *self.cuts, self.category)
        start = " ".join(word for word in words if word)
        if not self.second_colour:
            return start
        return f"{start} with {self.second_colour} {PATTERN_NOUNS[self.pattern]}"

    def description(self) -> LayerDescription:
        """The same form that a vision-language model's description has."""
        attributes = {
            "category": self.category,
            "colour": self.colour,
            "pattern": self.pattern,
            "second_colour": self.second_colour,
        }
        known = {name: value for name, value in attributes.items() if value}
        return LayerDescription(self.text(), known)


class Tagger:
    """Extends captions word by word, keeping the few nearest to the region: a beam search.

    Colour and category come first, then pattern, second colour and cuts. Whole captions are
    compared, not single words, because a word's meaning depends on the others: white stripes on
    red are not red stripes on white.
    """

    def __init__(self, encoder: ImageTextEncoder, taxonomy: Taxonomy) -> None:
        self._encoder = encoder
        self._taxonomy = taxonomy
        self._colours = tuple(taxonomy.colour_prompts())
        self._patterns = tuple(taxonomy.pattern_prompts())
        self._vectors: OrderedDict[str, Vector] = OrderedDict()

    async def prepare(self) -> None:
        """Encode the captions that every search starts from, ahead of the first look."""
        await self._encode([c for d in Department for c in self._initial_captions(d)])

    async def describe(self, department: Department, region: Vector) -> LayerDescription:
        """The nearest caption of a garment of ``department``.

        ``region``: the embedding of the layer's crop. Encodes each caption not cached yet.
        """
        beam = await self._nearest(region, self._initial_captions(department))
        beam = await self._nearest(
            region, [replace(c, pattern=pattern) for c in beam for pattern in self._patterns]
        )
        beam = await self._nearest(region, [d for c in beam for d in self._with_second_colours(c)])
        for step in range(max(len(CUTS.get(caption.category, ())) for caption in beam)):
            beam = await self._nearest(region, [d for c in beam for d in _with_cuts(c, step)])
        return beam[0].description()

    async def cosine(self, region: Vector, description: LayerDescription) -> float:
        """Cosine of the region and the description's words: how well they fit."""
        return float((await self._encode_texts([description.query]))[0] @ region)

    async def category_gap(
        self, region: Vector, description: LayerDescription, category: str | None
    ) -> float:
        """How much higher the region's cosine is with the description's caption than with the same
        caption of another ``category``, at least 0; 0 if either category is unknown."""
        described = description.attributes
        own = described.get("category")
        if own is None or category is None or own == category:
            return 0.0
        caption = Caption(own, described.get("colour", ""), described.get("pattern", ""))
        other = replace(caption, category=category)
        vectors = await self._encode([caption, other])
        return max(0.0, float((vectors[0] - vectors[1]) @ region))

    async def product_gaps(
        self, products: Sequence[Vector], description: LayerDescription
    ) -> list[float]:
        """Per product, how much higher its cosine is with the description's caption of another
        category of the department than with that of the described one, at least 0; 0 if the
        category is unknown. Unlike ``category_gap`` it needs no category of the product."""
        described = description.attributes
        own = described.get("category", "")
        if own not in self._taxonomy.categories or not products:
            return [0.0] * len(products)
        caption = Caption(own, described.get("colour", ""), described.get("pattern", ""))
        department = self._taxonomy.categories[own].department
        others = [name for name in self._taxonomy.category_prompts(department) if name != own]
        vectors = await self._encode(
            [caption, *(replace(caption, category=other) for other in others)]
        )
        cosines = np.stack(products) @ vectors.T
        gaps: list[float] = (cosines.max(axis=1) - cosines[:, 0]).tolist()
        return gaps

    def _initial_captions(self, department: Department) -> list[Caption]:
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
        """The BEAM nearest of ``captions``, nearest first; ties in the order given."""
        order = np.argsort(-(await self._encode(captions) @ region), kind="stable")
        return [captions[n] for n in order[:BEAM]]

    async def _encode(self, captions: Sequence[Caption]) -> NDArray[np.float32]:
        """The captions' embeddings, shape (captions, dimension)."""
        return await self._encode_texts([caption.text() for caption in captions])

    async def _encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Their embeddings, shape (texts, dimension)."""
        # Cached, because most captions of a look have occurred in looks before.
        known = {text: self._vectors[text] for text in texts if text in self._vectors}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        encoded = await asyncio.gather(*map(self._encoder.encode_text, missing))
        known.update(zip(missing, encoded, strict=True))
        for text, vector in known.items():
            self._vectors[text] = vector
            self._vectors.move_to_end(text)
        while len(self._vectors) > CACHED_CAPTIONS:
            self._vectors.popitem(last=False)
        return np.stack([known[text] for text in texts])


def _with_cuts(caption: Caption, step: int) -> list[Caption]:
    """The caption unchanged (the cut may be hidden), and with each alternative of cut ``step``."""
    cuts = CUTS.get(caption.category, ())
    if step >= len(cuts):
        return [caption]
    return [caption, *(replace(caption, cuts=(*caption.cuts, cut)) for cut in cuts[step])]
