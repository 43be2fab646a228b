"""What all routes share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from PIL.Image import Image

from dataflows.wiring.online import OnlineParts
from operators.budget import Budget
from operators.matching.match import match_look
from operators.matching.parts import MatchParts
from schemas.looks import Look, LookMatches
from schemas.settings import Settings
from services.api.access import Access
from services.api.admission import Admission, Coalescer
from services.api.arrivals import Arrivals
from services.api.links import Links
from services.api.look_pictures import LookPictures

Matcher = Callable[[Look, MatchParts, Budget], Awaitable[LookMatches]]


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """A picture that was matched now."""

    event: LookMatches
    picture: Image | None
    """Decoded; None: it was refused."""


@dataclass(frozen=True, slots=True)
class Api:
    """The parts of the API."""

    settings: Settings
    parts: OnlineParts
    access: Access
    admission: Admission
    arrivals: Arrivals
    links: Links
    pictures: LookPictures
    matcher: Matcher = match_look
    previews: Coalescer[Preview] = field(default_factory=Coalescer)

    def budget(self, asked_seconds: float | None) -> Budget:
        """The time budget of a request, at most ``api.max_deadline_seconds``."""
        own = self.settings.api
        seconds = own.deadline_seconds if asked_seconds is None else asked_seconds
        return Budget.of(min(seconds, own.max_deadline_seconds))
