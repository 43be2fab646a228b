import json
from dataclasses import replace

import pytest
from rich.console import Console

from evaluation.sandbox.catalog_report import catalog_report
from evaluation.sandbox.look_report import look_report
from evaluation.sandbox.report import Report
from evaluation.sandbox.table import Variant, ablation_table, report_table
from sandbox.life import Truth
from tests.evaluation.perfect_run import perfect_run


@pytest.fixture
async def report(truth: Truth) -> Report:
    run = perfect_run(truth)
    catalog = await catalog_report(
        truth, run.index, run.ledger, changes=run.changes, dead_letters=run.dead_letters
    )
    return Report(truth.seed, len(truth.products), 12.5, catalog, look_report(truth, run.matches))


async def test_it_has_the_promised_keys(report: Report) -> None:
    record = json.loads(report.to_json())
    assert record.keys() >= {"seed", "products", "looks", "seconds", "catalog", "quality"}
    assert (record["seed"], record["products"], record["seconds"]) == (21, 150, 12.5)
    assert record["catalog"].keys() >= {
        "packets", "dead", "stale", "indexed", "index_equals_truth", "embeddings",
        "embeddings_for_metadata",
    }  # fmt: skip
    assert record["looks"].keys() >= {"events", "missing", "duplicated", "p50_ms", "p95_ms"}
    assert record["looks"]["requested"] == 10
    assert record["quality"].keys() >= {
        "exact_hit_at_1", "exact_hit_at_10", "exact_mrr", "near_attribute_agreement",
        "absent_abstained", "layer_precision", "layer_recall",
    }  # fmt: skip
    for figure in record["quality"].values():
        assert figure.keys() == {"value", "low", "high", "n"}


async def test_a_perfect_run_does_not_fail(report: Report) -> None:
    assert report.failures() == []


async def test_broken_promises_fail_a_run(report: Report) -> None:
    looks = replace(report.looks, missing=1, duplicated=2)
    catalog = replace(report.catalog, embeddings_for_metadata=3)
    failures = replace(report, looks=looks, catalog=catalog).failures()
    assert len(failures) == 3


async def test_missed_quality_targets_do_not_fail_a_run(report: Report) -> None:
    nothing = {name: replace(found, value=0.0) for name, found in report.looks.quality.items()}
    assert replace(report, looks=replace(report.looks, quality=nothing)).failures() == []


async def test_the_tables_show_every_figure(report: Report) -> None:
    console = Console(width=120, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(report_table(report))
        ways = {
            "fused": Variant(report.looks, 0.0, 350.0),
            "by model": Variant(report.looks, 41.5, 900.0),
        }
        console.print(ablation_table(ways))
    text = captured.get()
    for word in ("hit@1", "MRR", "absent: abstained", "1.000", "footwear", "by model", "41.5"):
        assert word in text
