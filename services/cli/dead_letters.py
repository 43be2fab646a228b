"""Dead letters for people: which, why, and putting them back."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table

from dataflows.wiring.topics import FlowTopic, open_topic, replay_letters
from operators.streaming import dead_letters
from operators.streaming.dead_letters import StoredLetter
from schemas.errors import Misconfigured
from schemas.settings import Settings

SHOWN_BYTES = 4000


def print_letters(settings: Settings, topic: str | None, console: Console) -> None:
    """A table of letters, after their counts by reason; of one source topic, or of all."""
    names = [topic] if topic else [settings.topics.updates, settings.topics.looks]
    for name in names:
        letters = list(dead_letters.read_letters(_letters(settings, name)))
        console.print(f"[bold]{name}[/]: {len(letters)} dead letters")
        if not letters:
            continue
        counts = Counter(f"{stored.letter.stage}:{stored.letter.reason}" for stored in letters)
        console.print("  " + ", ".join(f"{reason} {n}" for reason, n in counts.most_common()))
        table = Table("letter", "key", "stage", "reason", "tries", "message", highlight=False)
        for stored in letters:
            letter = stored.letter
            table.add_row(
                f"{letter.partition}/{letter.offset}",
                _shown(stored.record.key[:40]),
                letter.stage,
                letter.reason,
                str(letter.attempts),
                letter.message[:120],
            )
        console.print(table)


def print_letter(settings: Settings, topic: str, letter: str, console: Console) -> None:
    """One letter (``partition/offset``) with its headers and the record's bytes."""
    stored = _find(settings, topic, letter)
    for name, value in stored.letter.model_dump(mode="json").items():
        console.print(f"[bold]{name:12}[/] ", end="")
        console.print(str(value), markup=False, highlight=False)
    console.print(f"[bold]{'key':12}[/] {stored.record.key!r}", highlight=False)
    shown = stored.record.value[:SHOWN_BYTES].decode(errors="backslashreplace")
    console.print(shown, markup=False, highlight=False)
    if len(stored.record.value) > SHOWN_BYTES:
        console.print(f"... {len(stored.record.value):,} bytes in all")


def replay(settings: Settings, topic: str) -> int:
    """Put the letters of ``topic`` back on it, each once; how many were put."""
    return replay_letters(_letters(settings, topic), open_topic(settings.topics, topic))


def _find(settings: Settings, topic: str, letter: str) -> StoredLetter:
    for stored in dead_letters.read_letters(_letters(settings, topic)):
        if letter in (f"{stored.letter.partition}/{stored.letter.offset}", stored.name):
            return stored
    raise Misconfigured(f"{topic} has no dead letter {letter}; `looksync dlq list` names them")


def _letters(settings: Settings, topic: str) -> FlowTopic:
    return open_topic(settings.topics, settings.topics.dead_letters(topic))


def _shown(key: str) -> str:
    """``key`` for a terminal; bytes that are no text are escaped."""
    return key.encode(errors="backslashreplace").decode()
