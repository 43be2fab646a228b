"""Ids that were read before, in memory and beyond it on disk."""

from __future__ import annotations

from operators.catalog.ingest.seen import First, SeenIds


def test_ids_beyond_memory_are_on_disk() -> None:
    with SeenIds(max_in_memory=2) as seen:
        for number in range(6):
            assert seen.first(f"id-{number}", 0, number, b"a") is None
        seen.mark_present("late")
        assert seen.first("id-1", 1, 9, b"a") == First(0, 1, same=True)
        assert seen.first("id-5", 1, 9, b"b") == First(0, 5, same=False)
        assert seen.is_present("late")
        assert not seen.is_present("id-1")
