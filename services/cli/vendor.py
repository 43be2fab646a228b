"""The mapping that a command's user means: by its vendor's name, or a file from anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from rich.console import Console

from operators.catalog.mapping import Mapping, load_mappings
from schemas.errors import Misconfigured
from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class ChosenMapping:
    """A mapping, and what the catalog flow has for its vendor."""

    mapping: Mapping
    flow_has: Literal["this", "another", "none"]
    file: Path | None = None
    """Where it is from; None: it was named, so the flow has it."""


def choose_mapping(given: str, settings: Settings) -> ChosenMapping:
    """The mapping of the vendor called ``given``, else the one in the file ``given``.

    Raises Misconfigured, which says what was tried.
    """
    known = load_mappings(settings.catalog.mappings)
    if given in known:
        return ChosenMapping(known[given], "this")
    file = Path(given).expanduser().absolute()
    if not file.is_file():
        raise Misconfigured(_not_found(given, file, sorted(known), settings))
    mapping = Mapping.load(file)
    of_flow = known.get(mapping.vendor)
    if of_flow is None:
        return ChosenMapping(mapping, "none", file)
    return ChosenMapping(mapping, "this" if of_flow.digest == mapping.digest else "another", file)


def _not_found(given: str, file: Path, names: list[str], settings: Settings) -> str:
    places = settings.catalog.mappings or ()
    own = ", ".join(map(str, (places,) if isinstance(places, Path) else places))
    near = get_close_matches(file.stem, names, n=1)
    return (
        f"there is no mapping {given!r}{f'; did you mean {near[0]}?' if near else '.'} Tried: "
        f"{'a folder, no file' if file.is_dir() else 'no file'}: {file}; vendors of the shipped "
        f"mappings and of catalog.mappings ({own or 'not set'}): {', '.join(names)}"
    )


def tell_flow_needs(chosen: ChosenMapping, console: Console) -> None:
    """Say how the catalog flow, which maps the packets, gets to know the mapping, if it does not
    have it."""
    vendor = chosen.mapping.vendor
    if chosen.flow_has == "this":
        return
    if chosen.flow_has == "none":
        problem = (
            f"The catalog flow has no mapping of {vendor!r} yet: its packets become dead letters "
            "until it has."
        )
        after = ", and run `looksync dlq replay catalog.updates` for what it refused meanwhile."
    else:
        problem = (
            f"The catalog flow maps the packets of {vendor!r} by another mapping than "
            f"{chosen.file}, with which they were checked."
        )
        after = ", and ingest the files again."
    console.print(
        f'{problem} In looksync.toml, set\n  [catalog]\n  mappings = ["{chosen.file}"]\n'
        f"next to the other mappings, restart the flow{after}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
