"""The demo from end to end, as a newcomer runs it, and commands on its index."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from PIL import Image

from operators.streaming.files.topic import FileTopic
from tests.services.command_line import Demo, looksync

Record = dict[str, Any]

REPORT_KEYS = {
    "catalog": {
        *("packets", "dead", "stale", "indexed", "index_equals_truth", "embeddings"),
        "embeddings_for_metadata",
    },
    "looks": {"events", "missing", "duplicated", "p50_ms", "p95_ms"},
    "quality": {
        *("exact_hit_at_1", "exact_hit_at_10", "exact_mrr", "near_attribute_agreement"),
        *("absent_abstained", "layer_precision", "layer_recall"),
    },
}


def test_all_guarantees_hold(demo: Demo) -> None:
    assert demo.exit_code == 0, demo.printed
    report = demo.report
    assert report["catalog"]["index_equals_truth"]
    assert report["catalog"]["embeddings_for_metadata"] == 0
    assert report["looks"]["missing"] == report["looks"]["duplicated"] == 0


def test_the_report_has_the_documented_keys(demo: Demo) -> None:
    report = demo.report
    assert report.keys() >= {"seed", "products", "looks", "seconds"}
    for part, keys in REPORT_KEYS.items():
        assert report[part].keys() >= keys
    assert all(
        set(figure) == {"value", "low", "high", "n"} for figure in report["quality"].values()
    )


def test_the_gallery_shows_every_look(demo: Demo) -> None:
    page = (demo.folder / "gallery.html").read_text()
    assert page.count("look-000") >= 12
    assert "<script" not in page


def test_no_process_of_the_demo_is_left(demo: Demo) -> None:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(demo.home) not in listed.stdout


def test_a_manual_match_agrees_with_the_stream(demo: Demo) -> None:
    for event in events_without_preferences(demo)[:2]:
        picture = demo.folder / "world" / "looks" / f"{event['look_id']}.jpg"
        look = looks_of(demo)[event["look_id"]]
        given = [f"--{name}={look[name]}" for name in ("market", "gender") if look[name]]
        ended = demo.looksync(
            "match", picture, "--json", *given, LOOKSYNC_MATCHING__CACHE_SECONDS="0"
        )
        assert ended.returncode == 0, ended.stderr
        by_command = json.loads(ended.stdout)
        assert not by_command["cached"]
        assert shown(by_command) == shown(event)


def test_numbers_of_judged_products_are_compared_only_where_a_model_judges(demo: Demo) -> None:
    ended = demo.looksync(
        "eval", "--folder", demo.folder, "--candidates", LOOKSYNC_VLM__KIND="none"
    )
    assert ended.returncode != 0
    assert "vlm.kind" in ended.stdout + ended.stderr


def test_a_match_is_printed_as_tables(demo: Demo) -> None:
    picture = next((demo.folder / "world" / "looks").glob("*.jpg"))
    ended = demo.looksync("match", picture)
    assert ended.returncode == 0, ended.stderr
    assert "total" in ended.stdout


def test_any_file_gets_an_answer_or_a_clear_refusal(demo: Demo, tmp_path: Path) -> None:
    pixel, text = tmp_path / "pixel.png", tmp_path / "text.jpg"
    Image.new("RGB", (1, 1), "red").save(pixel)
    text.write_text("<html>no picture</html>")
    for odd, output in ((pixel, ""), (text, "not a picture"), (tmp_path / "gone.jpg", "gone.jpg")):
        ended = demo.looksync("match", odd)
        assert ended.returncode in (0, 1)
        assert "Traceback" not in ended.stderr
        assert output.lower() in (ended.stdout + ended.stderr).lower()


def test_dead_letters_are_listed_shown_and_replayed_once(demo: Demo) -> None:
    letters = demo.report["catalog"]["dead"]
    listed = demo.looksync("dlq", "list", "--topic", "catalog.updates")
    assert f"{letters} dead letters" in listed.stdout

    dead = FileTopic(demo.folder / "topics", "catalog.updates.dlq")
    record = next(r for p in range(dead.partitions) for r in dead.read(p))
    letter = f"{record.headers['dlq-partition']}/{record.headers['dlq-offset']}"
    output = demo.looksync("dlq", "show", "catalog.updates", letter)
    assert output.returncode == 0, output.stderr
    assert record.headers["dlq-reason"] in output.stdout

    assert f"{letters} replayed on" in demo.looksync("dlq", "replay", "catalog.updates").stdout
    assert "0 replayed on" in demo.looksync("dlq", "replay", "catalog.updates").stdout


def test_coverage_and_repeated_evaluation(demo: Demo) -> None:
    coverage = demo.looksync("eval", "coverage")
    assert "kisetsu" in coverage.stdout
    again = looksync("eval", "--folder", demo.folder, cwd=demo.home)
    assert again.returncode == 0, again.stdout + again.stderr


def events_without_preferences(demo: Demo) -> list[Record]:
    """Of looks without preferences, explicit or inferred: `match` has no options for them."""
    looks, matched = looks_of(demo), FileTopic(demo.folder / "topics", "looks.matched")
    events = [json.loads(r.value) for p in range(matched.partitions) for r in matched.read(p)]
    plain = [
        event
        for event in events
        if not any(looks[event["look_id"]]["preferences"].values())
        and not any(looks[event["look_id"]]["inferred"].values())
    ]
    assert plain
    return plain


def looks_of(demo: Demo) -> dict[str, Record]:
    """look_id -> look."""
    topic = FileTopic(demo.folder / "topics", "looks.generated")
    records = (record for partition in range(topic.partitions) for record in topic.read(partition))
    return {record.key: json.loads(record.value) for record in records}


def shown(event: Record) -> dict[str, list[str]]:
    """Layer -> ranked product keys."""
    return {
        layer["layer"]: [product["product"]["key"] for product in layer["products"]]
        for layer in event["layers"]
    }
