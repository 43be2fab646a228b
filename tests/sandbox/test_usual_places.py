"""Where layers usually are: the centres of groups of boxes."""

from sandbox.training.usual_places import usual_places
from schemas.looks import Region

LEFT, RIGHT = (0.0, 0.5, 0.2, 0.7), (0.8, 0.5, 1.0, 0.7)


def test_one_place_is_the_mean() -> None:
    assert usual_places([LEFT, RIGHT], 1) == (Region(x0=0.4, y0=0.5, x1=0.6, y1=0.7),)


def test_bags_on_either_side_have_two_places_within_the_person() -> None:
    boxes = [LEFT, (0.1, 0.5, 0.3, 0.7), RIGHT, (1.0, 0.5, 1.2, 0.7)]
    left, right = usual_places(boxes, 2)
    assert left == Region(x0=0.05, y0=0.5, x1=0.25, y1=0.7)
    assert right == Region(x0=0.9, y0=0.5, x1=1.0, y1=0.7)
