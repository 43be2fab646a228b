"""Which files a job reads, by whom, and what it does about files that cannot be read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflows.flow_lock import begin_job, end_job, lock_flow
from dataflows.jobs.bulk.checkpoint import Checkpoint
from dataflows.jobs.bulk.readers import ROWS, Assignment, Chunk, Feed, read_shard, read_shards
from dataflows.jobs.bulk.shards import Progress, Shard, find_shards
from operators.catalog.feeds.read import ReadPacket
from operators.catalog.mapping import Mapping
from schemas.errors import Misconfigured
from tests.catalog.small_shop import MAPPING, item, mapping_of

FEED = '[feed]\nid = "id"\n'


@pytest.fixture
def mapping() -> Mapping:
    return mapping_of(MAPPING + FEED)


def write_rows(path: Path, rows: int) -> Path:
    lines = [json.dumps({"id": n, **item()}) + "\n" for n in range(rows)]
    path.write_text("".join(lines))
    return path


def ids(chunks: Iterator[Chunk]) -> list[str]:
    return [r.packet.product_id for c in chunks for r in c.rows if isinstance(r, ReadPacket)]


def test_a_folder_means_its_feed_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.jsonl", "a.csv.gz", "deep/c.xml", "notes.md", ".hidden.csv"):
        (tmp_path / name).write_text("x")
    found = find_shards([tmp_path, tmp_path / "b.jsonl", tmp_path / "notes.md"])
    names = [Path(shard.path).relative_to(tmp_path).as_posix() for shard in found]
    assert names == ["a.csv.gz", "b.jsonl", "deep/c.xml", "notes.md"]


def test_no_file_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(Misconfigured, match=str(path)):
            find_shards([path])


@pytest.mark.parametrize("rows", [0, 1, ROWS - 1, ROWS, 2 * ROWS + 3])
def test_a_shard_is_read_from_any_row(tmp_path: Path, mapping: Mapping, rows: int) -> None:
    path = write_rows(tmp_path / "a.jsonl", rows)
    for begin in {0, 1, rows // 2, rows}:
        if begin > rows:
            continue
        chunks = list(read_shard(Assignment(3, path, begin), mapping, 1))
        assert ids(iter(chunks)) == [str(n) for n in range(begin, rows)]
        assert [chunk.ended for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        assert chunks[-1].bytes_read == path.stat().st_size
        assert chunks[0].first == begin


def test_rows_before_the_place_where_a_file_breaks_off_are_read(
    tmp_path: Path, mapping: Mapping
) -> None:
    packed = gzip.compress(write_rows(tmp_path / "a.jsonl", 500).read_bytes())
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(packed[: len(packed) // 2])
    chunks = list(read_shard(Assignment(0, broken, 0), mapping, 1))
    assert chunks[-1].ended
    assert chunks[-1].problem is not None
    assert "broken.jsonl.gz" in chunks[-1].problem


async def test_processes_read_all_shards(tmp_path: Path, mapping: Mapping) -> None:
    sizes = (250, 1, 0, 120)
    shards = [
        Assignment(n, write_rows(tmp_path / f"{n}.jsonl", rows), 0) for n, rows in enumerate(sizes)
    ]
    read = dict.fromkeys(range(4), 0)
    async for chunk in read_shards(shards, Feed(mapping, 1), processes=2):
        assert chunk.first == read[chunk.shard], "a shard's rows come in order"
        read[chunk.shard] += len(chunk.rows)
    assert tuple(read.values()) == sizes


async def test_a_mapping_that_reads_no_files_ends_the_job(tmp_path: Path) -> None:
    shard = Assignment(0, write_rows(tmp_path / "0.jsonl", 1), 0)
    with pytest.raises(Misconfigured, match="feed"):
        async for _ in read_shards([shard], Feed(mapping_of(MAPPING), 1), processes=1):
            pass


def test_rows_finish_in_any_order() -> None:
    progress = Progress(2, [4])
    progress.mark(3)
    assert (progress.position, progress.beyond) == (2, [3, 4])
    assert [row for row in range(7) if progress.is_done(row)] == [0, 1, 3, 4]
    progress.mark(2)
    assert (progress.position, progress.beyond) == (5, [])


def test_an_unfinished_job_resumes_with_the_same_files_only(tmp_path: Path) -> None:
    shards = [Shard(path="a.csv", size=1, modified_ns=1)]
    begun = Checkpoint.resume_or_begin(tmp_path, "shop", shards, 7)
    begun.check_target("encoder-a", "index-a")
    begun.save(tmp_path)
    again = Checkpoint.resume_or_begin(tmp_path, "shop", shards, 8)
    assert (again.run, again.version) == (begun.run, 7)
    with pytest.raises(Misconfigured, match="encoder-a"):
        again.check_target("encoder-b", "index-a")
    with pytest.raises(Misconfigured, match="reads shop"):
        Checkpoint.resume_or_begin(tmp_path, "other", shards, 8)
    changed = [Shard(path="a.csv", size=2, modified_ns=1)]
    with pytest.raises(Misconfigured, match=r"a\.csv differs"):
        Checkpoint.resume_or_begin(tmp_path, "shop", changed, 8)
    begun.finished = True
    begun.save(tmp_path)
    assert Checkpoint.resume_or_begin(tmp_path, "shop", changed, 8).version == 8


def test_flow_and_job_exclude_each_other_even_after_a_kill(tmp_path: Path) -> None:
    recovery, job, other = tmp_path / "catalog", tmp_path / "job", tmp_path / "other"
    with (
        lock_flow("catalog", recovery),
        pytest.raises(Misconfigured, match="is running"),
        lock_flow("catalog", recovery, job),
    ):
        pass
    with lock_flow("catalog", recovery, job):
        begin_job(recovery, job)  # and then it is killed: the lock is gone, the note stays
    for wants in (None, other):
        with (
            pytest.raises(Misconfigured, match="until it ends"),
            lock_flow("catalog", recovery, wants),
        ):
            pass
    with lock_flow("catalog", recovery, job):
        end_job(recovery)
    with lock_flow("catalog", recovery):
        pass
