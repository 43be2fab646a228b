"""Evaluate the catalog flow against the truth: counts, index contents and embeddings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from evaluation.sandbox.index_comparison import Difference, compare_index
from operators.ports import Ledger, VectorStore
from sandbox.life import Truth
from sandbox.life.truth import EMBEDDING_FATES
from schemas.catalog import Decision, ProductChange
from schemas.dead_letters import HEADER_PREFIX
from schemas.records import Record

_EMBEDDING = (Decision.CREATED, Decision.REEMBEDDED)
_DIFFERENCES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class CatalogReport:
    """Figures of the catalog flow; ``expected`` counts the true fates of the packets."""

    packets: int
    """Records of the feed."""
    dead: int
    """Records on the dead-letter topic."""
    stale: int | None
    """From the flow's counters, as stale packets leave no record; None without the counters."""
    indexed: int
    index_equals_truth: bool
    embeddings: int
    """Pictures embedded: from the flow's counter, else the changes that need an embedding."""
    embeddings_for_metadata: int
    """Embeddings beyond those that new products and pictures need; should be 0."""
    dead_as_expected: bool
    """Whether exactly the broken packets are on the dead-letter topic."""
    changes_duplicated: int
    """Records on catalog.changes that repeat an event id."""
    tombstones: int
    decisions: dict[str, int]
    """Decision -> changes published; with the flow's counters, dropped packets too."""
    dead_reasons: dict[str, int]
    expected: dict[str, int]
    embeddings_expected: tuple[int, int]
    """At least (pictures shared by items embedded once) and at most."""
    differences_found: int
    differences: tuple[Difference, ...]
    """The first few."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counters of the flow, more exact than its topics; None: not known."""

    decisions: Mapping[str, int] | None = None
    embeddings: int | None = None
    """Embedded pictures."""


_NO_COUNTS = Counts()


async def catalog_report(
    truth: Truth,
    index: VectorStore,
    ledger: Ledger,
    *,
    changes: Iterable[Record],
    dead_letters: Iterable[Record],
    counts: Counts = _NO_COUNTS,
) -> CatalogReport:
    """Evaluate the catalog flow after it has drained.

    ``changes`` and ``dead_letters``: all records of catalog.changes and catalog.updates.dlq.
    """
    decisions, embeddings = counts.decisions, counts.embeddings
    compared = await compare_index(truth, index, ledger)
    published, needing, duplicated = _read_changes(changes)
    expected = Counter(packet.fate for packet in truth.packets)
    allowed = Counter(p.key for p in truth.packets if p.fate in EMBEDDING_FATES)
    # Changes that embed a product more often than its packets require, and embeddings that no
    # change accounts for.
    superfluous = sum((needing - allowed).values())
    if embeddings is not None:
        superfluous += max(0, embeddings - needing.total())
    dead_keys, reasons = Counter[str](), Counter[str]()
    for record in dead_letters:
        dead_keys[record.key] += 1
        reasons[record.headers.get(f"{HEADER_PREFIX}reason", "?")] += 1
    counted = {**decisions} if decisions is not None else dict(published)
    return CatalogReport(
        packets=len(truth.packets),
        dead=dead_keys.total(),
        stale=None if decisions is None else decisions.get(Decision.STALE, 0),
        indexed=compared.indexed,
        index_equals_truth=not compared.differences,
        embeddings=needing.total() if embeddings is None else embeddings,
        embeddings_for_metadata=superfluous,
        dead_as_expected=dead_keys == Counter(p.key for p in truth.packets if p.fate == "dead"),
        changes_duplicated=duplicated,
        tombstones=compared.tombstones,
        decisions={str(name): many for name, many in counted.items()},
        dead_reasons=dict(reasons.most_common()),
        expected={str(fate): many for fate, many in expected.items()},
        embeddings_expected=(truth.embeddings_at_least, truth.embeddings_at_most),
        differences_found=len(compared.differences),
        differences=compared.differences[:_DIFFERENCES_SHOWN],
    )


def _read_changes(changes: Iterable[Record]) -> tuple[Counter[str], Counter[str], int]:
    """Return decisions published, embeddings by product key, and the number of repeated events.

    A repeated event counts once in the first two.
    """
    seen: set[UUID] = set()
    published, needing = Counter[str](), Counter[str]()
    duplicated = 0
    for record in changes:
        change = ProductChange.model_validate_json(record.value)
        if change.event_id in seen:
            duplicated += 1
            continue
        seen.add(change.event_id)
        published[change.decision] += 1
        if change.decision in _EMBEDDING:
            needing[change.key] += 1
    return published, needing, duplicated
