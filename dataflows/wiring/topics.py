"""The one place where topics are opened from the settings: files or Kafka.

Separate from dataflows/wiring/parts.py, which loads torch: commands on topics do not need it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from bytewax.inputs import FixedPartitionedSource
from bytewax.outputs import FixedPartitionedSink
from prometheus_client import Gauge

from dataflows.runtime import FlowRuntime
from operators.streaming.engine.batches import Calls
from operators.streaming.files.sink import FileTopicSink
from operators.streaming.files.source import FileTopicSource
from operators.streaming.files.topic import FileTopic
from operators.streaming.kafka.admin import unsafe_topics, wanted_topics
from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.inputs import Inputs
from operators.streaming.kafka.member import Member
from operators.streaming.kafka.membership import Membership, SourceMetrics
from operators.streaming.kafka.sink import KafkaTopicSink, Output
from operators.streaming.kafka.source import KafkaTopicSource
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import LookSyncError, Misconfigured
from schemas.records import SOURCE, TRACE_HEADERS, Record
from schemas.settings import TopicSettings

log = structlog.get_logger()

FlowTopic = FileTopic | KafkaTopic


def open_topic(topics: TopicSettings, name: str) -> FlowTopic:
    """Open the topic ``name``; a missing file topic is created.

    Raises Misconfigured when Kafka has no such topic, Unavailable when it does not answer.
    """
    if topics.kind == "kafka":
        topic = KafkaTopic(Brokers(topics), name)
        assert topic.partitions, "read now, so that a missing topic is reported at the start"
        return topic
    opened = FileTopic(topics.folder, name)
    opened.create(topics.partitions)
    return opened


def refuse_unsafe_topics(topics: TopicSettings, source: str, target: str) -> None:
    """Raise Misconfigured when Kafka may lose records of these topics, or stop the flow at one.

    Without the right to read the topics' configuration they are taken as they are.
    """
    if topics.kind != "kafka":
        return
    used = {source, target, topics.dead_letters(source)}
    wanted = [topic for topic in wanted_topics(topics) if topic.name in used]
    try:
        problems = unsafe_topics(Brokers(topics), wanted)
    except Misconfigured as error:
        log.warning("the topics' configuration is not checked", error=str(error))
        return
    if problems:
        raise Misconfigured("; ".join(problems), reason="kafka-unsafe")


def read_from(
    topic: FlowTopic, runtime: FlowRuntime
) -> FixedPartitionedSource[tuple[str, Record], Any]:
    """The source of the flow in ``runtime``; on Kafka, what the group assigns to it."""
    metrics, lane = runtime.metrics, runtime.lane
    if isinstance(topic, FileTopic):
        return FileTopicSource(
            topic,
            lane.gate,
            lane.stop,
            once=runtime.once,
            observe=metrics.observe_source(topic.name, metrics.lag_bytes),
        )
    metrics.topics_down.set_function(lambda: topic.brokers.down)
    runtime.health.watch_topics("kafka", lambda: topic.brokers.outage)
    member = Member(
        topic,
        Membership(f"{topic.brokers.settings.group_prefix}.{runtime.name}", runtime.instance),
        Inputs(lane.gate),
        SourceMetrics(
            emitted=lambda partition, n: metrics.records_in.labels(topic.name, partition).inc(n),
            lag=partial(_set_lag, metrics.lag_records, topic.name),
            meter=metrics.meter("kafka"),
            died=metrics.owner_deaths.labels(topic.name).inc,
            lost=lambda partition, n: metrics.records_lost.labels(topic.name, partition).inc(n),
        ),
    )
    source = KafkaTopicSource(member, lane.stop, once=runtime.once)
    runtime.members.append(member)
    runtime.opened.push(partial(_leave, member))
    member.start()
    return source


def cancel_given_up(calls: Calls[Record, Any], runtime: FlowRuntime) -> None:
    """On Kafka, cancel ``calls`` whose partitions go to another process."""
    loop = runtime.lane.thread.loop

    def cancel() -> None:
        loop.call_soon_threadsafe(calls.cancel_given_up)

    for member in runtime.members:
        member.cancel_given_up = cancel


def write_to(topic: FlowTopic, runtime: FlowRuntime) -> FixedPartitionedSink[Any, Any]:
    """The sink for what ``outputs_of`` makes in the flow in ``runtime``."""
    if isinstance(topic, FileTopic):
        assert runtime.store is not None, "file topics have one"
        return FileTopicSink(topic, runtime.store.id)
    return KafkaTopicSink(topic.name, runtime.members[-1])


def outputs_of(
    topic: FlowTopic, runtime: FlowRuntime
) -> Callable[[Record, Record | None], tuple[str, Any] | None]:
    """A function of an input and what the flow makes of it for ``topic``: what the sink is given,
    under its key in the engine; None: nothing."""
    if isinstance(topic, FileTopic):
        return lambda _, record: None if record is None else (_engine_key(record.key), record)
    inputs = runtime.members[-1].inputs
    inputs.add_step()

    def passed_on(source: Record, record: Record | None) -> tuple[str, Output] | None:
        if record is None:
            inputs.pass_on(source, topic.name, None)
            return None
        return _engine_key(record.key), Output(source, record)

    return passed_on


def with_provenance_headers(source: Record, record: Record, target: FlowTopic) -> Record:
    """``record`` with the trace headers of ``source``; on Kafka also with its position."""
    headers = dict(record.headers)
    for name in TRACE_HEADERS if source.headers else ():
        if name in source.headers:
            headers[name] = source.headers[name]
    if isinstance(target, KafkaTopic):
        headers[SOURCE] = str(source.position)
    return Record(record.key, record.value, headers)


def _leave(member: Member, kind: type[BaseException] | None, *_: object) -> None:
    """Leave the group at the end of the flow, which an exception of ``kind`` may have caused."""
    try:
        member.leave()
    except LookSyncError:
        if kind is None:
            raise


def _set_lag(gauge: Gauge, topic: str, lag: dict[int, int]) -> None:
    """Show the lag of the partitions that are read here, and of no others."""
    gauge.clear()
    for partition, records in lag.items():
        gauge.labels(topic, partition).set(records)


def _engine_key(key: str) -> str:
    """``key`` for the engine, which rejects lone surrogates."""
    return key if key.isascii() else key.encode(errors="backslashreplace").decode()
