from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
from indexed_products import ALL, DIMENSION, FINGERPRINT, PLAIN, vector
from vector_store_contract import VectorStoreContract

from operators.stores.sqlite.index import SqliteIndex
from schemas.errors import IndexMismatch, Misconfigured, Unavailable
from schemas.settings import BatchSettings

WRITES = BatchSettings(max_size=32, max_wait_ms=1.0)
WRITER = Path(__file__).with_name("index_writer.py")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder made on opening" / "index.sqlite"


@pytest.fixture
async def open_store(path):
    opened = []

    async def open_store(fingerprint=FINGERPRINT, dimension=DIMENSION, observe=None):
        opened.append(
            SqliteIndex.open(
                path, fingerprint=fingerprint, dimension=dimension, writes=WRITES, observe=observe
            )
        )
        return opened[-1]

    yield open_store
    for index in opened:
        await index.close()


class TestSqliteIndex(VectorStoreContract):
    pass


async def test_an_index_of_another_encoder_is_not_opened_nor_changed(open_store):
    index = await open_store()
    await index.upsert("zari:1", vector(1), PLAIN)
    for other in ({"fingerprint": "encoder-b"}, {"dimension": DIMENSION * 2}):
        with pytest.raises(IndexMismatch) as mismatch:
            await open_store(**other)
        assert FINGERPRINT in str(mismatch.value)
        assert "index.path" in str(mismatch.value)  # says what to do
    assert await index.count() == 1


async def test_an_index_made_anew_has_another_generation(open_store, path):
    first = await open_store()
    await first.close()
    path.unlink()
    second = await open_store()
    assert first.generation != second.generation
    assert second.generation.startswith(FINGERPRINT)


async def test_concurrent_writes_share_transactions(open_store):
    sizes = []
    index = await open_store(observe=lambda size, _: sizes.append(size))
    await asyncio.gather(*(index.upsert(f"zari:{n}", vector(n), PLAIN) for n in range(64)))
    assert sizes == [32, 32]


async def test_a_text_that_cannot_be_stored_fails_alone(open_store):
    index = await open_store()
    results = await asyncio.gather(
        index.upsert("zari:1", vector(1), PLAIN),
        index.upsert("zari:\ud800", vector(2), PLAIN),  # half a surrogate pair: no UTF-8
        return_exceptions=True,
    )
    assert results[0] is None
    assert isinstance(results[1], UnicodeEncodeError)
    assert [key async for key, _ in index.scan()] == ["zari:1"]


@pytest.mark.parametrize("content", [b"this is no database at all, only text" * 100, b"\0" * 8192])
def test_a_file_that_is_no_database_is_misconfigured(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match="move it away"):
        SqliteIndex.open(path, fingerprint=FINGERPRINT, dimension=DIMENSION, writes=WRITES)
    assert path.read_bytes() == content


def test_another_programs_database_is_misconfigured_and_stays_as_it_was(path):
    path.parent.mkdir()
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE accounts(name)")
    with pytest.raises(Misconfigured, match="accounts"):
        SqliteIndex.open(path, fingerprint=FINGERPRINT, dimension=DIMENSION, writes=WRITES)
    assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("accounts",)]
    other.close()


def test_a_place_that_cannot_be_written_is_misconfigured(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match=r"index\.path"):
        SqliteIndex.open(
            tmp_path / "file" / "index.sqlite",
            fingerprint=FINGERPRINT,
            dimension=DIMENSION,
            writes=WRITES,
        )


async def test_another_process_that_keeps_the_write_lock_makes_it_unavailable_for_writing_only(
    open_store, path, monkeypatch
):
    monkeypatch.setattr("operators.stores.sqlite.schema.BUSY_TIMEOUT_MS", 50)
    index = await open_store()
    await index.upsert("zari:1", vector(1), PLAIN)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        await index.upsert("zari:2", vector(2), PLAIN)
    assert len(await index.search(vector(1), ALL, 5)) == 1
    other.execute("ROLLBACK")
    other.close()
    await index.upsert("zari:2", vector(2), PLAIN)
    assert await index.count() == 2


def started(path: Path, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, str(WRITER), str(path), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_several_processes_make_and_write_one_index(open_store, path):
    count, per_process = 3, 150
    writers = [started(path, f"vendor{n}", str(per_process)) for n in range(count)]
    for writer in writers:
        assert writer.wait(60) == 0
        writer.stdout.close()
    index = await open_store()
    assert await index.count() == count * per_process
    (found,) = await index.search(vector("vendor2:7"), ALL, 1)
    assert found.key == "vendor2:7"


async def test_what_another_process_writes_is_found_at_once(open_store, path):
    index = await open_store()
    writer = started(path, "vendor", "1000000")
    try:
        for _ in range(3):
            key = writer.stdout.readline().strip()  # printed once acknowledged
            (found,) = await index.search(vector(key), ALL, 1)
            assert found.key == key
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()


async def test_a_writer_killed_at_any_moment_leaves_every_acknowledged_product(open_store, path):
    acknowledged = set()
    for life in range(4):
        writer = started(path, f"vendor{life}", "1000000")
        acknowledged.add(writer.stdout.readline().strip())
        await asyncio.sleep(0.03 * life)
        writer.send_signal(signal.SIGKILL)
        acknowledged.update(line.strip() for line in writer.stdout if line.endswith("\n"))
        writer.wait()
        writer.stdout.close()
    index = await open_store()
    stored = {key async for key, _ in index.scan()}
    assert acknowledged <= stored
    for key in sorted(acknowledged)[:20]:
        assert (await index.get(key)).vector.tobytes() == vector(key).tobytes()
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    products, vectors = connection.execute(
        "SELECT (SELECT count(*) FROM products), (SELECT count(*) FROM vectors)"
    ).fetchone()
    connection.close()
    assert products == vectors
