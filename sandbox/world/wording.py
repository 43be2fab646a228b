"""Descriptions of garments: the canonical query, and the phrasings of people and vendors."""

import random
import zlib

from sandbox.world.garments import ATTRIBUTES, PATTERN_NOUNS, Garment

Claims = frozenset[str]
"""The attributes that a sentence states; it is true of every garment with these values."""

_EVERYTHING: Claims = frozenset(ATTRIBUTES)
_BRANDS = ("Aldra", "Nima", "Kesto", "Vale & Orr", "Tomoe", "Rua", "Sundari", "Northlane")
_WEARERS = ("women's", "men's", "unisex", "ladies", "kids'")


def _cut(garment: Garment) -> list[str]:
    return [cut for cut in (garment.length, garment.sleeve, garment.neckline) if cut]


def describe(garment: Garment) -> str:
    """The canonical query: "red striped short sleeve crew neck t-shirt with white stripes"."""
    words = " ".join([garment.colour, garment.pattern, *_cut(garment), garment.type])
    return words + _second(garment)


def held_out(garment: Garment) -> bool:
    """Whether the combination is among the tenth of patterned ones held out from training."""
    return garment.pattern != "solid" and zlib.crc32(describe(garment).encode()) % 10 == 0


def caption(garment: Garment, rng: random.Random) -> str:
    """A true sentence about the garment, of varying detail and phrasing, for training."""
    return phrase(garment, rng)[0]


def phrase(garment: Garment, rng: random.Random) -> tuple[str, Claims]:
    """A caption and the attributes it states; several garments may share a caption."""
    draw = rng.random()
    if draw < 0.42:
        return describe(garment), _EVERYTHING
    if draw < 0.75:
        return rng.choice(_FULL)(garment, rng), _EVERYTHING
    return _brief(garment, rng)


def _second(garment: Garment) -> str:
    if garment.second_colour is None:
        return ""
    return f" with {garment.second_colour} {PATTERN_NOUNS[garment.pattern]}"


def _photo(garment: Garment, rng: random.Random) -> str:
    frame = rng.choice(("a photo of a {}", "a picture of a {}", "a person wearing a {}", "a {}"))
    return frame.format(describe(garment))


def _without_solid(garment: Garment, rng: random.Random) -> str:
    return describe(garment).replace("solid ", rng.choice(("", "", "plain ")))


def _type_first(garment: Garment, rng: random.Random) -> str:
    cut = ", ".join(_cut(garment))
    pattern = "plain" if garment.pattern == "solid" else garment.pattern
    second = f" and {garment.second_colour}" if garment.second_colour else ""
    return ", ".join(x for x in (garment.type, f"{garment.colour}{second}", pattern, cut) if x)


def _with_department(garment: Garment, rng: random.Random) -> str:
    return f"{garment.department}: {describe(garment)}"


def _vendor_title(garment: Garment, rng: random.Random) -> str:
    cut = " ".join(_cut(garment))
    pattern = "" if garment.pattern == "solid" else garment.pattern
    name = " ".join(x for x in (garment.colour, pattern, cut, garment.type) if x).title()
    brand = rng.choice(_BRANDS) if rng.random() < 0.6 else rng.choice(_WEARERS).capitalize()
    tail = f" ({garment.colour}/{garment.second_colour})" if garment.second_colour else ""
    return f"{brand} {name}{tail}"


def _in_colour(garment: Garment, rng: random.Random) -> str:
    words = " ".join([*_cut(garment), garment.type, "in", garment.colour])
    return words + (_second(garment) or ", plain")


_FULL = (_photo, _without_solid, _type_first, _with_department, _vendor_title, _in_colour)


def _brief(garment: Garment, rng: random.Random) -> tuple[str, Claims]:
    """A sentence with few attributes, like zero-shot prompts and short searches."""
    kind = rng.randrange(8)
    frame = rng.choice(("{}", "a {}", "a photo of a {}"))
    department, of_type = frozenset({"department"}), frozenset({"department", "type"})
    if kind == 0:
        return frame.format(garment.type), of_type
    if kind == 1:
        return frame.format(garment.department), department
    if kind == 2:
        words = rng.choice((garment.pattern, f"{garment.pattern} pattern"))
        return words, frozenset({"pattern"})
    if kind == 3:
        return rng.choice((garment.colour, f"{garment.colour} clothes")), frozenset({"colour"})
    if kind == 4:
        return frame.format(f"{garment.pattern} {garment.type}"), of_type | {"pattern"}
    if kind == 5:
        words = f"{garment.colour} {garment.pattern} {garment.type}"
        return frame.format(words), of_type | {"colour", "pattern"}
    if kind == 6:
        return f"{garment.colour} {garment.department}", department | {"colour"}
    return frame.format(f"{garment.colour} {garment.type}"), of_type | {"colour"}
