"""The dead letters of a topic, on files or Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dataflows.wiring.topics import FlowTopic, open_topic
from operators.streaming.dead_letters import StoredLetter, read_letters
from operators.streaming.files import replay as files
from operators.streaming.files.topic import FileTopic
from operators.streaming.kafka import replay as kafka
from operators.streaming.kafka.topic import KafkaTopic
from operators.streaming.letter_selection import Selection
from schemas.settings import TopicSettings


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters of ``source``."""

    letters: FlowTopic
    source: FlowTopic

    @classmethod
    def of(cls, topics: TopicSettings, name: str) -> Letters:
        """Those of the topic ``name``. Raises Misconfigured and Unavailable as `open_topic`."""
        return cls(open_topic(topics, topics.dead_letters(name)), open_topic(topics, name))

    def read(self) -> Iterator[StoredLetter]:
        """All, also those that are settled."""
        return read_letters(self.letters)

    def settled(self) -> dict[str, str]:
        """What became of letters, by name: ``replayed`` or ``discarded``."""
        if isinstance(self.letters, KafkaTopic):
            return kafka.settled(self.letters)
        return files.settled(*self._files())

    def replay(self, selection: Selection) -> int:
        """Put the records back on their topic, each once over all calls; how many."""
        if isinstance(self.letters, KafkaTopic) and isinstance(self.source, KafkaTopic):
            return kafka.replay(self.letters, self.source, selection)
        return files.replay(*self._files(), selection)

    def discard(self, selection: Selection) -> int:
        """Settle the letters without a replay; how many."""
        if isinstance(self.letters, KafkaTopic) and isinstance(self.source, KafkaTopic):
            return kafka.discard(self.letters, self.source, selection)
        return files.discard(*self._files(), selection)

    def _files(self) -> tuple[FileTopic, FileTopic]:
        assert isinstance(self.letters, FileTopic), "both are of the configured kind"
        assert isinstance(self.source, FileTopic), "both are of the configured kind"
        return self.letters, self.source
