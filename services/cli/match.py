"""``looksync match``: match one picture as the look flow does."""

from __future__ import annotations

import uuid

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dataflows.wiring.parts import open_look_parts
from operators.budget import Budget
from operators.images.files import own_picture
from operators.matching.match import UNFAMILIAR, match_look
from schemas.attributes import Gender
from schemas.looks import Look, LookMatches, MatchedProduct
from schemas.settings import Settings
from services.cli.console import as_text


async def match_picture(
    image: str, settings: Settings, *, market: str | None, gender: str | None
) -> LookMatches:
    """Build the event of a look with this picture.

    ``image``: a file, which is read with the user's permissions, or an http(s) URL.
    """
    look = Look(
        look_id=f"match-{uuid.uuid4()}",
        image=own_picture(image, settings.images.max_bytes),
        market=market,
        gender=Gender(gender) if gender else None,
    )
    seconds = settings.stream.looks.deadline_seconds
    if settings.vlm.kind == "embedded":
        seconds += LOADING_SECONDS
    async with open_look_parts(settings, online=True, one_look=True) as parts:
        return await match_look(look, parts.match, Budget.of(seconds))


LOADING_SECONDS = 60.0
"""Allowed for an embedded model that is loaded because the look is not known."""

KEY_WIDTH = 20
"""Characters; most product keys fit. Longer ones take several lines."""

_PROBABILITIES = {
    "shipped": "those of the encoder",
    "catalog": "fitted to the catalog",
    "judged": "fitted to judged looks",
}
"""Where they come from, by ``models.calibration`` of an event; otherwise there are none."""


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
        table = Table(highlight=False)
        for heading in ("", "", "product", "title", "price", "similarity"):
            # Keys are copied from here, so that they are folded rather than cut.
            least = KEY_WIDTH if heading == "product" else None
            table.add_column(heading, overflow="fold", min_width=least)
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
    if fitted_to := _PROBABILITIES.get(matches.models.get("calibration", "")):
        console.print(f"[dim]probabilities: {fitted_to}[/]", highlight=False)
    else:
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
