"""docs/your-products.md, run as it stands: from its file and mapping to found products."""

from __future__ import annotations

import random
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.main

from operators.stores.redis.embedded_server import stop_left_over
from sandbox.world import Garment, draw_look, draw_product
from schemas.settings import load_settings
from services.cli.app import app
from tests.services.command_line import looksync

PAGE = (Path(__file__).resolve().parents[2] / "docs/your-products.md").read_text(encoding="utf-8")
PICTURES = "https://cdn.elm.example/"

GARMENTS = {
    "striped-skirt": Garment("bottom", "skirt", "red", "striped", "white", length="midi"),
    "white-shirt": Garment(
        "top", "t-shirt", "white", "solid", sleeve="short sleeve", neckline="v-neck"
    ),
    "navy-jeans": Garment("bottom", "jeans", "navy", "solid"),
    "navy-jeans-back": Garment("bottom", "jeans", "navy", "solid"),
    "brown-boots": Garment("footwear", "boots", "brown", "solid"),
    "black-coat": Garment("outerwear", "coat", "black", "solid", length="long"),
}

Ended = subprocess.CompletedProcess[str]


def blocks(pattern: str) -> list[str]:
    return re.findall(rf"^```{pattern}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The arguments of each command that the page runs, in its order."""
    lines = "".join(blocks("console")).splitlines()
    return [shlex.split(line.removeprefix("$ .venv/bin/looksync ")) for line in lines]


@dataclass(frozen=True, slots=True)
class Followed:
    """The page, followed to its end."""

    ended: list[Ended]

    def of(self, command: str, number: int = 0) -> Ended:
        return [e for c, e in zip(commands(), self.ended, strict=True) if c[0] == command][number]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    home = tmp_path_factory.mktemp("shop")
    draw_pictures(home)
    for language, name in re.findall(r"^```(\w+) (\S+)$", PAGE, re.MULTILINE):
        [content] = blocks(f"{language} {re.escape(name)}")
        (home / name).write_text(content.replace(PICTURES, f"{home.as_uri()}/pictures/"))
    guard = {"LOOKSYNC_IMAGES__ALLOWED_ROOTS": f'["{home}"]'}
    yield Followed([looksync(*arguments, cwd=home, **guard) for arguments in commands()])
    stop_left_over(home / "var" / "valkey")


def draw_pictures(home: Path) -> None:
    (home / "pictures").mkdir()
    for name, garment in GARMENTS.items():
        draw_product(garment, random.Random(name)).save(home / "pictures" / f"{name}.jpg")
    worn = {"bottom": GARMENTS["striped-skirt"], "top": GARMENTS["white-shirt"]}
    draw_look(worn, random.Random(4), (256, 384)).picture.save(home / "look.jpg")


def test_the_check_says_what_the_page_says(followed: Followed) -> None:
    check = followed.of("mapping")
    assert check.returncode == 1
    [said] = [text for text in blocks("text") if "rows read" in text]
    assert said in check.stdout
    assert "probably wrong" not in check.stdout


def test_the_file_is_ingested_and_its_refused_row_kept(followed: Followed) -> None:
    ingest = followed.of("ingest")
    assert ingest.returncode == 0, ingest.stdout + ingest.stderr
    assert re.search(r"sent to catalog.updates\s*│ 4", ingest.stdout)
    assert ingest.stderr == "", "the flow has the mapping"
    assert followed.of("run").returncode == 0


def test_the_products_are_found(followed: Followed) -> None:
    match = followed.of("match")
    assert match.returncode == 0, match.stderr
    layers = match.stdout.split("\n\n")
    first = [re.search(r"│ 1 +│[^│]*│ (elm:\S+)", layer) for layer in layers]
    assert {found[1] for found in first if found} >= {"elm:R-1", "elm:T-1"}
    assert "elm:B-1" not in match.stdout, "it is sold out"


def test_a_product_tells_whether_it_can_be_matched(followed: Followed) -> None:
    shown = followed.of("product")
    assert (shown.returncode, shown.stdout.splitlines()[0]) == (0, "elm:R-1: can be matched")


def test_a_snapshot_deletes_nothing_that_is_in_the_file(followed: Followed) -> None:
    snapshot = followed.of("ingest", 1)
    assert snapshot.returncode == 0, snapshot.stdout + snapshot.stderr
    assert re.search(r"deletions of absent products\s*│ 0 of 4", snapshot.stdout)


def test_the_other_settings_and_the_line_of_cron_are_valid() -> None:
    for text in blocks("toml"):
        load_settings(**tomllib.loads(text))
    [line] = [text for text in blocks("text") if "* * *" in text]
    name, *arguments = shlex.split(line.partition(".venv/bin/looksync ")[2])
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, arguments)
