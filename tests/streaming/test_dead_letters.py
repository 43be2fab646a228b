"""Dead letters: the record unchanged, the failure in headers, and replays that happen once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.streaming.dead_letters import dead_letter, origin, read_letters
from operators.streaming.engine.outcomes import Failed
from operators.streaming.files import replay as files_replay
from operators.streaming.files.replay import discard, replay, settled
from operators.streaming.files.topic import FileTopic
from operators.streaming.letter_selection import Selection
from schemas.errors import (
    DeadlineExceeded,
    ImageRefused,
    InvalidRecord,
    LookSyncError,
    Misconfigured,
    PictureUnavailable,
    Unavailable,
)
from schemas.records import SOURCE, Record


@pytest.fixture
def source(tmp_path: Path) -> FileTopic:
    topic = FileTopic(tmp_path, "catalog.updates")
    topic.create(2)
    return topic


@pytest.fixture
def letters(tmp_path: Path) -> FileTopic:
    topic = FileTopic(tmp_path, "catalog.updates.dlq")
    topic.create(2)
    return topic


def all_records(topic: FileTopic) -> list[Record]:
    return [record for p in range(topic.partitions) for record in topic.read(p)]


def fail(source: FileTopic, letters: FileTopic, values: list[bytes]) -> list[str]:
    """Records on ``source`` that failed; the names of their letters."""
    positions = source.append(Record(f"acme:{n}", value) for n, value in enumerate(values))
    records = {record.position: record for record in all_records(source)}
    error = ImageRefused("too large", reason="too-large")
    letters.append(dead_letter(Failed(records[p], error, 1)) for p in positions)
    return [str(position) for position in positions]


def test_a_letter_has_the_record_and_the_failure(source: FileTopic, letters: FileTopic) -> None:
    (name,) = fail(source, letters, [b"\xff\x00 whatever"])

    (stored,) = read_letters(letters)

    assert stored.name == name
    assert stored.record.value == b"\xff\x00 whatever"
    letter = stored.letter
    assert (letter.error_class, letter.reason, letter.stage) == (
        "ImageRefused",
        "too-large",
        "image",
    )
    assert (letter.message, letter.topic, letter.attempts) == ("too large", "catalog.updates", 1)
    assert datetime.now(UTC) - letter.first_time < timedelta(seconds=10)


@pytest.mark.parametrize(
    ("error", "stage", "reason"),
    [
        (InvalidRecord("no JSON", reason="invalid"), "parse", "invalid"),
        (PictureUnavailable("host is down", reason="timeout"), "image", "timeout"),
        (DeadlineExceeded("late", reason="deadline"), "deadline", "deadline"),
        (Unavailable("refused", reason="weaviate"), "service", "weaviate"),
        (Misconfigured("refused", reason="redis-refused"), "service", "redis-refused"),
        (InvalidRecord("half an emoji: \ud83d"), "parse", "invalid-record"),
        (ValueError("half an emoji: \ud83d"), "unexpected", "unexpected"),
        (ZeroDivisionError("a bug"), "unexpected", "unexpected"),
        (KeyError(), "unexpected", "unexpected"),
    ],
)
def test_stage_and_reason_of_each_error(
    source: FileTopic, error: Exception, stage: str, reason: str
) -> None:
    source.append([Record("a", b"")])
    (record,) = all_records(source)

    headers = dead_letter(Failed(record, error, 1)).headers

    assert (headers["dlq-stage"], headers["dlq-reason"]) == (stage, reason)
    assert headers["dlq-message"].encode()


def test_a_replay_happens_once(source: FileTopic, letters: FileTopic) -> None:
    fail(source, letters, [b"one", b"two", b"three"])

    assert replay(letters, source) == 3
    assert replay(letters, source) == 0

    replayed = [r for r in all_records(source) if "replay-of" in r.headers]
    assert sorted(r.value for r in replayed) == [b"one", b"three", b"two"]
    assert not any(name.startswith("dlq-") for r in replayed for name in r.headers)


def test_only_chosen_letters_are_replayed(source: FileTopic, letters: FileTopic) -> None:
    first, second = fail(source, letters, [b"one", b"two"])

    assert replay(letters, source, Selection(names=frozenset({second}))) == 1
    assert replay(letters, source, Selection(names=frozenset({first, second}))) == 1


def test_a_discarded_letter_is_not_replayed(source: FileTopic, letters: FileTopic) -> None:
    first, second, third = fail(source, letters, [b"one", b"two", b"three"])
    replay(letters, source, Selection(names=frozenset({first})))

    assert discard(letters, source, Selection(names=frozenset({first, second}))) == 1
    assert settled(letters, source) == {first: "replayed", second: "discarded"}

    assert replay(letters, source) == 1
    assert settled(letters, source) == {
        first: "replayed",
        second: "discarded",
        third: "replayed",
    }
    assert [r.value for r in all_records(source) if r.headers.get("replay-of") == second] == []


def test_attempts_and_first_time_are_kept_through_replays(
    source: FileTopic, letters: FileTopic
) -> None:
    (name,) = fail(source, letters, [b"stubborn"])
    (first,) = read_letters(letters)
    replay(letters, source)
    (again,) = (r for r in all_records(source) if "replay-of" in r.headers)
    letters.append([dead_letter(Failed(again, ImageRefused("still too large"), 1))])
    replay(letters, source)

    second = next(s for s in read_letters(letters) if s.name == str(again.position))
    assert second.letter.attempts == 2
    assert second.letter.first_time == first.letter.first_time
    assert second.letter.last_time > first.letter.last_time
    (third,) = (r for r in all_records(source) if r.headers.get("replay-attempts") == "2")
    assert origin(third) == origin(again) == name
    assert third.headers["replay-of"] == second.name


def test_a_replayed_record_has_its_own_headers_and_no_provenance(
    source: FileTopic, letters: FileTopic
) -> None:
    """With the source position it would pass for an output of the flow that made the letter."""
    (position,) = source.append([Record("acme:1", b"", {"content": "packet"})])
    (record,) = all_records(source)
    letter = dead_letter(Failed(record, ImageRefused("too large"), 1))
    headers = {**letter.headers, SOURCE: str(position)}
    letters.append([Record(letter.key, letter.value, headers)])

    replay(letters, source)

    _, replayed = sorted(all_records(source), key=lambda r: len(r.headers))
    assert set(replayed.headers) == {
        "content",
        "replay-of",
        "replay-origin",
        "replay-attempts",
        "replay-first-time",
    }
    assert replayed.headers["replay-of"] == str(position)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), count=st.integers(1, 6))
def test_a_replay_killed_anywhere_still_happens_once(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, count: int
) -> None:
    """It dies before or after one of the steps that change a file, and is then repeated."""
    folder = tmp_path_factory.mktemp("topics")
    source, letters = FileTopic(folder, "t"), FileTopic(folder, "t.dlq")
    source.create(2)
    letters.create(2)
    fail(source, letters, [str(n).encode() for n in range(count)])
    steps: list[tuple[object, str]] = [
        (FileTopic, "append"),
        (files_replay, "replace_durably"),
        (files_replay, "write_all"),
        (Path, "unlink"),
    ]
    owner, name = data.draw(st.sampled_from(steps))
    after = data.draw(st.booleans())

    class Killed(BaseException):
        pass

    def die(*args: object, **kwargs: object) -> object:
        result = original(*args, **kwargs) if after else None
        raise Killed(result)

    original = getattr(owner, name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, die)
        with pytest.raises(Killed):
            replay(letters, source)
    replay(letters, source)
    replay(letters, source)

    replayed = [r.value for r in all_records(source) if "replay-of" in r.headers]
    assert sorted(replayed) == sorted(str(n).encode() for n in range(count))


@pytest.mark.parametrize(
    "headers",
    [
        {"replay-attempts": "many", "replay-first-time": "2026-01-01T00:00:00+00:00"},
        {"replay-attempts": "-3", "replay-first-time": "2026-01-01T00:00:00+00:00"},
        {"replay-attempts": "9" * 4_300, "replay-first-time": "2026-01-01T00:00:00+00:00"},
        {"replay-attempts": "1e3", "replay-first-time": "2026-01-01T00:00:00+00:00"},
        {"replay-attempts": "1", "replay-first-time": "yesterday"},
        {"replay-attempts": "1", "replay-first-time": "0001-01-01T00:00:00+20:00"},
        {"dlq-attempts": "-1"},
    ],
)
def test_invalid_replay_headers_are_ignored(
    source: FileTopic, letters: FileTopic, headers: dict[str, str]
) -> None:
    source.append([Record("a", b"", headers)])
    (record,) = all_records(source)

    letters.append([dead_letter(Failed(record, LookSyncError("no"), 1))])

    (stored,) = read_letters(letters)
    assert stored.letter.attempts == 1


def test_a_record_that_is_not_a_letter_is_reported(letters: FileTopic) -> None:
    letters.append([Record("a", b"")])

    with pytest.raises(InvalidRecord, match=r"catalog\.updates\.dlq/\d/0 is not a dead letter"):
        list(read_letters(letters))
