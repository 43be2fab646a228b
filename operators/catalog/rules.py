"""Standardise by rules: translate a vendor's fields and words into the standard vocabulary.

A field whose whole value is a word of the vocabulary has source `vendor`; a word found in a longer
text has source `rule`. Words are those of the texts' language. Descriptions are not read, because
they mention other items ("goes with black trousers").

The work for an item is bounded whatever its texts are: each is read up to LONGEST_TEXT characters,
a title up to its first clauses and a path up to its deepest steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from operators.catalog.fashion import not_fashion
from operators.catalog.item_texts import ItemTexts, Step
from operators.catalog.sizes import normalise_sizes
from operators.vocabulary.lexicon import Lexicon
from operators.vocabulary.taxonomy import Taxonomy
from operators.vocabulary.wordlist import Normal, WordList
from schemas.attributes import Attribute, Gender, StandardAttributes
from schemas.catalog import ProductUpdate

Source = Literal["vendor", "rule"]

READ_BY_RULES = (
    "title",
    "brand",
    "category_text",
    "gender_text",
    "colour_text",
    "pattern_text",
    "size_texts",
    "size_system",
    "language",
)
"""The fields of an update that rules read."""

_PARTS = frozenset({"heels"})
_MOST_OF_SIZES = 1000
"""Characters of all size texts together that are read."""


def by_rules(update: ProductUpdate, taxonomy: Taxonomy) -> StandardAttributes:
    """The attributes that the texts of ``update`` state; None for the others."""
    texts = ItemTexts.of(update, taxonomy.languages)
    sizes = normalise_sizes(_readable_sizes(update.size_texts), update.size_system)
    colour = _first(texts.colour, texts.title, texts.lexicon.words["colour"])
    kind = not_fashion(texts, taxonomy)
    if kind is not None:
        return StandardAttributes(not_fashion=kind, colour=colour, sizes=sizes)
    department, category = _category(texts, taxonomy)
    return StandardAttributes(
        department=department,
        category=category,
        google_category_id=taxonomy.google_id(
            department.value if department else None, category.value if category else None
        ),
        gender=_gender(texts, category, taxonomy),
        colour=colour,
        pattern=_first(texts.pattern, texts.title, texts.lexicon.words["pattern"]),
        sizes=sizes,
    )


def _readable_sizes(texts: Iterable[str]) -> Iterator[str]:
    """The texts until together they are too long; none is cut, as "10" would become "1"."""
    left = _MOST_OF_SIZES
    for text in texts:
        left -= len(text)
        if left < 0:
            return
        yield text


def _category(texts: ItemTexts, taxonomy: Taxonomy) -> tuple[Attribute | None, Attribute | None]:
    """Department and category, from the deepest step of the vendor's path that has one, else from
    the title. A category from the title must belong to the path's department."""
    for step in reversed(texts.steps):
        department, category, source = _step(step, texts.lexicon, taxonomy)
        if category is not None:
            return _with_department(category, source, taxonomy)
        if department is not None:
            titled = _category_in_title(texts)
            if titled is not None and taxonomy.categories[titled].department == department:
                return _attribute(department, source), _attribute(titled, "rule")
            return _attribute(department, source), None
    titled = _category_in_title(texts)
    if titled is not None:
        return _with_department(titled, "rule", taxonomy)
    departments = texts.lexicon.words["department"]
    words = [word for clause in texts.clauses for word in departments.find(clause.text)]
    return (_attribute(_head(words, texts.lexicon), "rule") if words else None), None


def _step(
    step: Step, lexicon: Lexicon, taxonomy: Taxonomy
) -> tuple[str | None, str | None, Source]:
    """Department, category and source of one step of a category path."""
    if step.text.isascii() and step.text.isdigit():
        google_department, google_category = taxonomy.google_ids.get(
            int(step.text[:9]), (None, None)
        )
        return google_department, google_category, "vendor"
    categories, departments = lexicon.words["category"], lexicon.words["department"]
    if (category := categories.exact(step.text)) is not None:
        return None, category, "vendor"
    if (department := departments.exact(step.text)) is not None:
        return department, None, "vendor"
    named = categories.find(step.text)
    if named and not step.several:
        return None, _head(named, lexicon), "rule"
    possible = {
        *departments.find(step.text),
        *(str(taxonomy.categories[name].department) for name in named),
    }
    return (possible.pop() if len(possible) == 1 else None), None, "rule"


def _with_department(
    category: str, source: Source, taxonomy: Taxonomy
) -> tuple[Attribute, Attribute]:
    department = taxonomy.categories[category].department
    return _attribute(department, source), _attribute(category, source)


def _category_in_title(texts: ItemTexts) -> str | None:
    """The head noun of the first clause that contains any category."""
    categories = texts.lexicon.words["category"]
    for index, clause in enumerate(texts.clauses):
        if index == 0 and texts.title.startswith(clause.text):
            # A name may go on after what ends the clause: "sudadera con capucha".
            located = categories.locate(texts.title)
            found = [word.label for word in located if word.start < len(clause.text)]
        else:
            found = categories.find(clause.text)
        if found:
            return _head(_without_parts(found), texts.lexicon)
    return None


def _without_parts(categories: Sequence[str]) -> Sequence[str]:
    """Without what is a part of another thing named: "Chelsea boots block heel"."""
    return [name for name in categories if name not in _PARTS] or categories


def _head(found: Sequence[str], lexicon: Lexicon) -> str:
    """English and Japanese put the head noun last ("denim jacket dress"), French puts it first."""
    return found[0] if lexicon.head_first else found[-1]


def _gender(texts: ItemTexts, category: Attribute | None, taxonomy: Taxonomy) -> Attribute | None:
    words = texts.lexicon.words["gender"]
    if (exact := words.exact(texts.gender)) is not None:
        return _attribute(exact, "vendor")
    for text in (texts.gender, texts.path, texts.title):
        found = set(words.find(text))
        if found:
            return _attribute(found.pop() if len(found) == 1 else Gender.UNISEX, "rule")
    implied = taxonomy.categories[category.value].gender if category else None
    return _attribute(implied, "rule") if implied else None


def _first(field: Normal, title: Normal, words: WordList) -> Attribute | None:
    """The first value named, which is the main one: "black/white", "navy with white stripes"."""
    if (exact := words.exact(field)) is not None:
        return _attribute(exact, "vendor")
    for text in (field, title):
        if found := words.find(text):
            return _attribute(found[0], "rule")
    return None


def _attribute(value: str, source: Source) -> Attribute:
    return Attribute(value=str(value), source=source)
