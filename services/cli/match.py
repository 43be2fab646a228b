"""``looksync match``: match one picture as the look flow does."""

from __future__ import annotations

import uuid
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dataflows.wiring.parts import open_look_parts
from operators.budget import Budget
from operators.matching.match import UNFAMILIAR, match_look
from schemas.attributes import Gender
from schemas.errors import ImageRefused
from schemas.looks import ImageReference, Look, LookMatches, MatchedProduct
from schemas.settings import Settings
from services.cli.console import as_text


async def match_picture(
    image: str, settings: Settings, *, market: str | None, gender: str | None
) -> LookMatches:
    """Build the event of a look with this picture.

    ``image``: a file, or an http(s) URL. A file is read here, with the user's permissions, and
    passes the guard as bytes; a URL passes the guard like any other.
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


def _outcome(found: MatchedProduct) -> str:
    """What the product is to the layer, and the probability of that, e.g. "similar .93"."""
    known = "" if found.probability is None else f" {found.probability:.2f}".replace("0.", ".")
    return f"{found.outcome or ''}{known}"


def print_matches(matches: LookMatches, console: Console) -> None:
    """Print a table per layer, relaxed preferences and degradations."""
    if matches.refused:
        why = f"{matches.refused_because} ({matches.refused})"
        console.print(f"[bold red]refused[/]: {escape(why)}", highlight=False)
        return
    for layer in matches.layers:
        console.print(f"\n[bold]{layer.layer.value}[/]: ", end="")
        console.print(as_text(layer.query), highlight=False)
        if layer.abstained:
            console.print(f"  no product shown: {layer.abstained}")
            continue
        table = Table("", "", "product", "title", "price", "similarity", highlight=False)
        for found in layer.products:
            update = found.product.update
            price = f"{update.price.major:,} {update.price.currency}" if update.price else ""
            table.add_row(
                str(found.rank),
                _outcome(found),
                as_text(found.product.key),
                as_text(update.title[:60]),
                price,
                f"{found.similarity:.3f}",
            )
        console.print(table)
        if layer.relaxed:
            console.print(f"  relaxed: {', '.join(layer.relaxed)}")
    if not matches.layers:
        console.print("no layer was found in this picture")
    if matches.models.get("calibration") == "uncalibrated":
        console.print(
            "[yellow]uncalibrated[/]: no probabilities were fitted for this encoder, so every "
            "layer shows its nearest products; `looksync calibrate` fits them to the catalog"
        )
    if f"encoder:{UNFAMILIAR}" in matches.degraded:
        console.print(
            "[yellow]unfamiliar picture[/]: the sandbox's models know drawn garments only, so what "
            "they say of this picture means little; docs/models.md lists models for photographs"
        )
    if matches.degraded:
        console.print(f"[yellow]degraded[/]: {', '.join(matches.degraded)}")
    stages = ", ".join(f"{stage} {ms:.0f} ms" for stage, ms in matches.timings_ms.items())
    console.print(f"[dim]{stages}[/]", highlight=False)
