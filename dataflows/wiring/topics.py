"""The one place where topics are opened by the settings: files or Kafka.

Separate from dataflows/wiring/parts.py, which loads torch: commands on topics do not need it.
"""

from __future__ import annotations

from typing import Any

from bytewax.inputs import FixedPartitionedSource
from bytewax.outputs import FixedPartitionedSink

from dataflows.runtime import FlowRuntime
from operators.streaming import dead_letters
from operators.streaming.files.sink import FileTopicSink
from operators.streaming.files.source import FileTopicSource
from operators.streaming.files.topic import FileTopic
from operators.streaming.kafka import replay as kafka_replay
from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.ownership import Ownership
from operators.streaming.kafka.sink import KafkaTopicSink
from operators.streaming.kafka.source import KafkaTopicSource
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Misconfigured
from schemas.records import SOURCE, Record
from schemas.settings import TopicSettings

FlowTopic = FileTopic | KafkaTopic

TRACE_HEADERS = ("traceparent", "tracestate")
"""W3C Trace Context: what is made of a record belongs to its trace."""


def open_topic(topics: TopicSettings, name: str) -> FlowTopic:
    """The topic ``name``; a file topic is made if it was not there.

    Raises Misconfigured when Kafka has no such topic, Unavailable when it does not answer.
    """
    if topics.kind == "kafka":
        topic = KafkaTopic(Brokers(topics), name)
        assert topic.partitions, "asked for, so that a missing topic is told at the start"
        return topic
    opened = FileTopic(topics.folder, name)
    opened.create(topics.partitions)
    return opened


def read_from(
    topic: FlowTopic, runtime: FlowRuntime
) -> FixedPartitionedSource[tuple[str, Record], Any]:
    """The source of the flow in ``runtime``; of Kafka, this process's share of the partitions."""
    metrics, lane = runtime.metrics, runtime.lane
    if isinstance(topic, FileTopic):
        return FileTopicSource(
            topic,
            lane.gate,
            lane.stop,
            once=runtime.once,
            observe=metrics.observe_source(topic.name, metrics.lag_bytes),
        )
    ownership = _own(topic, runtime)
    metrics.topics_down.set_function(lambda: topic.brokers.down)
    runtime.health.watch_topics("kafka", lambda: topic.brokers.outage)
    source = KafkaTopicSource(
        ownership,
        lane.gate,
        lane.stop,
        once=runtime.once,
        pending=lane.pending,
        observe=metrics.observe_source(topic.name, metrics.lag_records),
        lost=lambda partition, records: metrics.records_lost.labels(topic.name, partition).inc(
            records
        ),
    )
    runtime.at_end.append(lambda: ownership.end(source.progress()))
    return source


def write_to(topic: FlowTopic, runtime: FlowRuntime) -> FixedPartitionedSink[Record, Any]:
    """The sink of what the flow in ``runtime`` makes of what it reads."""
    if isinstance(topic, FileTopic):
        return FileTopicSink(topic, runtime.store.id)
    ownership = runtime.owned[-1]
    shared = KafkaTopic(ownership.topic.brokers, topic.name)  # one outage, told once
    return KafkaTopicSink(shared, ownership, runtime.store, runtime.lane.stop)


def made_of(source: Record, record: Record, target: FlowTopic) -> Record:
    """``record`` with the headers that what is made of ``source`` has on ``target``."""
    headers = dict(record.headers)
    for name in TRACE_HEADERS if source.headers else ():
        if name in source.headers:
            headers[name] = source.headers[name]
    if isinstance(target, KafkaTopic):
        headers[SOURCE] = str(source.position)
    return Record(record.key, record.value, headers)


def replay_letters(letters: FlowTopic, source: FlowTopic) -> int:
    """Put the letters back on ``source``, each once however often this is called; how many."""
    if isinstance(letters, FileTopic) and isinstance(source, FileTopic):
        return dead_letters.replay(letters, source)
    assert isinstance(letters, KafkaTopic), "both are of the kind that the settings name"
    assert isinstance(source, KafkaTopic), "both are of the kind that the settings name"
    return kafka_replay.replay(letters, source)


def _own(topic: KafkaTopic, runtime: FlowRuntime) -> Ownership:
    """This process's share of the partitions."""
    share = range(runtime.ordinal, topic.partitions, runtime.processes)
    if not share:
        raise Misconfigured(
            f"{topic.name} has {topic.partitions} partitions: nothing is left for process "
            f"{runtime.ordinal} of {runtime.processes}; set stream.processes to fewer"
        )
    group = f"{topic.brokers.settings.group_prefix}.{runtime.name}"
    ownership = Ownership(topic, group, share, runtime.store)
    runtime.opened.callback(ownership.close)
    ownership.claim()
    runtime.owned.append(ownership)
    return ownership
