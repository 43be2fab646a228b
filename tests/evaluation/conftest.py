from pathlib import Path

import pytest

from sandbox.life import Truth, World, draw_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("world")
    return draw_world(folder, seed=21, products=150, looks=10, pictured=40)


@pytest.fixture(scope="session")
def truth(world: World) -> Truth:
    return world.truth()
