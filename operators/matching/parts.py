"""What the look flow is given to work with; built by the composition root."""

from __future__ import annotations

from dataclasses import dataclass

from operators.matching.calibration import Calibration
from operators.matching.tagger import Tagger
from operators.ports import (
    Cache,
    ImageTextEncoder,
    Ledger,
    PictureSource,
    QuerySegmenter,
    Segmenter,
    Thumbnails,
    VectorStore,
    VisionLanguageModel,
)
from schemas.settings import MatchingSettings


@dataclass(frozen=True, slots=True)
class MatchParts:
    """Everything is shared by concurrent looks."""

    pictures: PictureSource
    encoder: ImageTextEncoder
    index: VectorStore
    ledger: Ledger
    segmenter: Segmenter
    tagger: Tagger
    calibration: Calibration
    """Belongs to the encoder."""
    thumbnails: Thumbnails
    settings: MatchingSettings
    waits_for_ledger: bool = True
    """True, in the stream: a look whose products cannot be checked with the ledger is tried again.
    False, online: it is answered now by what the index knows, and says so."""
    cache: Cache | None = None
    """None: every look is matched anew."""
    vlm: VisionLanguageModel | None = None
    """None: the tagger describes, similarity ranks; that is no degradation."""
    cutter: QuerySegmenter | None = None
    """Cuts out a layer whose products the model could not judge; None: the layer's square does."""
