"""The collector rests while libraries are imported, and never longer."""

from __future__ import annotations

import gc

import pytest

from operators.importing import collector_paused


def test_garbage_is_collected_again_afterwards() -> None:
    with collector_paused():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_garbage_is_collected_again_after_an_import_that_failed() -> None:
    with pytest.raises(ModuleNotFoundError), collector_paused():
        import looksync_nowhere  # type: ignore[import-not-found]  # noqa: F401
    assert gc.isenabled()
