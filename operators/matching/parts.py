"""The components that the look flow works with; built by the composition root."""

from __future__ import annotations

from dataclasses import dataclass

from operators.matching.calibration import Calibration
from operators.matching.familiarity import Familiarity
from operators.matching.tagger import Tagger
from operators.ports import (
    Cache,
    ImageTextEncoder,
    Ledger,
    PersonFinder,
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
    """Concurrent looks share all parts."""

    pictures: PictureSource
    encoder: ImageTextEncoder
    index: VectorStore
    ledger: Ledger
    segmenter: Segmenter | None
    """None: neither a human parser nor the encoder finds layers; those that the vision-language
    model describes are where it, or the query segmenter, says."""
    tagger: Tagger | None
    """None: the encoder reads no text."""
    calibration: Calibration
    """Fitted for ``encoder``."""
    thumbnails: Thumbnails
    settings: MatchingSettings
    require_ledger: bool = True
    """Without a ledger: True (stream) raises, and the look is retried; False (online) answers from
    the index alone and reports the degradation."""
    cache: Cache | None = None
    """None: results are not cached."""
    vlm: VisionLanguageModel | None = None
    """None: the tagger describes layers and similarity ranks products; not a degradation."""
    familiarity: Familiarity | None = None
    """None: no picture is unfamiliar to the encoder."""
    person_finder: PersonFinder | None = None
    """None: the whole picture is matched, whoever it shows."""
    query_segmenter: QuerySegmenter | None = None
    """Finds a described layer that nobody else has found, and segments one whose products the
    vision-language model could not judge. None: the order by the layer's square crop is kept."""
