"""Standardise a product: rules first, then zero-shot classification by the encoder.

Every value records its source and confidence, so that a guess is never stored as a fact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from operator import attrgetter

from operators.catalog.rules import READ_BY_RULES, by_rules
from operators.ports import ImageTextEncoder, Vector
from operators.vocabulary.taxonomy import Taxonomy
from operators.zero_shot import ZeroShotClassifier
from schemas.attributes import Attribute, StandardAttributes
from schemas.catalog import ProductUpdate

REMEMBERED = 500
"""Texts whose attributes are kept: a packet asks twice, and a style's variants share their texts.
"""

Prompts = Mapping[str, Sequence[str]]

_ByTexts = dict[tuple[object, ...], StandardAttributes]

_texts = attrgetter(*READ_BY_RULES)


class Standardiser:
    """Translates a vendor's item into the standard vocabulary.

    The result depends only on the update, the picture's vector, the taxonomy and the encoder, and
    not on earlier results. So packets may arrive in any order and yield the same attributes.

    ``threshold``: a label from the encoder needs at least this probability.
    """

    def __init__(self, encoder: ImageTextEncoder, taxonomy: Taxonomy, threshold: float) -> None:
        self._encoder = encoder
        self._taxonomy = taxonomy
        self._threshold = threshold
        self._classifiers: dict[str, ZeroShotClassifier | None] = {}
        self._by_texts: _ByTexts = {}

    async def by_rules(self, update: ProductUpdate) -> StandardAttributes:
        """The attributes that the texts state.

        Rules run in a thread: the worst texts take 10 ms, in which fetches and writes go on.
        """
        known = self.prepared(update)
        if known is None:
            known = await asyncio.to_thread(by_rules, update, self._taxonomy)
            self._remember({_texts(update): known})
        return known

    def prepared(self, update: ProductUpdate) -> StandardAttributes | None:
        """What `by_rules` returns, if the texts were read lately."""
        return self._by_texts.get(_texts(update))

    async def prepare(self, updates: Sequence[ProductUpdate]) -> None:
        """Read the texts of ``updates`` in one thread; those of up to REMEMBERED are `prepared`
        until this loop turns to other tasks."""
        unknown = {_texts(update): update for update in updates if self.prepared(update) is None}

        def read() -> _ByTexts:
            return {texts: by_rules(update, self._taxonomy) for texts, update in unknown.items()}

        if unknown:
            self._remember(await asyncio.to_thread(read))

    def _remember(self, known: _ByTexts) -> None:
        if len(self._by_texts) + len(known) > REMEMBERED:
            self._by_texts.clear()
        self._by_texts.update(known)

    async def standardise(
        self, update: ProductUpdate, picture: Vector | None
    ) -> StandardAttributes:
        """The attributes that the texts state, completed by the encoder.

        ``picture``: the product picture's vector, shape (dimension,), unit norm. None, or an
        encoder that reads no text: rules only.
        Raises Unavailable when the encoder cannot be reached.
        """
        attributes = await self.by_rules(update)
        if picture is None or not self._encoder.reads_text or is_complete(attributes):
            return attributes
        item = _ItemClassifier(self._encoder, self._threshold, picture, update.title)
        department, category = attributes.department, attributes.category
        if category is None:
            not_fashion, department, category = await self._classify_kind(item, department)
            if not_fashion is not None:
                return StandardAttributes(
                    not_fashion=not_fashion, colour=attributes.colour, sizes=attributes.sizes
                )
        return attributes.model_copy(
            update={
                "department": department,
                "category": category,
                "google_category_id": self._taxonomy.google_id(
                    department.value if department else None,
                    category.value if category else None,
                ),
                "gender": attributes.gender
                or await item.classify(self._classifier("gender", self._taxonomy.gender_prompts())),
                "colour": attributes.colour
                or await item.classify(self._classifier("colour", self._taxonomy.colour_prompts())),
                "pattern": attributes.pattern
                or await item.classify(
                    self._classifier("pattern", self._taxonomy.pattern_prompts())
                ),
            }
        )

    async def _classify_kind(
        self, item: _ItemClassifier, department: Attribute | None
    ) -> tuple[Attribute | None, Attribute | None, Attribute | None]:
        """What it is if not fashion, else department and category. A known department restricts
        the categories, and means fashion.

        The probability of an unknown department is the sum over its categories; that of no fashion
        is the sum over its kinds.
        """
        known = department.value if department else None
        others = {} if known else self._taxonomy.not_fashion_prompts()
        classifier = self._classifier(
            f"category of {known}", {**self._taxonomy.category_prompts(known), **others}
        )
        if classifier is None:
            return None, department, None
        probabilities = await item.probabilities(classifier)
        by_kind = {name: probabilities.pop(name) for name in others}
        total = sum(by_kind.values())
        if item.suffices(total):
            kind = max(by_kind, key=by_kind.__getitem__)
            return Attribute(value=kind, source="model", confidence=min(1.0, total)), None, None
        if department is None:
            sums: dict[str, float] = {}
            for name, probability in probabilities.items():
                parent = str(self._taxonomy.categories[name].department)
                sums[parent] = sums.get(parent, 0.0) + probability
            department = item.most_probable(sums)
        return None, department, item.most_probable(probabilities)

    def _classifier(self, name: str, prompts: Prompts) -> ZeroShotClassifier | None:
        """The classifier for ``prompts``, built once. None when there are fewer than two labels."""
        if name not in self._classifiers:
            self._classifiers[name] = (
                ZeroShotClassifier(self._encoder, prompts) if len(prompts) > 1 else None
            )
        return self._classifiers[name]


class _ItemClassifier:
    """Classifies one item by its picture, and by its title too when the picture is inconclusive.

    The two distributions are multiplied (a product of experts, Hinton 2002). An uninformative title
    gives a nearly flat distribution and changes little.
    """

    def __init__(
        self, encoder: ImageTextEncoder, threshold: float, picture: Vector, title: str
    ) -> None:
        self._encoder = encoder
        self._threshold = threshold
        self._picture = picture
        self._title = title
        self._title_vector: Vector | None = None

    async def probabilities(self, classifier: ZeroShotClassifier) -> dict[str, float]:
        """Label -> probability."""
        by_picture = await classifier.probabilities(self._picture)
        if max(by_picture.values()) >= self._threshold or not self._title:
            return by_picture
        if self._title_vector is None:
            self._title_vector = await self._encoder.encode_text(self._title)
        by_title = await classifier.probabilities(self._title_vector)
        joint = {label: by_picture[label] * by_title[label] for label in by_picture}
        total = sum(joint.values())
        return {label: weight / total for label, weight in joint.items()} if total else by_picture

    async def classify(self, classifier: ZeroShotClassifier | None) -> Attribute | None:
        """The most probable label; None below the threshold or without a classifier."""
        if classifier is None:
            return None
        return self.most_probable(await self.probabilities(classifier))

    def suffices(self, probability: float) -> bool:
        """Whether ``probability`` reaches the threshold."""
        return probability >= self._threshold

    def most_probable(self, probabilities: Mapping[str, float]) -> Attribute | None:
        """The most probable label; None below the threshold."""
        label = max(probabilities, key=probabilities.__getitem__)
        confidence = min(1.0, probabilities[label])
        if confidence < self._threshold:
            return None
        return Attribute(value=label, source="model", confidence=confidence)


def is_complete(attributes: StandardAttributes) -> bool:
    """Whether the texts leave nothing for the encoder to classify."""
    return attributes.not_fashion is not None or None not in (
        attributes.department,
        attributes.category,
        attributes.gender,
        attributes.colour,
        attributes.pattern,
    )
