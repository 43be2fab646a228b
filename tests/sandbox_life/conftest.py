from pathlib import Path

import pytest

from sandbox.life import Truth, World, draw_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("a wörld of 100%")
    return draw_world(folder, seed=11, products=240, looks=16, pictured=60)


@pytest.fixture(scope="session")
def truth(world: World) -> Truth:
    return world.truth()
