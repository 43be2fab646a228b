"""Without Kafka, without code: send looks, see matches, check records."""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image

from operators.streaming.files.topic import FileTopic
from schemas.errors import Misconfigured
from schemas.looks import Look
from schemas.records import Record
from schemas.settings import load_settings
from tests.services.command_line import looksync

RECORDS = Path(__file__).parents[1] / "data/records"


def sent(folder: Path) -> list[Look]:
    topic = FileTopic(folder / "var/topics", "looks.generated")
    records = [record for p in range(topic.partitions) for record in topic.read(p)]
    return [Look.model_validate_json(record.value) for record in records]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n in range(2):
        Image.new("RGB", (40, 60), (n, 0, 0)).save(folder / f"{n}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_the_pictures_of_a_folder_are_sent_as_looks(tmp_path: Path, pictures: Path) -> None:
    ended = looksync("looks", "send", str(pictures), "--market", "JP", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "2 of 2 looks sent" in ended.stdout
    looks = sent(tmp_path)
    assert {look.market for look in looks} == {"JP"}
    assert sorted(look.look_id for look in looks) == sorted(ended.stdout.split()[:2])
    assert (pictures / "0.png").read_bytes() in [look.image.data for look in looks]


def test_a_picture_that_is_too_large_for_a_record_is_made_smaller(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(2000 * 1500 * 3)
    Image.frombytes("RGB", (2000, 1500), noise).save(tmp_path / "big.png")
    assert (tmp_path / "big.png").stat().st_size > 8 * 2**20
    ended = looksync("looks", "send", "big.png", cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout
    (look,) = sent(tmp_path)
    assert look.image.data is not None
    assert len(base64.b64encode(look.image.data)) < 8 * 2**20
    with Image.open(io.BytesIO(look.image.data)) as picture:
        assert picture.size == (2000, 1500)


def test_what_cannot_be_sent_is_reported_and_the_rest_is_sent(
    tmp_path: Path, pictures: Path
) -> None:
    ended = looksync("looks", "send", "missing.jpg", str(pictures / "0.png"), cwd=tmp_path)
    assert ended.returncode == 1
    assert "missing.jpg: not sent" in ended.stdout
    assert "1 of 2 looks sent" in ended.stdout
    (tmp_path / "empty").mkdir()
    empty = looksync("looks", "send", "empty", cwd=tmp_path)
    assert (empty.returncode, "no picture" in empty.stderr) == (2, True)


@contextmanager
def answering(status: int, body: dict[str, str], seen: list[dict[str, object]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append({**json.loads(content), "key": self.headers["Authorization"]})
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_looks_are_sent_to_an_api(tmp_path: Path, pictures: Path) -> None:
    seen: list[dict[str, object]] = []
    picture = str(pictures / "1.png")
    with answering(202, {}, seen) as address:
        options = ("--api", address, "--key", "secret")
        ended = looksync("looks", "send", picture, *options, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert seen[0]["key"] == "Bearer secret"
    assert seen[0]["look_id"] == ended.stdout.split()[0]
    with answering(401, {"code": "unauthorized", "detail": "send a valid key"}, seen) as address:
        refused = looksync("looks", "send", picture, "--api", address, cwd=tmp_path)
    assert refused.returncode == 2
    assert "unauthorized: send a valid key" in refused.stderr
    away = looksync("looks", "send", picture, "--api", "http://127.0.0.1:9", cwd=tmp_path)
    assert (away.returncode, "unavailable" in away.stderr) == (1, True)


def test_matches_are_printed_for_people_and_for_programs(tmp_path: Path) -> None:
    topic = FileTopic(tmp_path / "var/topics", "looks.matched")
    topic.create(2)
    value = (RECORDS / "looks.matched.found.json").read_bytes()
    line = json.dumps(json.loads(value)).encode()
    topic.append([Record("look-1", line), Record("look-2", b"no event")])
    options = ("matches", "tail", "--from-start", "--count", "2")
    as_json = looksync(*options, "--json", cwd=tmp_path)
    assert sorted(as_json.stdout.splitlines()) == sorted([line.decode(), "no event"])
    readable = looksync(*options, cwd=tmp_path)
    assert readable.returncode == 0, readable.stderr
    assert "look-1" in readable.stdout
    assert "this event cannot be read" in readable.stdout


@pytest.mark.parametrize("product_id", ["N0001810", "the-id-of-a-vendor-who-likes-long-ids-4711"])
def test_product_keys_are_printed_whole(tmp_path: Path, product_id: str) -> None:
    value = (RECORDS / "looks.matched.found.json").read_text()
    value = value.replace('"shop:1"', f'"shop:{product_id}"')
    value = value.replace('"product_id": "1"', f'"product_id": "{product_id}"')
    topic = FileTopic(tmp_path / "var/topics", "looks.matched")
    topic.create(1)
    topic.append([Record("look-1", json.dumps(json.loads(value)).encode())])
    printed = looksync("matches", "tail", "--from-start", "--count", "1", cwd=tmp_path).stdout
    cells = [line.split("│") for line in printed.splitlines() if line.startswith("│")]
    assert f"shop:{product_id}" in "".join(row[3].strip() for row in cells)


def test_records_are_checked_against_a_schema(tmp_path: Path) -> None:
    good = RECORDS / "looks.generated.by-url.json"
    assert looksync("schema", "check", str(good), cwd=tmp_path).returncode == 0
    lines = [json.dumps(json.loads(good.read_text())), '{"look_id": "x"}', "{"]
    (tmp_path / "looks.jsonl").write_text("\n".join(lines))
    ended = looksync("schema", "check", "looks.jsonl", cwd=tmp_path)
    assert ended.returncode == 1
    assert "line 2: image: Field required" in ended.stdout
    assert "line 3: " in ended.stdout
    assert "3 records of looks.generated: 2 do not fit" in ended.stdout
    unknown = looksync("schema", "check", "looks.jsonl", "--topic", "looks", cwd=tmp_path)
    assert (unknown.returncode, "choose one of" in unknown.stderr) == (2, True)


def test_a_misspelt_setting_gets_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "looksync.toml").write_text("[matching]\nrerank_wieght = 0.5\n[topic]\nx = 1\n")
    with pytest.raises(Misconfigured, match=r"did you mean .*matching\.rerank_weight"):
        load_settings(tmp_path / "looksync.toml")
    with pytest.raises(Misconfigured, match=r"did you mean .*topics"):
        load_settings(tmp_path / "looksync.toml")
