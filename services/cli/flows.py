"""``looksync flow``: what the flows do now; pause them, move their positions."""

from __future__ import annotations

import asyncio
import getpass
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from pydantic import ValidationError
from rich.console import Console

from dataflows.wiring.pauses import open_pauses
from dataflows.wiring.topics import open_topic
from operators.streaming.dead_letters import dead_letter, to_repeat
from operators.streaming.engine.outcomes import Failed
from operators.streaming.kafka.stopped_group import StoppedGroup, rewind, skip
from operators.streaming.kafka.topic import KafkaTopic
from schemas.catalog import Packet, PacketKind
from schemas.errors import Misconfigured, Rejected
from schemas.records import Record
from schemas.settings import Settings
from services.cli.console import as_text
from services.flow_state import FLOWS, Flow, group_of, health_of, in_words, report_of, source_of


def status(settings: Settings, console: Console) -> int:
    """Print what each flow does; 1 when something keeps one of them from going on."""
    problems = False
    for flow in FLOWS:
        reason = asyncio.run(_paused(flow, settings))
        if reason is not None:
            _say(console, f"{flow}: paused: {reason}")
        health = health_of(flow, settings)
        if health is not None:
            _say(console, f"{flow}: the process on this host {in_words(health)}")
        report = report_of(flow, settings)
        if report is not None:
            _say(console, report.summary)
            for problem in report.problems:
                problems = True
                _say(console, problem)
        elif health is None:
            _say(console, f"{flow}: no process answers on this host")
    return 1 if problems else 0


def pause(flow: Flow, reason: str | None, settings: Settings, console: Console) -> None:
    """Let all processes of ``flow`` read nothing more."""

    async def write() -> None:
        async with open_pauses(settings) as pauses:
            await pauses.pause(flow, reason or f"by {getpass.getuser()} on {socket.gethostname()}")

    asyncio.run(write())
    _say(
        console,
        f"{flow}: paused: its processes finish what is in flight and read nothing more until "
        f"`looksync flow resume {flow}`",
    )


def resume(flow: Flow, settings: Settings, console: Console) -> int:
    """Let ``flow`` read again; 1 when it was not paused."""

    async def write() -> bool:
        async with open_pauses(settings) as pauses:
            return await pauses.resume(flow)

    was_paused = asyncio.run(write())
    _say(console, f"{flow}: " + ("resumed" if was_paused else "was not paused"))
    return 0 if was_paused else 1


def skip_record(flow: Flow, name: str, settings: Settings, console: Console) -> None:
    """Make a dead letter of the record ``name`` (partition/offset) without handling it."""
    partition, offset = _place(name)
    with _stopped(flow, settings) as group:
        record = _record(group.topic, partition, offset)
        why = Rejected("skipped by `looksync flow skip`", reason="skipped")
        letters = open_topic(settings.topics, settings.topics.dead_letters(group.topic.name))
        letter = dead_letter(Failed(record, why, 1))
        skip(group, partition, offset, keep=lambda: letters.append([letter]))
    _say(
        console,
        f"{record.position} (key {record.key}) is a dead letter now: `looksync dlq show "
        f"{group.topic.name} {name}`",
    )


def rewind_to(flow: Flow, to: datetime, settings: Settings, console: Console) -> None:
    """Let ``flow`` handle again everything since ``to``."""
    with _stopped(flow, settings) as group:
        back = rewind(group, to)
    for partition, records in sorted(back.items()):
        _say(console, f"{group.topic.name}/{partition}: {records} records back")
    _say(console, f"{sum(back.values())} records are handled again once {flow} runs")


def repeat_key(flow: Flow, key: str, settings: Settings, console: Console) -> int:
    """Put the records of ``key`` on the topic again; 1 when there are none.

    Of a product, those since its newest upsert, after a packet that lets them win.
    """
    topic = source_of(flow, settings)
    found = [r for p in range(topic.partitions) for r in topic.read(p) if r.key == key]
    if flow == "catalog":
        found = _since_upsert(found)
        packets = [_forget(key), *map(to_repeat, found)] if found else []
    else:
        packets = [to_repeat(record) for record in found[-1:]]
    topic.append(packets)
    _say(console, f"{key}: {len(packets)} records were put on {topic.name} again")
    return 0 if packets else 1


def _since_upsert(records: list[Record]) -> list[Record]:
    """The newest upsert of a product, and what came after it."""
    for first in range(len(records) - 1, -1, -1):
        try:
            kind = Packet.model_validate_json(records[first].value).kind
        except ValidationError:
            continue
        if kind is PacketKind.UPSERT:
            return [record for record in records[first:] if not _is_ours(record)]
    return []


def _is_ours(record: Record) -> bool:
    try:
        return Packet.model_validate_json(record.value).kind.is_ours
    except ValidationError:
        return False


def _forget(key: str) -> Record:
    vendor, _, product_id = key.partition(":")
    kind = PacketKind.FORGET_VERSION
    packet = Packet(vendor=vendor, product_id=product_id, kind=kind, version=0)
    return Record(key, packet.model_dump_json().encode())


@contextmanager
def _stopped(flow: Flow, settings: Settings) -> Iterator[StoppedGroup]:
    topic = source_of(flow, settings)
    if not isinstance(topic, KafkaTopic):
        raise Misconfigured(
            "the positions of flows on file topics cannot be moved; to read a topic from its "
            f"beginning, stop the flow and delete {settings.stream.recovery_folder / flow}"
        )
    group = StoppedGroup(topic, group_of(flow, settings))
    try:
        yield group
    finally:
        group.close()


def _place(name: str) -> tuple[int, int]:
    partition, _, offset = name.partition("/")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise Misconfigured(f"{name!r} is no record: give partition/offset, e.g. 0/17")
    return int(partition), int(offset)


def _record(topic: KafkaTopic, partition: int, offset: int) -> Record:
    if partition < topic.partitions:
        for record in topic.read(partition, offset):
            if record.position is not None and record.position.offset == offset:
                return record
            break
    raise Misconfigured(f"{topic.name} has no record {partition}/{offset}")


async def _paused(flow: Flow, settings: Settings) -> str | None:
    async with open_pauses(settings) as pauses:
        return await pauses.reason(flow)


def _say(console: Console, text: str) -> None:
    console.print(as_text(text), highlight=False, soft_wrap=True)
