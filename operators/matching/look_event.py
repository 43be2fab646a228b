"""Build the one event that a look ends with, matched or refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from operators.matching.journal import Journal
from operators.matching.parts import MatchParts
from schemas.errors import DeadlineExceeded, LookSyncError
from schemas.ids import matched_event_id
from schemas.looks import LayerMatch, Look, LookMatches


def look_event(
    look: Look,
    parts: MatchParts,
    journal: Journal | None = None,
    *,
    layers: Sequence[LayerMatch] = (),
    refused: LookSyncError | None = None,
    cached: bool = False,
) -> LookMatches:
    """The event of ``look``: ``layers``, or why it was refused.

    Without a journal (the look was given up outside :func:`operators.matching.match.match_look`)
    the event has no timings.
    """
    models = {
        "encoder": parts.encoder.fingerprint,
        "calibration": parts.calibration.source(by_model=parts.vlm is not None),
    }
    if parts.vlm is not None:
        models["vlm"] = parts.vlm.fingerprint
    degraded = list(journal.degraded) if journal else []
    if isinstance(refused, DeadlineExceeded):
        degraded.append("look:deadline")
    return LookMatches(
        event_id=matched_event_id(look.look_id),
        look_id=look.look_id,
        user_id=look.user_id,
        market=look.market,
        gender=look.gender,
        preferences=look.preferences,
        layers=tuple(layers),
        refused=refused.reason if refused else None,
        refused_because=str(refused) if refused else None,
        degraded=tuple(degraded),
        models=models,
        index_generation=parts.index.generation,
        timings_ms=journal.timings_ms() if journal else {},
        cached=cached,
        matched_at=datetime.now(UTC),
    )
