"""First the person, then the layers: the part of a look's picture that is matched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL.Image import Image

from operators.matching.crops import Frame
from operators.matching.light import level_light
from operators.matching.look_run import LookRun
from operators.ports import Picture
from schemas.looks import Region

MARGIN = 0.06
"""Added above and beside the person, as a share of the person's height: hair, soles and bags
stick out of a box that is only as fine as an encoder's patches."""

BELOW = 0.2
"""Added below instead: bare legs often look like background, and the shoes under them are lost."""

ASPECT = 2 / 3
"""Least width of the frame, relative to its height: that of a portrait. Models were trained on
these, and a tall narrow strip would be squeezed by a square input."""

MOST_OF_THE_PICTURE = 0.6
"""A frame with a larger share of the picture is not worth a crop, which may cut off shoes or a hat
that look like background: the whole picture is matched. Of 100 drawn looks, whose person fills the
picture, none is cropped."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """Who is matched, and the picture that the models see."""

    image: Image
    """The part of the look's picture around the person, or all of it."""
    frame: Frame
    """Where ``image`` lies in the look's picture."""
    size: tuple[int, int]
    """Width and height of the look's picture, in pixels."""
    person: Region | None
    """In the look's picture; None: no person was found, e.g. in a product photograph."""

    def fills(self, picture: Image) -> bool:
        """Whether ``image`` shows all of ``picture``."""
        return self.image.size == picture.size

    def shown_in(self, picture: Picture) -> Picture:
        """``picture``, the look's, with only what the models see of it."""
        if self.image is picture.image:
            return picture
        frame = self.frame
        part = f"{frame.x:.0f},{frame.y:.0f},{frame.width:.0f},{frame.height:.0f}"
        # Answers of models are cached by this hash.
        return replace(picture, image=self.image, pixel_hash=f"{picture.pixel_hash}/{part}")

    def person_shown(self) -> Region | None:
        """The person in ``image``."""
        if self.person is None:
            return None
        frame, (width, height) = self.frame, self.size
        look = Frame(-frame.x, -frame.y, width, height)
        return look.region(self.person, round(frame.width), round(frame.height))

    def region_in_look(self, region: Region) -> Region:
        """Convert a region of ``image`` to one of the look's picture."""
        return self.frame.region(region, *self.size)


async def find_subject(run: LookRun, picture: Image) -> Subject:
    """The person asked for, or else the largest; without a person the whole picture. In good light.

    Raises DeadlineExceeded.
    """
    finder, picture = run.parts.person_finder, level_light(picture)
    if finder is None:
        return subject_of(picture, [], None)
    with run.journal.stage("person"):
        async with run.budget.enforced("person"):
            subject = subject_of(picture, await finder.find_people(picture), run.look.person)
            if subject.person is None or subject.fills(picture):
                return subject
            # Once more, closer: a small person's box is as coarse as the patches of the whole.
            closer = await finder.find_people(subject.image)
            people = [subject.region_in_look(one) for one in closer] or [subject.person]
            return subject_of(picture, people, subject.person)


def subject_of(picture: Image, people: Sequence[Region], wanted: Region | None) -> Subject:
    """The part of ``picture`` around one of ``people``: the one nearest to ``wanted``, or else the
    largest; the whole picture without people, or when it shows little else."""
    whole = Frame(0, 0, picture.width, picture.height)
    if not people:
        return Subject(picture, whole, picture.size, None)
    if wanted is None:
        person = max(people, key=_area)
    else:
        person = max(people, key=lambda one: (overlap(one, wanted), -_distance(one, wanted)))
    x0, y0, x1, y1 = _box_around(person, picture.size)
    frame = Frame(x0, y0, x1 - x0, y1 - y0)
    if frame.width * frame.height > MOST_OF_THE_PICTURE * whole.width * whole.height:
        return Subject(picture, whole, picture.size, person)
    return Subject(picture.crop((x0, y0, x1, y1)), frame, picture.size, person)


def overlap(one: Region, other: Region) -> float:
    """Intersection over union, 0..1."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(one) + _area(other) - shared)


def _box_around(person: Region, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 in whole pixels: the person with MARGIN, at least ASPECT wide."""
    width, height = size
    tall = (person.y1 - person.y0) * height
    margin = MARGIN * tall
    x0, x1 = person.x0 * width - margin, person.x1 * width + margin
    y0 = max(0.0, person.y0 * height - margin)
    y1 = min(float(height), person.y1 * height + BELOW * tall)
    missing = max(0.0, (y1 - y0) * ASPECT - (x1 - x0)) / 2
    return (
        max(0, round(x0 - missing)),
        round(y0),
        min(width, round(x1 + missing)),
        round(y1),
    )


def _area(region: Region) -> float:
    return (region.x1 - region.x0) * (region.y1 - region.y0)


def _distance(one: Region, other: Region) -> float:
    return abs(one.x0 + one.x1 - other.x0 - other.x1)
