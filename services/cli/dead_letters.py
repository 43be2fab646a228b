"""``looksync dlq``: list, show, replay and discard dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table

from dataflows.wiring.letters import Letters
from operators.streaming.dead_letters import WAITING, StoredLetter, tally
from operators.streaming.letter_selection import Selection
from schemas.errors import Misconfigured
from schemas.settings import Settings
from services.cli.console import as_text

SHOWN_BYTES = 4000


def print_letters(settings: Settings, topic: str | None, console: Console) -> None:
    """Print counts by reason and a table of the letters, of one source topic or of all."""
    names = [topic] if topic else [settings.topics.updates, settings.topics.looks]
    for name in names:
        opened = Letters.of(settings.topics, name)
        letters, settled = list(opened.read()), opened.settled()
        counts = tally(letters, settled)
        summary = ", ".join(f"{number} {state}" for state, number in sorted(counts.states.items()))
        console.print(
            f"[bold]{name}[/]: {len(letters)} dead letters" + (summary and f" ({summary})")
        )
        if not letters:
            continue
        reasons = counts.reasons.most_common()
        console.print("  " + ", ".join(f"{reason} {n}" for reason, n in reasons))
        console.print(_table(letters, settled))


def print_letter(settings: Settings, topic: str, letter: str, console: Console) -> None:
    """Print one letter (``partition/offset``) with its headers and the record's bytes."""
    stored = _find(settings, topic, letter)
    for name, value in stored.letter.model_dump(mode="json").items():
        console.print(f"[bold]{name:12}[/] ", end="")
        console.print(as_text(str(value)), highlight=False)
    console.print(f"[bold]{'key':12}[/] ", end="")
    console.print(as_text(repr(stored.record.key)), highlight=False)
    shown = stored.record.value[:SHOWN_BYTES].decode(errors="backslashreplace")
    console.print(as_text(shown), highlight=False)
    if len(stored.record.value) > SHOWN_BYTES:
        console.print(f"... {len(stored.record.value):,} bytes in total")


def print_selected(settings: Settings, topic: str, selection: Selection, console: Console) -> None:
    """Print the letters that a replay or discard would settle."""
    letters = Letters.of(settings.topics, topic)
    chosen = selection.choose(letters.read(), letters.settled())
    console.print(f"[bold]{topic}[/]: {len(chosen)} dead letters selected")
    if chosen:
        console.print(_table(chosen.values(), {}))


def replay(settings: Settings, topic: str, selection: Selection) -> int:
    """Replay letters of ``topic`` on it, each at most once; return their number."""
    return Letters.of(settings.topics, topic).replay(selection)


def discard(settings: Settings, topic: str, selection: Selection) -> int:
    """Settle letters of ``topic`` without a replay; return their number."""
    return Letters.of(settings.topics, topic).discard(selection)


def _table(letters: Iterable[StoredLetter], settled: Mapping[str, str]) -> Table:
    table = Table(highlight=False)
    for heading in ("letter", "key", "stage", "reason", "tries", "last", "state", "message"):
        table.add_column(heading, overflow="fold")
    for stored in letters:
        letter = stored.letter
        table.add_row(
            f"{letter.partition}/{letter.offset}",
            as_text(_escape(stored.record.key)),
            letter.stage,
            letter.reason,
            str(letter.attempts),
            f"{letter.last_time:%Y-%m-%d %H:%M}Z",
            settled.get(stored.name, WAITING),
            as_text(letter.message[:120]),
        )
    return table


def _find(settings: Settings, topic: str, letter: str) -> StoredLetter:
    for stored in Letters.of(settings.topics, topic).read():
        if letter in (f"{stored.letter.partition}/{stored.letter.offset}", stored.name):
            return stored
    raise Misconfigured(f"{topic} has no dead letter {letter}; `looksync dlq list` shows them")


def _escape(key: str) -> str:
    """``key`` for a terminal, with bytes that are not text escaped."""
    return key.encode(errors="backslashreplace").decode()
