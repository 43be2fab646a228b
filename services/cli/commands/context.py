"""Shared by the commands: the settings of a call, and common options."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.errors import Misconfigured
from services.cli.console import report_errors

if TYPE_CHECKING:
    from schemas.settings import Settings

Seed = Annotated[int, typer.Option(min=0, help="Another seed draws another world.")]
Products = Annotated[int, typer.Option(min=20, max=1_000_000, help="Products in the world.")]
Every = Annotated[float, typer.Option(min=0.1, help="Seconds between two happenings.")]
Looks = Annotated[int, typer.Option(min=1, max=1_000_000, help="Looks to draw.")]


def config_file(context: typer.Context) -> Path | None:
    """The value of ``looksync --config``."""
    chosen: Path | None = context.find_root().obj
    return chosen


def settings_of(context: typer.Context) -> Settings:
    """Load the settings and configure logging; exit with a message when they are wrong.

    Commands call it before they import heavy modules, so that the message appears at once.
    """
    # Not at the top: --help and `models list` need no settings.
    from operators.logs import configure
    from schemas.settings import load_settings

    with report_errors():
        settings = load_settings(config_file(context))
    configure(settings.log_format)
    return settings


def time_of(option: str, text: str) -> datetime:
    """The time that an option gives; UTC without an offset. Raises Misconfigured."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Misconfigured(
            f"{option} {text}: not a time; write it as 2026-11-26 or 2026-11-26T14:00+01:00"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
