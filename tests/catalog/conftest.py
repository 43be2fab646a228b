from __future__ import annotations

import pytest

from operators.catalog.mapping import Mapping, load_mappings
from tests.catalog.small_shop import Stream


@pytest.fixture(scope="session")
def mappings() -> dict[str, Mapping]:
    """The shipped mappings, by vendor."""
    return load_mappings()


@pytest.fixture
def google(mappings: dict[str, Mapping]) -> Mapping:
    return mappings["google_merchant"]


@pytest.fixture
def stream() -> Stream:
    """A catalog flow over an empty shop."""
    return Stream()
