from __future__ import annotations

import pytest

from dataflows.jobs.bulk import run


@pytest.fixture(autouse=True)
def quick_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many commits in a test of milliseconds."""
    monkeypatch.setattr(run, "COMMIT_SECONDS", 0.002)
