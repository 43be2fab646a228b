"""The second world shares no drawing code with the first, and training cannot see it."""

from __future__ import annotations

import ast

import numpy as np

from sandbox.second_world import second_world
from sandbox.world import COLOURS
from tests.house.sources import files, parse


def imported(folder: str) -> set[str]:
    """Modules of the project that the files below ``folder`` import."""
    found: set[str] = set()
    for path in files(folder):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
            elif isinstance(node, ast.Import):
                found |= {name.name for name in node.names}
    return {name for name in found if name.split(".")[0] in ("sandbox", "evaluation", "operators")}


def test_no_line_of_the_first_world_draws_the_second() -> None:
    assert {
        name for name in imported("sandbox/second_world") if "second_world" not in name
    } == set()


def test_training_imports_nothing_of_the_second_world() -> None:
    assert {name for name in imported("sandbox/training") if "second_world" in name} == set()


def test_shades_are_not_the_first_worlds_palette() -> None:
    world = second_world(seed=2, products=550, looks=0)
    palette = np.array(list(COLOURS.values())) / 255
    shades = np.array([product.style.shade for product in world.products])
    nearest = np.abs(shades[:, None] - palette[None]).max(axis=2).min(axis=1)
    assert (nearest < 0.004).mean() < 0.02
