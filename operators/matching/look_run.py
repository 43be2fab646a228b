"""The context of matching one look, passed to every stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from operators.budget import Budget
from operators.matching.journal import Journal
from operators.matching.parts import MatchParts
from schemas.looks import Look


@dataclass(frozen=True, slots=True, eq=False)
class LookRun:
    """One look, the parts it is matched with, its time budget and its journal."""

    look: Look
    parts: MatchParts
    budget: Budget
    journal: Journal = field(default_factory=Journal)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    """The moment that prices are of."""
