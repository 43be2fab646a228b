"""``looksync match``: one picture through the very function that the look flow runs."""

from __future__ import annotations

import uuid
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dataflows.wiring.parts import open_look_parts
from operators.budget import Budget
from operators.matching.match import match_look
from schemas.attributes import Gender
from schemas.errors import ImageRefused
from schemas.looks import ImageReference, Look, LookMatches
from schemas.settings import Settings


async def match_picture(
    image: str, settings: Settings, *, market: str | None, gender: str | None
) -> LookMatches:
    """The event that a look with this picture would get.

    ``image``: a file, or a http(s) URL. A file is read here (the person at the keyboard may read
    it) and goes through the guard as bytes; a URL goes through the guard as any other.
    """
    look = Look(
        look_id=f"match-{uuid.uuid4()}",
        image=_reference(image, settings),
        market=market,
        gender=Gender(gender) if gender else None,
    )
    async with open_look_parts(settings, online=True) as parts:
        budget = Budget.of(settings.stream.looks.deadline_seconds)
        return await match_look(look, parts.match, budget)


def _reference(image: str, settings: Settings) -> ImageReference:
    if image.startswith(("http://", "https://")):
        return ImageReference(url=image)
    path = Path(image.removeprefix("file://"))
    try:
        if path.stat().st_size > settings.images.max_bytes:
            raise ImageRefused(
                f"{path} has {path.stat().st_size:,} bytes, more than images.max_bytes = "
                f"{settings.images.max_bytes:,}",
                reason="too-large",
            )
        data = path.read_bytes()
    except OSError as error:
        raise ImageRefused(f"{path} cannot be read: {error.strerror}", reason="not-found") from None
    return ImageReference.model_construct(url=None, data=data)


def print_matches(matches: LookMatches, console: Console) -> None:
    """A table per layer, and what was left out or went wrong."""
    if matches.refused:
        why = f"{matches.refused_because} ({matches.refused})"
        console.print(f"[bold red]refused[/]: {escape(why)}", highlight=False)
        return
    for layer in matches.layers:
        console.print(f"\n[bold]{layer.layer.value}[/]: {layer.query}", highlight=False)
        if layer.abstained:
            console.print(f"  no product shown: {layer.abstained}")
            continue
        table = Table("", "product", "title", "price", "score", "similarity", highlight=False)
        for found in layer.products:
            update = found.product.update
            price = f"{update.price.major:,} {update.price.currency}" if update.price else ""
            table.add_row(
                str(found.rank),
                found.product.key,
                update.title[:60],
                price,
                f"{found.score:.3f}",
                f"{found.similarity:.3f}",
            )
        console.print(table)
        if layer.relaxed:
            console.print(f"  relaxed: {', '.join(layer.relaxed)}")
    if not matches.layers:
        console.print("no layer was found in this picture")
    if matches.degraded:
        console.print(f"[yellow]degraded[/]: {', '.join(matches.degraded)}")
    stages = ", ".join(f"{stage} {ms:.0f} ms" for stage, ms in matches.timings_ms.items())
    console.print(f"[dim]{stages}[/]", highlight=False)
