"""Whether an item is fashion at all, by its texts.

A shop sells phones, furniture and gift cards as well as clothes. A false "no" takes a garment off
sale, a false "yes" offers a gaming PC as a top; what the texts do not say is left to the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

from operators.catalog.item_texts import ItemTexts, Step
from operators.vocabulary.lexicon import Lexicon
from operators.vocabulary.spelled import FASHION, NOTHING
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Attribute

_FASHION_ROOT = "fashion"
_WITH_SOME_FASHION = frozenset({"baby", "beauty", "sport"})
"""Branches of Google's taxonomy with shoes, clothes or glasses somewhere below."""
_WITH_CLOTHING = frozenset({"animals", "toys"})
"""Kinds with clothing that is not for people."""


def not_fashion(texts: ItemTexts, taxonomy: Taxonomy) -> Attribute | None:
    """The kind of an item that is not fashion, e.g. electronics; None: fashion, or unknown.

    A place in Google's product taxonomy outside of its fashion decides at once. Then the vendor's
    own path does, then the title.
    """
    google = _google_branch(texts)
    if google is not None:
        return None if google == _FASHION_ROOT else Attribute(value=google, source="vendor")
    by_path = _kind_of_path(texts)
    if by_path == FASHION:
        return None
    by_title = _kind_of_title(texts)
    number = _google_number(texts, taxonomy)
    if number is not None and by_title != FASHION:
        return None if number == _FASHION_ROOT else Attribute(value=number, source="vendor")
    # "Music > Band merchandise" with a T-shirt in the title: the texts contradict each other.
    kind = by_title if by_path is None or by_title == FASHION else by_path
    return None if kind in (None, FASHION) else Attribute(value=str(kind), source="rule")


def _google_number(texts: ItemTexts, taxonomy: Taxonomy) -> str | None:
    """The branch of the id in Google's taxonomy that the path begins with.

    The number may be a shop's own, so a title that names fashion speaks against it.
    """
    first = texts.first_step
    if not (first.isascii() and first.isdigit()):
        return None
    number = int(first[:9])
    return _FASHION_ROOT if number in taxonomy.google_ids else taxonomy.google_branches.get(number)


def _google_branch(texts: ItemTexts) -> str | None:
    """The branch of Google's taxonomy that the path begins with, by its name."""
    branch = texts.lexicon.roots.get(texts.first_step)
    if branch is None or branch == _FASHION_ROOT:
        return None
    # Google keeps glasses under Health and ski boots under Sport.
    if branch in _WITH_SOME_FASHION and _kind_of_path(texts) == FASHION:
        return None
    # Shops put clothing with a toy's name on it under Toys.
    if branch == "toys" and _is_clothing_of_people(texts) and _kind_of_title(texts) == FASHION:
        return None
    deepest = texts.lexicon.words["category"].exact(texts.steps[-1].text)
    return None if deepest in ("glasses", "smartwatch") else branch


def _is_clothing_of_people(texts: ItemTexts) -> bool:
    """Whether the path ends with clothing, and no step in it is about dolls or the like."""
    below = [texts.lexicon.kinds_in(step.text) for step in texts.steps[1:]]
    return bool(below) and below[-1] == [NOTHING] and not any(below[:-1])


def _kind_of_path(texts: ItemTexts) -> str | None:
    """FASHION or a kind that is not, by the deepest step that names either; None: no step does."""
    lexicon = texts.lexicon
    within_fashion = lexicon.roots.get(texts.first_step) == _FASHION_ROOT
    clothing = False
    for step in reversed(texts.steps):
        kind = _head(lexicon.kinds_in(step.text), lexicon) or _branch(step, lexicon)
        if kind == NOTHING:
            # "Clothing": of dogs and dolls, too.
            clothing = True
        elif kind == FASHION or kind in lexicon.weak:
            return FASHION
        elif kind is not None and clothing:
            return kind if kind in _WITH_CLOTHING and not step.several else FASHION
        elif kind is not None and not within_fashion:
            return kind
    return FASHION if clothing else None


def _branch(step: Step, lexicon: Lexicon) -> str | None:
    """The kind of a shop's branch, by its whole name or by the parts of it that are known."""
    whole = lexicon.branches.get(step.text)
    parts = {lexicon.branches[part] for part in step.parts if part in lexicon.branches}
    return whole or (parts.pop() if len(parts) == 1 else None)


def _kind_of_title(texts: ItemTexts) -> str | None:
    """FASHION or a kind that is not, by the head noun of the title; None: unknown."""
    lexicon = texts.lexicon
    if wearers := lexicon.wearers.find(texts.title):
        return wearers[0]
    whole = lexicon.kinds_in(texts.title) if lexicon.head_first else []
    if whole and whole[0] not in lexicon.weak:
        return FASHION if whole[0] == NOTHING else whole[0]
    clauses = [(lexicon.kinds_in(clause.text), clause) for clause in texts.clauses]
    for index, (found, named) in enumerate(clauses):
        head = _head(found, lexicon)
        if head is None:
            continue
        if head == NOTHING and named.several and not lexicon.head_first:
            # "Oven gloves and apron": the more specific word names the set.
            head = next((kind for kind in reversed(found) if kind != NOTHING), head)
        if head not in lexicon.weak:
            return FASHION if head == NOTHING else head
        # "Tank for fish", "Tank (aquarium)": another word says which of its things a word means.
        purposes = [
            kind for kinds, clause in clauses[index + 1 :] if clause.is_purpose for kind in kinds
        ]
        others = lexicon.weak[head]
        return next((kind for kind in [*found, *purposes] if kind in others), FASHION)
    return None


def _head(found: Sequence[str], lexicon: Lexicon) -> str | None:
    if not found:
        return None
    return found[0] if lexicon.head_first else found[-1]
