"""The operator page: what it says, what it does, and for whom."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dataflows.wiring.letters import Letters
from dataflows.wiring.topics import open_topic
from operators.stores.redis.feed_runs import RedisFeedRuns
from operators.streaming.files.topic import FileTopic
from schemas.feed_runs import FeedRun
from services.api.access import hash_of
from tests.shop.conftest import UPDATES, Visit, Visited, bury

SAME_SITE = {"sec-fetch-site": "same-origin"}


async def read(visited: Visited, path: str = "/operator", status: int = 200, **headers: str) -> str:
    answer = await visited.client.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.text


async def test_dead_letters_are_counted_and_replayed_by_reason(visit: Visit) -> None:
    async with visit() as visited:
        bury(visited, "unknown-vendor", "invalid-price", "invalid-price")
        assert "3 waiting" in await read(visited)
        stored = next(iter(Letters.of(visited.api.settings.topics, UPDATES).read()))
        form = {"topic": UPDATES, "reason": f"{stored.letter.stage}:invalid-price"}
        sent = await visited.client.post("/operator/replay", data=form, headers=SAME_SITE)
        assert (sent.status_code, sent.headers["location"]) == (303, "/operator?replayed=2")
        text = await read(visited, sent.headers["location"])
        assert "2 dead letters were put back" in text
        assert "2 replayed, 1 waiting" in text
        topic = open_topic(visited.api.settings.topics, UPDATES)
        assert isinstance(topic, FileTopic)
        assert sum(1 for p in range(topic.partitions) for _ in topic.read(p)) == 2


async def test_a_form_of_another_site_replays_nothing(visit: Visit) -> None:
    async with visit() as visited:
        bury(visited, "invalid-price")
        form = {"topic": UPDATES, "reason": "invalid-price"}
        headers = {"sec-fetch-site": "cross-site"}
        sent = await visited.client.post("/operator/replay", data=form, headers=headers)
        assert sent.status_code == 403
        assert "1 waiting" in await read(visited)


async def test_only_the_flows_topics_can_be_replayed(visit: Visit) -> None:
    async with visit() as visited:
        form = {"topic": "looks.matched", "reason": "x"}
        sent = await visited.client.post("/operator/replay", data=form, headers=SAME_SITE)
        assert sent.status_code == 422


async def test_feed_runs_are_listed_the_newest_first(visit: Visit) -> None:
    async with visit() as visited:
        runs = RedisFeedRuns(visited.parts.redis)
        for day, failures in ((1, ()), (2, ("2.0% of the rows were refused",))):
            await runs.note(
                FeedRun(
                    vendor=f"vendor{day}",
                    at=datetime(2026, 11, day, tzinfo=UTC),
                    read=1000,
                    sent=980,
                    refused={"invalid-price": 20},
                    failures=failures,
                )
            )
        text = await read(visited)
        assert text.index("vendor2") < text.index("vendor1")
        assert "invalid-price 20" in text
        assert "2.0% of the rows were refused" in text


async def test_coverage_is_counted_on_demand(visit: Visit) -> None:
    async with visit() as visited:
        text = await read(visited, "/operator/coverage")
        assert "of 5 products" in text
        assert "100.0%" in text


async def test_the_last_evaluation_is_shown(visit: Visit, tmp_path: Path) -> None:
    figure = {"value": 0.97, "low": 0.95, "high": 0.99, "n": 58}
    report: dict[str, Any] = {"products": 400, "looks": {"requested": 24}}
    report["quality"] = {"exact_hit_at_1": figure, "near_abstained": {**figure, "value": 0.0}}
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    async with visit(evaluation=path) as visited:
        text = await read(visited)
        assert "24 looks, 400 products" in text
        assert "0.950 to 0.990" in text
        assert "at least 0.98" in text
        assert text.count("missed") == text.count(">met<") == 1


@pytest.mark.parametrize("content", [None, "no report", "{}"])
async def test_without_a_readable_report_it_says_how_to_get_one(
    visit: Visit, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    async with visit(evaluation=path) as visited:
        assert "No evaluation" in await read(visited)


async def test_a_flow_that_does_not_answer_is_said_to_be_unseen(visit: Visit) -> None:
    async with visit() as visited:
        await visited.parts.redis.set("looksync:paused:catalog", "for the <sale>")
        text = await read(visited)
        assert "Paused: for the &lt;sale&gt;" in text


async def test_with_keys_it_needs_the_scope_admin(visit: Visit) -> None:
    keys = [
        {"name": "boss", "sha256": hash_of("secret"), "scopes": ["admin"]},
        {"name": "app", "sha256": hash_of("other"), "scopes": ["read", "write"]},
    ]
    async with visit(keys=keys, shop=True) as visited:
        refused = await visited.client.get("/operator", headers={"accept": "*/*"})
        assert refused.status_code == 401
        assert "Basic" in refused.headers["www-authenticate"]
        basic = {n: base64.b64encode(f"x:{n}".encode()).decode() for n in ("secret", "other")}
        await read(visited, authorization=f"Basic {basic['secret']}")
        await read(visited, authorization="Bearer secret")
        await read(visited, status=403, authorization=f"Basic {basic['other']}")
        shown = await read(visited, status=401, authorization="Basic ???")
        assert "You need a key for this page" in shown
        replay = await visited.client.post("/operator/replay", data={"topic": UPDATES})
        assert replay.status_code == 401
