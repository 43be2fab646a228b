"""Turn vendors' files into packets: what `looksync ingest` does.

Rows are sent as they are read. A snapshot says everything that the vendor sells, so it is read to
its end before anything is sent: products of the vendor that are in none of its rows are deleted,
unless that would be suspiciously many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from operators.catalog.ingest.absent import LiveProduct, absent_products, deletion
from operators.catalog.ingest.report import SHOWN
from operators.catalog.ingest.rows import Rows
from operators.catalog.ingest.spool import Spool
from schemas.errors import Unavailable
from schemas.records import Record

BATCH = 1000
"""Packets per append: one disk flush makes all of them durable."""

Send = Callable[[Sequence[Record]], object]
"""Appends to catalog.updates; the records are durable when it returns. A dry run has one that does
nothing."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a snapshot may delete."""

    live: Iterable[LiveProduct]
    """The vendor's products, as the ledger has them."""
    max_absent: float
    """Share of them that may be absent."""
    force: bool = False


def ingest(rows: Rows, send: Send) -> None:
    """Send ``rows`` while they are read. Raises Misconfigured."""
    _send(rows.records(), rows, send)


def ingest_snapshot(rows: Rows, snapshot: Snapshot, send: Send) -> None:
    """Send ``rows``, and delete the products that are in none of them.

    Nothing is sent when more products are absent than allowed. Nothing is deleted when a file is
    not read to its end or too many rows are refused, because then it is not known what is absent.
    Raises Misconfigured.
    """
    report = rows.report
    rows.keeps_ids = True
    with Spool() as spool, Spool() as deletions:
        for record in rows.records():
            spool.append(record)
        doubt = _doubt(rows, snapshot)
        if doubt is None:
            _count_absent(rows, snapshot, deletions)
            if _too_many(rows, snapshot):
                return
        report.withheld = doubt
        gone: Iterable[Record] = () if doubt else deletions.records()
        _send(chain(spool.records(), gone), rows, send)


def _send(records: Iterator[Record], rows: Rows, send: Send) -> None:
    report = rows.report
    while batch := list(islice(records, BATCH)):
        try:
            send(batch)
        except Unavailable as error:
            raise Unavailable(
                f"{error} ({report.sent:,} packets before it were sent; repeat the command)",
                reason=error.reason,
            ) from error
        report.sent += len(batch)


def _doubt(rows: Rows, snapshot: Snapshot) -> str | None:
    """Why the absent products cannot be determined."""
    report = rows.report
    if report.broken:
        return "a file was not read to its end"
    if report.too_many_refused:
        return (
            f"{report.refused_share:.1%} of the rows were refused, at most "
            f"{report.max_refused:.1%} may be"
        )
    if rows.unreadable.unknown and not snapshot.force:
        return (
            f"of {rows.unreadable.unknown:,} rows that could not be read not even the id is known; "
            "mend them, or use --force"
        )
    return None


def _count_absent(rows: Rows, snapshot: Snapshot, deletions: Spool) -> None:
    report, own = rows.report, rows.files.own_versions
    known = 0

    def counted() -> Iterator[LiveProduct]:
        nonlocal known
        for product in snapshot.live:
            known += 1
            yield product

    before = None if own else rows.files.version
    for product in absent_products(counted(), rows.seen, rows.unreadable, before):
        deletions.append(deletion(product, before))
        report.absent += 1
        if len(report.first_absent) < SHOWN:
            report.first_absent.append(product.product_id)
    report.known = known


def _too_many(rows: Rows, snapshot: Snapshot) -> bool:
    report = rows.report
    share = report.absent / report.known if report.known else 0.0
    if share <= snapshot.max_absent or snapshot.force:
        return False
    report.withheld = (
        f"{report.absent:,} of {report.known:,} products are not in the snapshot ({share:.1%}, at "
        f"most {snapshot.max_absent:.1%} may be): nothing was sent. If the files are whole, use "
        "--force"
    )
    return True
