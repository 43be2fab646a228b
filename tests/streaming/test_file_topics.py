"""File topics: bytes come back, appends are whole or absent, readers see complete lines only."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.durable_files import open_to_append, replace_durably, write_all
from operators.streaming.files.record_lines import decode, encode
from operators.streaming.files.topic import FileTopic, PartitionReader
from schemas.errors import Misconfigured
from schemas.records import MalformedRecord, Position, Record

HERE = Position("t", 0, 0)

any_text = st.text(st.characters(), max_size=20)
"""Lone surrogates included: JSON can carry them into a key."""


@pytest.fixture
def topic(tmp_path: Path) -> FileTopic:
    created = FileTopic(tmp_path, "catalog.updates")
    created.create(3)
    return created


@settings(max_examples=200)
@given(key=any_text, value=st.binary(), headers=st.dictionaries(any_text, any_text, max_size=3))
def test_a_record_comes_back_unchanged(key: str, value: bytes, headers: dict[str, str]) -> None:
    line = encode(Record(key, value, headers))

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line, HERE) == Record(key, value, headers, HERE)


@pytest.mark.parametrize("value", ["ラグジュアリー".encode(), b"\xff\x00\n", b"\xe2\x80\xa8", b""])
def test_text_stays_readable_and_bytes_survive(value: bytes) -> None:
    assert decode(encode(Record("k", value)), HERE).value == value


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"nonsense\n",
        b"[]\n",
        b"null\n",
        b'"text"\n',
        b"{}\n",
        b'{"key": "k"}\n',
        b'{"key": 1, "value": ""}\n',
        b'{"key": "k", "value": 1}\n',
        b'{"key": "k", "value": null}\n',
        b'{"key": "k", "base64": "!"}\n',
        b'{"key": "k", "base64": 7}\n',
        b'{"key": "k", "value": "", "headers": []}\n',
        b'{"key": "k", "value": "", "headers": {"h": 1}}\n',
        b'{"key": "k", "value": "\\ud800"}\n',
        b'{"key": "\xff", "value": ""}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_malformed_line_is_data_not_an_exception(line: bytes) -> None:
    record = decode(line, HERE)

    assert isinstance(record, MalformedRecord)
    assert record.value == line.removesuffix(b"\n")
    assert record.position == HERE
    assert record.problem
    assert pickle.loads(pickle.dumps(record)) == record, "it may wait in a lane's snapshot"


def test_append_and_read_back_by_key(topic: FileTopic) -> None:
    records = [Record(f"acme:{n}", f"value {n}".encode()) for n in range(50)]

    positions = topic.append(records)

    read = {r.position: r for p in range(3) for r in topic.read(p)}
    assert [(read[p].key, read[p].value) for p in positions] == [(r.key, r.value) for r in records]
    assert all(
        p.partition == topic.partition_of(r.key) for p, r in zip(positions, records, strict=True)
    )
    assert len({p.partition for p in positions}) == 3


def test_reading_resumes_where_it_stopped(topic: FileTopic) -> None:
    first = topic.append([Record("a", b"1")])[0]
    end = topic.end_offsets()[first.partition]
    topic.append([Record("a", b"2"), Record("a", b"3")])

    assert [r.value for r in topic.read(first.partition, end)] == [b"2", b"3"]
    assert [r.value for r in topic.read(first.partition, first.offset)] == [b"1", b"2", b"3"]


def test_lag_in_bytes(topic: FileTopic) -> None:
    position = topic.append([Record("a", b"1")])[0]
    end = topic.end_offsets()[position.partition]

    assert topic.lag({})[position.partition] == end > 0
    assert set(topic.lag(topic.end_offsets()).values()) == {0}


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(1, 40))
def test_a_torn_last_line_is_unseen_and_removed_by_the_next_append(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    topic = FileTopic(tmp_path_factory.mktemp("topics"), "t")
    topic.create(1)
    topic.append([Record("a", b"whole")])
    torn = encode(Record("a", b"torn " * 8))[:-1][:cut]
    with topic.path(0).open("ab") as file:
        file.write(torn)

    assert [r.value for r in topic.read(0)] == [b"whole"]
    topic.append([Record("a", b"next")])

    assert [r.value for r in topic.read(0)] == [b"whole", b"next"]


def test_a_reader_at_a_torn_line_sees_what_is_written_over_it(topic: FileTopic) -> None:
    partition = topic.partition_of("a")
    with topic.path(partition).open("ab") as file:
        file.write(b'{"key": "a", "value": "torn')
    reader = PartitionReader(topic, partition, 0)
    assert reader.read(10) == []

    topic.append([Record("a", b"new")])

    assert [r.value for r in reader.read(10)] == [b"new"]
    assert reader.offset == topic.end_offsets()[partition]
    reader.close()


def test_lines_longer_than_a_chunk_and_many_short_ones(topic: FileTopic) -> None:
    values = [b"x" * 700_000, *(str(n).encode() for n in range(20_000)), b"y" * 300_000]

    positions = topic.append(Record("a", value) for value in values)

    read = list(topic.read(positions[0].partition))
    assert [r.value for r in read] == values
    assert [r.position for r in read] == positions


def test_a_malformed_line_in_the_middle_does_not_hide_the_next(topic: FileTopic) -> None:
    partition = topic.append([Record("a", b"1")])[0].partition
    with topic.path(partition).open("ab") as file:
        file.write(b"\x00\xff garbage\n")
    topic.append([Record("a", b"2")])

    before, garbage, after = topic.read(partition)

    assert (before.value, after.value) == (b"1", b"2")
    assert isinstance(garbage, MalformedRecord)


def test_the_number_of_partitions_never_changes(topic: FileTopic, tmp_path: Path) -> None:
    again = FileTopic(tmp_path, "catalog.updates")
    again.create(7)

    assert again.partitions == 3


def test_a_topic_is_created_by_several_threads_at_once(tmp_path: Path) -> None:
    """A process has several flows and an API in its threads, each of which opens its topics."""
    names = [f"topic-{n}" for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        for name in names:
            together = Barrier(8)

            def create(name: str = name, together: Barrier = together) -> None:
                together.wait()
                FileTopic(tmp_path, name).create(2)

            for done in [pool.submit(create) for _ in range(8)]:
                done.result()
    assert [FileTopic(tmp_path, name).partitions for name in names] == [2] * 40
    assert not list(tmp_path.glob("*/topic.json.*"))


def test_a_file_is_replaced_by_several_threads_at_once(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    contents = [f"{n}" * 10_000 for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(replace_durably, path, c.encode()) for c in contents * 20]:
            done.result()
    assert path.read_text() in contents
    assert list(tmp_path.iterdir()) == [path]


def test_a_topic_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="there is no topic absent"):
        FileTopic(tmp_path, "absent").end_offsets()


@pytest.mark.parametrize("name", ["", "..", "a/b", "../a", "a b", ".hidden", "a..b"])
def test_names_that_would_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(Misconfigured, match="topic"):
        FileTopic(tmp_path, name)


def test_an_offset_beyond_the_end_is_another_topics(topic: FileTopic) -> None:
    with pytest.raises(Misconfigured, match="was replaced"):
        PartitionReader(topic, 0, 10)


def test_an_append_waits_for_another_writer(topic: FileTopic) -> None:
    partition = topic.partition_of("a")
    with ThreadPoolExecutor(1) as pool:
        with open_to_append(topic.path(partition)) as file:
            write_all(file, b'{"key": "a", "value": "ha')
            append = pool.submit(topic.append, [Record("a", b"after")])
            with pytest.raises(FutureTimeout):
                append.result(0.1)
            write_all(file, b'lf"}\n')
        append.result(5)

    assert [r.value for r in topic.read(partition)] == [b"half", b"after"]


def append_from_a_process(folder: Path, writer: int) -> None:
    topic = FileTopic(folder, "shared")
    topic.create(2)
    for batch in range(20):
        topic.append(Record(f"{writer}", f"{batch}-{n}".encode()) for n in range(5))


def test_appends_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    processes = [
        multiprocessing.get_context("fork").Process(
            target=append_from_a_process, args=(tmp_path, writer)
        )
        for writer in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    topic = FileTopic(tmp_path, "shared")
    read = [r for p in range(topic.partitions) for r in topic.read(p)]
    for writer in range(4):
        ours = [r.value.decode() for r in read if r.key == str(writer)]
        assert ours == [f"{batch}-{n}" for batch in range(20) for n in range(5)]
