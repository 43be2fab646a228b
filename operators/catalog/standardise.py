"""Standardisation: rules first, then zero-shot by the encoder, never a guess stored as a fact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from operators.catalog.rules import by_rules
from operators.ports import ImageTextEncoder, Vector
from operators.vocabulary.taxonomy import Taxonomy
from operators.zero_shot import ZeroShotClassifier
from schemas.attributes import Attribute, StandardAttributes
from schemas.catalog import ProductUpdate

Prompts = Mapping[str, Sequence[str]]


class Standardiser:
    """Puts a vendor's item in our vocabulary.

    The result depends on the update, the picture's vector, the taxonomy and the encoder only, not
    on what was known before: packets may come in any order and end in the same attributes.

    ``threshold``: a model's answer less probable than this is no answer.
    """

    def __init__(self, encoder: ImageTextEncoder, taxonomy: Taxonomy, threshold: float) -> None:
        self._encoder = encoder
        self._taxonomy = taxonomy
        self._threshold = threshold
        self._classifiers: dict[str, ZeroShotClassifier | None] = {}

    def by_rules(self, update: ProductUpdate) -> StandardAttributes:
        """What the texts say."""
        return by_rules(update, self._taxonomy)

    async def standardise(
        self, update: ProductUpdate, picture: Vector | None
    ) -> StandardAttributes:
        """What the texts say, and where they don't, what the encoder sees in the picture.

        ``picture``: the product picture's vector. Without it nothing is added to the rules.
        """
        attributes = self.by_rules(update)
        if picture is None or is_complete(attributes):
            return attributes
        judge = _Judge(self._encoder, self._threshold, picture, update.title)
        department, category = attributes.department, attributes.category
        if category is None:
            department, category = await self._judge_category(judge, department)
        return attributes.model_copy(
            update={
                "department": department,
                "category": category,
                "google_category_id": self._taxonomy.google_id(
                    department.value if department else None,
                    category.value if category else None,
                ),
                "gender": attributes.gender
                or await judge.best(self._classifier("gender", self._taxonomy.gender_prompts())),
                "colour": attributes.colour
                or await judge.best(self._classifier("colour", self._taxonomy.colour_prompts())),
                "pattern": attributes.pattern
                or await judge.best(self._classifier("pattern", self._taxonomy.pattern_prompts())),
            }
        )

    async def _judge_category(
        self, judge: _Judge, department: Attribute | None
    ) -> tuple[Attribute | None, Attribute | None]:
        """Among the department's categories; without one, a department's probability is the sum
        of its categories'."""
        known = department.value if department else None
        classifier = self._classifier(
            f"category of {known}", self._taxonomy.category_prompts(known)
        )
        if classifier is None:
            return department, None
        probabilities = await judge.probabilities(classifier)
        if department is None:
            sums: dict[str, float] = {}
            for name, probability in probabilities.items():
                shelf = str(self._taxonomy.categories[name].department)
                sums[shelf] = sums.get(shelf, 0.0) + probability
            department = judge.decided(sums)
        return department, judge.decided(probabilities)

    def _classifier(self, name: str, prompts: Prompts) -> ZeroShotClassifier | None:
        """Kept, with its prompts' vectors. None: a choice of one would be no choice."""
        if name not in self._classifiers:
            self._classifiers[name] = (
                ZeroShotClassifier(self._encoder, prompts) if len(prompts) > 1 else None
            )
        return self._classifiers[name]


class _Judge:
    """Asks about one item: the picture first, and when it doesn't decide, the title as well.

    Taken together the two distributions are multiplied (a product of experts): a title without a
    telling word is nearly flat and changes nothing.
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
        seen = await classifier.probabilities(self._picture)
        if max(seen.values()) >= self._threshold or not self._title:
            return seen
        if self._title_vector is None:
            self._title_vector = await self._encoder.encode_text(self._title)
        read = await classifier.probabilities(self._title_vector)
        joint = {label: seen[label] * read[label] for label in seen}
        total = sum(joint.values())
        return {label: weight / total for label, weight in joint.items()} if total else seen

    async def best(self, classifier: ZeroShotClassifier | None) -> Attribute | None:
        """The most probable label, when it is probable enough."""
        return None if classifier is None else self.decided(await self.probabilities(classifier))

    def decided(self, probabilities: Mapping[str, float]) -> Attribute | None:
        """The most probable label, when it is probable enough."""
        label = max(probabilities, key=probabilities.__getitem__)
        confidence = min(1.0, probabilities[label])
        if confidence < self._threshold:
            return None
        return Attribute(value=label, source="model", confidence=confidence)


def is_complete(attributes: StandardAttributes) -> bool:
    """Whether nothing is left for the encoder to judge."""
    return None not in (
        attributes.department,
        attributes.category,
        attributes.gender,
        attributes.colour,
        attributes.pattern,
    )
