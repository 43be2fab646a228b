"""The order in which inferred preferences are relaxed when too few products satisfy them."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.attributes import Department
from schemas.looks import Preferences

LADDER = ("colours", "max_price", "min_price", "brands", "sizes", "excluded_brands")
"""From what shoppers give up most easily to dislikes, which are relaxed last."""


def ladder(
    inferred: Preferences, department: Department
) -> Iterator[tuple[tuple[str, ...], Preferences]]:
    """The inferred preferences unchanged, then with one more of them relaxed at each step.

    Each step yields the names of all preferences relaxed so far and the remaining preferences. A
    preference that does not restrict ``department`` makes no step. Explicit preferences are never
    relaxed and must not be passed here.
    """
    unrestricted = Preferences()
    relaxed: tuple[str, ...] = ()
    yield relaxed, inferred
    for name in LADDER:
        value = inferred.sizes.get(department) if name == "sizes" else getattr(inferred, name)
        if value:
            inferred = inferred.model_copy(update={name: getattr(unrestricted, name)})
            relaxed = (*relaxed, name)
            yield relaxed, inferred
