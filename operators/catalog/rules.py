"""Standardisation by rules: what a vendor's fields and words say in our vocabulary.

A value read from a closed field that is one of the vocabulary's words has source `vendor`; a word
found in a longer text has source `rule`. Descriptions are not read: they speak of other items
("goes with black trousers").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from operators.catalog.sizes import normalise_sizes
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Attribute, Gender, StandardAttributes
from schemas.catalog import ProductUpdate

_STEPS = re.compile(r"[>›»|/＞／｜]")
# A shelf of several things ("Bag aur purse", ワンピース・ドレス) says no more than a department.
_SHELF = re.compile(r"&|\+|,|・|、|\b(?:and|aur)\b", re.IGNORECASE)
# What an item is stands before what it comes with; within that, English and Japanese put the
# head noun last ("denim jacket dress").
_CLAUSES = re.compile(
    r"[(){}\[\],;:|（）［］、。【】]| - |–|—|\b(?:with|for|in|by|wala ke saath)\b", re.IGNORECASE
)

Source = Literal["vendor", "rule"]


def by_rules(update: ProductUpdate, taxonomy: Taxonomy) -> StandardAttributes:
    """The attributes that the texts of ``update`` say; None where they don't."""
    title = _without_brand(update)
    department, category = _category(update.category_text or "", title, taxonomy)
    return StandardAttributes(
        department=department,
        category=category,
        google_category_id=taxonomy.google_id(
            department.value if department else None, category.value if category else None
        ),
        gender=_gender(update, title, category, taxonomy),
        colour=_first(update.colour_text, title, taxonomy, "colour"),
        pattern=_first(update.pattern_text, title, taxonomy, "pattern"),
        sizes=normalise_sizes(update.size_texts, update.size_system),
    )


def _without_brand(update: ProductUpdate) -> str:
    """The title without the brand, which may be called after a colour ("Red Tape")."""
    if not update.brand:
        return update.title
    return re.sub(re.escape(update.brand), " ", update.title, flags=re.IGNORECASE)


def _category(
    path: str, title: str, taxonomy: Taxonomy
) -> tuple[Attribute | None, Attribute | None]:
    """Department and category: the deepest step of the vendor's path that says one, else the
    title. A category from the title must be of the path's department."""
    for step in reversed([step.strip() for step in _STEPS.split(path) if step.strip()]):
        department, category, source = _step(step, taxonomy)
        if category is not None:
            return _of_category(category, source, taxonomy)
        if department is not None:
            named = _named(title, taxonomy)
            if named is not None and taxonomy.categories[named].department == department:
                return _attribute(department, source), _attribute(named, "rule")
            return _attribute(department, source), None
    named = _named(title, taxonomy)
    if named is not None:
        return _of_category(named, "rule", taxonomy)
    words = [
        word for clause in _clauses(title) for word in taxonomy.words["department"].find(clause)
    ]
    return (_attribute(words[-1], "rule") if words else None), None


def _step(step: str, taxonomy: Taxonomy) -> tuple[str | None, str | None, Source]:
    """Department, category and source that one step of a category path says."""
    if step.isascii() and step.isdigit():
        shelf, item = taxonomy.google_ids.get(int(step[:9]), (None, None))
        return shelf, item, "vendor"
    categories, departments = taxonomy.words["category"], taxonomy.words["department"]
    if (category := categories.exact(step)) is not None:
        return None, category, "vendor"
    if (department := departments.exact(step)) is not None:
        return department, None, "vendor"
    named = categories.find(step)
    if named and not _SHELF.search(step):
        return None, named[-1], "rule"
    shelves = {
        *departments.find(step),
        *(str(taxonomy.categories[name].department) for name in named),
    }
    return (shelves.pop() if len(shelves) == 1 else None), None, "rule"


def _of_category(category: str, source: Source, taxonomy: Taxonomy) -> tuple[Attribute, Attribute]:
    department = taxonomy.categories[category].department
    return _attribute(department, source), _attribute(category, source)


def _named(title: str, taxonomy: Taxonomy) -> str | None:
    """The category a title names: the last one of its first clause that names any."""
    for clause in _clauses(title):
        if found := taxonomy.words["category"].find(clause):
            return found[-1]
    return None


def _clauses(title: str) -> Iterator[str]:
    return (clause for clause in _CLAUSES.split(title) if clause.strip())


def _gender(
    update: ProductUpdate, title: str, category: Attribute | None, taxonomy: Taxonomy
) -> Attribute | None:
    words = taxonomy.words["gender"]
    if update.gender_text and (exact := words.exact(update.gender_text)) is not None:
        return _attribute(exact, "vendor")
    for text in (update.gender_text, update.category_text, title):
        found = set(words.find(text or ""))
        if found:
            return _attribute(found.pop() if len(found) == 1 else Gender.UNISEX, "rule")
    implied = taxonomy.categories[category.value].gender if category else None
    return _attribute(implied, "rule") if implied else None


def _first(
    field: str | None, title: str, taxonomy: Taxonomy, name: Literal["colour", "pattern"]
) -> Attribute | None:
    """The main value is named first: "black/white", "navy with white stripes"."""
    words = taxonomy.words[name]
    if field and (exact := words.exact(field)) is not None:
        return _attribute(exact, "vendor")
    for text in (field or "", title):
        if found := words.find(text):
            return _attribute(found[0], "rule")
    return None


def _attribute(value: str, source: Source) -> Attribute:
    return Attribute(value=str(value), source=source)
