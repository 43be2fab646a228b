from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import apsw
import pytest

from operators.stores.sqlite.index import SqliteIndex
from schemas.errors import IndexMismatch, Misconfigured, Unavailable
from schemas.settings import BatchSettings
from tests.index_loss_contract import LoseStore, LossContract
from tests.indexed_products import ALL, DIMENSION, FINGERPRINT, PLAIN, vector
from tests.vector_store_contract import VectorStoreContract, stored

WRITES = BatchSettings(max_size=32, max_wait_ms=1.0)


class OpenIndex(Protocol):
    async def __call__(
        self,
        *,
        fingerprint: str = ...,
        dimension: int = ...,
        observe: Callable[[int, float], None] | None = ...,
    ) -> SqliteIndex: ...


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "created on opening" / "index.sqlite"


@pytest.fixture
async def open_store(path: Path) -> AsyncIterator[OpenIndex]:
    opened: list[SqliteIndex] = []

    async def open_store(
        *,
        fingerprint: str = FINGERPRINT,
        dimension: int = DIMENSION,
        observe: Callable[[int, float], None] | None = None,
    ) -> SqliteIndex:
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


class TestLostSqliteIndex(LossContract):
    @pytest.fixture
    def lose_store(self, path: Path) -> LoseStore:
        async def lose_store() -> None:
            for file in path.parent.glob("index.sqlite*"):
                file.unlink()

        return lose_store


async def test_the_index_of_another_encoder_is_rejected_and_unchanged(
    open_store: OpenIndex,
) -> None:
    index = await open_store()
    await index.upsert("zari:1", vector(1), PLAIN)
    with pytest.raises(IndexMismatch, match=rf"{FINGERPRINT}.*index\.path"):
        await open_store(fingerprint="encoder-b")
    with pytest.raises(IndexMismatch, match=rf"{FINGERPRINT}.*index\.path"):
        await open_store(dimension=DIMENSION * 2)
    assert await index.count() == 1


async def test_a_recreated_index_has_another_generation(open_store: OpenIndex, path: Path) -> None:
    first = await open_store()
    await first.close()
    path.unlink()
    second = await open_store()
    assert first.generation != second.generation
    assert second.generation.startswith(FINGERPRINT)


async def test_concurrent_writes_share_transactions(open_store: OpenIndex) -> None:
    sizes: list[int] = []
    index = await open_store(observe=lambda size, _: sizes.append(size))
    await asyncio.gather(*(index.upsert(f"zari:{n}", vector(n), PLAIN) for n in range(64)))
    assert sizes == [32, 32]


async def test_an_unencodable_text_fails_only_its_own_write(open_store: OpenIndex) -> None:
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
def test_a_file_that_is_not_a_database_is_misconfigured(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match="move it away"):
        SqliteIndex.open(path, fingerprint=FINGERPRINT, dimension=DIMENSION, writes=WRITES)
    assert path.read_bytes() == content


def test_the_database_of_another_program_is_rejected_and_unchanged(path: Path) -> None:
    path.parent.mkdir()
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE accounts(name)")
    with pytest.raises(Misconfigured, match="accounts"):
        SqliteIndex.open(path, fingerprint=FINGERPRINT, dimension=DIMENSION, writes=WRITES)
    assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("accounts",)]
    other.close()


def test_a_path_that_is_not_writable_is_misconfigured(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match=r"index\.path"):
        SqliteIndex.open(
            tmp_path / "file" / "index.sqlite",
            fingerprint=FINGERPRINT,
            dimension=DIMENSION,
            writes=WRITES,
        )


async def test_a_write_lock_held_by_another_process_blocks_only_writes(
    open_store: OpenIndex, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


class Writer:
    """A process that writes ``count`` products of ``vendor``."""

    def __init__(self, path: Path, vendor: str, count: int = 1_000_000) -> None:
        command = [sys.executable, "-m", "tests.stores.index_writer"]
        self._process = subprocess.Popen(
            [*command, str(path), vendor, str(count)], stdout=subprocess.PIPE, text=True
        )

    def acknowledged(self, count: int) -> list[str]:
        """The next ``count`` keys, once they are acknowledged."""
        assert self._process.stdout is not None
        return [self._process.stdout.readline().strip() for _ in range(count)]

    def finish(self) -> int:
        """Its exit status."""
        self._process.communicate()
        return self._process.returncode

    def kill(self) -> list[str]:
        """The keys that it had acknowledged since the last call."""
        self._process.kill()
        printed, _ = self._process.communicate()
        return [line.strip() for line in printed.splitlines(keepends=True) if line.endswith("\n")]


async def test_several_processes_create_and_write_one_index(
    open_store: OpenIndex, path: Path
) -> None:
    count, per_process = 3, 150
    writers = [Writer(path, f"vendor{n}", per_process) for n in range(count)]
    assert [writer.finish() for writer in writers] == [0] * count
    index = await open_store()
    assert await index.count() == count * per_process
    (found,) = await index.search(vector("vendor2:7"), ALL, 1)
    assert found.key == "vendor2:7"


async def test_an_acknowledged_write_of_another_process_is_found(
    open_store: OpenIndex, path: Path
) -> None:
    index = await open_store()
    writer = Writer(path, "vendor")
    try:
        for _ in range(3):
            (key,) = writer.acknowledged(1)
            (found,) = await index.search(vector(key), ALL, 1)
            assert found.key == key
    finally:
        writer.kill()


async def test_acknowledged_writes_survive_a_killed_writer(
    open_store: OpenIndex, path: Path
) -> None:
    acknowledged: set[str] = set()
    for writes_before_kill in (1, 7, 50, 200):
        writer = Writer(path, f"vendor{writes_before_kill}")
        acknowledged.update(writer.acknowledged(writes_before_kill))
        acknowledged.update(writer.kill())
    index = await open_store()
    assert acknowledged <= {key async for key, _ in index.scan()}
    for key in sorted(acknowledged)[:20]:
        assert (await stored(index, key)).vector.tobytes() == vector(key).tobytes()
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    (products,) = next(connection.execute("SELECT count(*) FROM products"))
    (vectors,) = next(connection.execute("SELECT count(*) FROM vectors"))
    connection.close()
    assert products == vectors
