from dataclasses import replace

import pytest

from evaluation.sandbox.catalog_report import CatalogReport, Counts, catalog_report
from sandbox.life import ProductTruth, Truth
from schemas.attributes import Attribute
from schemas.catalog import Decision, LedgerEntry
from schemas.records import Record
from tests.evaluation.perfect_run import Run, change, entry, indexed, perfect_run, put, record


@pytest.fixture
def run(truth: Truth) -> Run:
    return perfect_run(truth)


async def _report(truth: Truth, run: Run, embeddings: int | None = None) -> CatalogReport:
    return await catalog_report(
        truth,
        run.index,
        run.ledger,
        changes=run.changes,
        dead_letters=run.dead_letters,
        counts=Counts(embeddings=embeddings),
    )


def _some(truth: Truth) -> ProductTruth:
    return next(p for p in truth.live().values() if p.colour_stated and p.stock)


async def test_a_perfect_run_equals_the_truth(truth: Truth, run: Run) -> None:
    report = await _report(truth, run)
    assert report.differences == ()
    assert report.index_equals_truth
    assert report.indexed == len(truth.live())
    assert report.dead_as_expected
    assert report.dead == truth.fates("dead") > 0
    assert report.embeddings == truth.embeddings_at_most
    assert report.embeddings_for_metadata == 0
    assert report.tombstones == len(truth.products) - len(truth.live()) > 0


async def test_a_product_missing_or_not_gone_is_a_difference(truth: Truth, run: Run) -> None:
    lost = _some(truth)
    gone = next(product for product in truth.products.values() if not product.live)
    run.index.objects[gone.key] = run.index.objects.pop(lost.key)
    report = await _report(truth, run)
    assert not report.index_equals_truth
    assert {(d.key, d.what) for d in report.differences} == {
        (gone.key, "index"),
        (lost.key, "index"),
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("in_stock", False),
        ("price_bucket", 999),
        ("colour", "beige"),
        ("market", "FR"),
        ("sizes", ("EU:1",)),
    ],
)
async def test_a_wrong_filterable_attribute_is_a_difference(
    truth: Truth, run: Run, name: str, value: object
) -> None:
    key = _some(truth).key
    put(run, key, replace(indexed(truth.products[key]), **{name: value}))  # type: ignore[arg-type]
    (difference,) = (await _report(truth, run)).differences
    assert (difference.key, difference.what) == (key, f"index.{name}")


async def test_a_guess_stored_as_a_fact_is_a_difference(truth: Truth, run: Run) -> None:
    product = next(p for p in truth.live().values() if not p.colour_stated)
    held = entry(product)
    colour = Attribute(value=product.garment.colour, source="rule")
    attributes = held.attributes.model_copy(update={"colour": colour})
    record(run, held.model_copy(update={"attributes": attributes}))
    (difference,) = (await _report(truth, run)).differences
    assert (difference.key, difference.what) == (product.key, "ledger.colour")


async def test_a_stale_ledger_is_a_difference(truth: Truth, run: Run) -> None:
    key = _some(truth).key
    product = truth.products[key]
    record(run, entry(product).model_copy(update={"version": product.version - 1}))
    (difference,) = (await _report(truth, run)).differences
    assert (difference.key, difference.what) == (key, "ledger.version")


async def test_an_old_picture_is_a_difference(truth: Truth, run: Run) -> None:
    changed = next(p for p in truth.live().values() if p.picture.endswith("-new"))
    other = next(p for p in truth.live().values() if p.picture != changed.picture)
    put(run, changed.key, replace(indexed(changed), image_hash=other.picture))
    report = await _report(truth, run)
    assert {d.what for d in report.differences} == {"index.image_hash"}


async def test_a_product_the_truth_does_not_know_is_a_difference(truth: Truth, run: Run) -> None:
    record(run, LedgerEntry(key="zari:ghost", version=1))
    (difference,) = (await _report(truth, run)).differences
    assert (difference.key, difference.what) == ("zari:ghost", "ledger")


async def test_an_embedding_for_a_metadata_change_is_counted(truth: Truth, run: Run) -> None:
    run.changes.append(change(_some(truth), Decision.REEMBEDDED, position=10_000))
    assert (await _report(truth, run)).embeddings_for_metadata == 1


async def test_embeddings_that_no_change_accounts_for_are_counted(truth: Truth, run: Run) -> None:
    report = await _report(truth, run, embeddings=truth.embeddings_at_most + 5)
    assert report.embeddings == truth.embeddings_at_most + 5
    assert report.embeddings_for_metadata == 5


async def test_fewer_embeddings_than_changes_are_no_fault(truth: Truth, run: Run) -> None:
    report = await _report(truth, run, embeddings=truth.embeddings_at_least)
    assert report.embeddings_for_metadata == 0


async def test_a_change_published_twice_is_counted_once(truth: Truth, run: Run) -> None:
    run.changes.append(run.changes[0])
    report = await _report(truth, run)
    assert report.changes_duplicated == 1
    assert report.embeddings_for_metadata == 0


async def test_dead_letters_must_be_the_broken_ones(truth: Truth, run: Run) -> None:
    run.dead_letters[0] = Record(_some(truth).key, b"{}", {})
    report = await _report(truth, run)
    assert report.dead == truth.fates("dead")
    assert not report.dead_as_expected


async def test_stale_is_what_the_flow_counted(truth: Truth, run: Run) -> None:
    report = await catalog_report(
        truth,
        run.index,
        run.ledger,
        changes=run.changes,
        dead_letters=run.dead_letters,
        counts=Counts(decisions={Decision.STALE: 17, "updated": 3}),
    )
    assert report.stale == 17
    assert report.decisions == {"stale": 17, "updated": 3}
