"""Pictures that stand for many products, such as a vendor's "no picture available".

One picture with as many different titles as :data:`TITLES` shows none of those products. Counted
in the process, by vendor; a product remembers its placeholder in the ledger (decision 122).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

TITLES = 100
"""Different titles of a vendor with the same picture. Variants of one garment share a picture, and
their titles differ by colour and size: a shoe has about 40 of them."""

KEYS = 1_000
"""Products of a picture that are remembered, to be looked at again if it is a placeholder. Later
ones are found with their next packet."""

PICTURES = 20_000
"""Pictures that are counted, the latest used: about 8 MiB, as most have one title."""


@dataclass(slots=True)
class _Use:
    titles: set[int] = field(default_factory=set)
    """Hashes; emptied when the picture is a placeholder."""
    keys: set[str] = field(default_factory=set)
    is_placeholder: bool = False


class Placeholders:
    """Counts the titles of each picture. For one event loop."""

    def __init__(self, titles: int = TITLES, pictures: int = PICTURES) -> None:
        self._titles = titles
        self._pictures = pictures
        self._uses: OrderedDict[tuple[str, str], _Use] = OrderedDict()
        """By vendor and pixel hash, the latest used last."""

    def record(self, key: str, title: str, pixel_hash: str) -> bool:
        """Whether the picture is a placeholder, now that the product ``key`` has it, too."""
        use = self._uses.setdefault(_id(key, pixel_hash), _Use())
        self._uses.move_to_end(_id(key, pixel_hash))
        if len(self._uses) > self._pictures:
            self._uses.popitem(last=False)
        if not use.is_placeholder:
            use.titles.add(hash(title))
            use.is_placeholder = len(use.titles) >= self._titles
            if use.is_placeholder:
                use.titles = set()
            elif len(use.keys) < KEYS:
                use.keys.add(key)
        return use.is_placeholder

    def is_placeholder(self, key: str, pixel_hash: str) -> bool:
        """Whether the picture is known to be a placeholder of the vendor of product ``key``."""
        use = self._uses.get(_id(key, pixel_hash))
        return use is not None and use.is_placeholder

    def products_of(self, key: str, pixel_hash: str) -> set[str]:
        """Other products that were given the placeholder before it was known as one.

        The caller removes those it has dealt with.
        """
        use = self._uses.get(_id(key, pixel_hash))
        return use.keys if use is not None and use.is_placeholder else set()


def _id(key: str, pixel_hash: str) -> tuple[str, str]:
    return key.partition(":")[0], pixel_hash
