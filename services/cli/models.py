"""``looksync models``: list the known encoders, download one into a folder."""

from __future__ import annotations

import asyncio
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table

from operators.models.encoder_table import ENCODERS, EncoderDescription, known_encoder
from operators.models.fetch import fetch_encoder
from operators.models.load_encoder import load_encoder
from schemas.errors import Misconfigured
from schemas.settings import EncoderSettings


def print_encoders(console: Console) -> None:
    """Print the table of encoders."""
    table = Table("name and checkpoint", highlight=False)
    for title in ("library", "text", "dimension", "pixels", "x ViT-B/32", "licence"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in ENCODERS:
        table.add_row(
            f"{row.name}\n  [dim]{row.checkpoint if row.on_hub else 'ships with the project'}[/]",
            row.library,
            "yes" if row.reads_text else "no",
            str(row.dimension),
            str(row.resolution),
            f"{row.relative_cost:.2f}",
            row.licence,
        )
    console.print(table)


def fetch_model(name: str, folder: Path | None, console: Console) -> None:
    """Fetch ``name`` into ``folder`` (default: var/models/NAME), verify the files, load them."""
    row = known_encoder(name)
    fetched = fetch_encoder(row, folder or Path("var") / "models" / name)
    for file, size in fetched.sizes.items():
        console.print(f"  {file}: {size:,} bytes, verified", highlight=False)
    fingerprint = asyncio.run(_verify(row, fetched.folder))
    console.print(f"{fingerprint} loads, at revision {fetched.revision}", highlight=False)
    console.print(f'encoder.model = "local-dir:{fetched.folder}"', highlight=False, markup=False)


async def _verify(row: EncoderDescription, folder: Path) -> str:
    """Load the model in ``folder`` and return its fingerprint.

    Raises Misconfigured when it does not load or differs from the table.
    """
    encoder = load_encoder(EncoderSettings(model=f"local-dir:{folder}"))
    try:
        await encoder.encode_image(Image.new("RGB", (8, 8)))
        if row.reads_text:
            await encoder.encode_text("a shirt")
    finally:
        await encoder.close()
    found = (encoder.dimension, encoder.resolution, encoder.normalisation, encoder.reads_text)
    expected = (
        row.dimension,
        row.resolution,
        (row.normalisation.mean, row.normalisation.std),
        row.reads_text,
    )
    if found != expected:
        raise Misconfigured(
            f"{folder} holds another model than {row.name}: (dimension, pixels, normalisation, "
            f"text) are {found} instead of {expected}"
        )
    return encoder.fingerprint
