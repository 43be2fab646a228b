"""``looksync models``: list the known encoders, download one into a folder."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from operators.models.encoder_table import ENCODERS, EncoderDescription, known_encoder
from schemas.errors import Misconfigured


def print_encoders(console: Console) -> None:
    """Print the table of encoders."""
    table = Table("name, checkpoint, licence", box=SIMPLE_HEAD, highlight=False)
    for title in ("text", "layers", "dimension", "pixels", "x ViT-B/32"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in ENCODERS:
        checkpoint = row.checkpoint if row.on_hub else "ships with the project"
        table.add_row(
            f"{row.name}\n  [dim]{checkpoint}\n  {row.library}, {row.licence}[/]",
            "yes" if row.reads_text else "no",
            "yes" if row.finds_layers else "no",
            str(row.dimension),
            str(row.resolution),
            f"{row.relative_cost:.2f}",
        )
    console.print(table)


def fetch_model(name: str, folder: Path | None, console: Console) -> None:
    """Fetch ``name`` into ``folder`` (default: var/models/NAME), verify the files, load them."""
    # Not at the top: `models list` needs neither the hub's client nor torch.
    from operators.models.fetch import fetch_encoder

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
    from PIL import Image

    from operators.models.load_encoder import load_encoder
    from schemas.settings import EncoderSettings

    encoder = load_encoder(EncoderSettings(model=f"local-dir:{folder}"))
    try:
        await encoder.encode_image(Image.new("RGB", (8, 8)))
        if row.reads_text:
            await encoder.encode_text("a shirt")
    finally:
        await encoder.close()
    found = (
        encoder.dimension,
        encoder.resolution,
        encoder.normalisation,
        encoder.reads_text,
        encoder.finds_layers,
    )
    expected = (
        row.dimension,
        row.resolution,
        (row.normalisation.mean, row.normalisation.std),
        row.reads_text,
        row.finds_layers,
    )
    if found != expected:
        raise Misconfigured(
            f"{folder} holds another model than {row.name}: (dimension, pixels, normalisation, "
            f"text, finds layers) are {found} instead of {expected}"
        )
    return encoder.fingerprint
