"""The documentation names files, links, decisions and commands that exist."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from services.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "sandbox").rglob("*.md")),
]

TOP_LEVEL = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"var"}
NOT_IN_THE_REPOSITORY = {"looksync.toml", "gallery.html"}
"""Files that a user writes or a command produces."""

CODE = re.compile(r"```\w*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
COMMAND = r"(?:^|[$(] |&& |\.venv/bin/)"

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def code_in(page: Path) -> Iterator[str]:
    """The lines of code blocks and the code spans of ``page``."""
    for block, span in CODE.findall(page.read_text(encoding="utf-8")):
        yield from (block or span.replace("\\|", "|")).splitlines()


@pages
def test_relative_links_resolve(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    relative = [link for link in links if "://" not in link]
    assert [link for link in relative if not (page.parent / link).exists()] == []


@pages
def test_named_files_exist(page: Path) -> None:
    assert [name for name in _file_names(page) if not _exists(name)] == []


@pages
def test_python_modules_exist(page: Path) -> None:
    modules = {
        name for code in code_in(page) for name in re.findall(r"python -m ([a-z_][\w.]*)", code)
    }
    own = {name for name in modules if name.split(".")[0] in TOP_LEVEL}
    assert [name for name in own if importlib.util.find_spec(name) is None] == []


@pages
def test_make_targets_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = {
        target
        for code in code_in(page)
        for target in re.findall(rf"{COMMAND}make ([a-z][a-z0-9-]*)", code)
    }
    assert named - set(targets) == set()


@pages
def test_commands_exist(page: Path) -> None:
    assert [command for command in _commands(page) if not _is_command(command)] == []


def test_the_plan_names_every_package() -> None:
    plan = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").partition("## The dep")[0]
    operators = {path.name for path in (ROOT / "operators").iterdir()}
    packages = {name for name in TOP_LEVEL if (ROOT / name / "__init__.py").exists()}
    packages |= {name for name in operators if not name.startswith("_")}
    assert {name for name in packages if not re.search(rf"\b{re.escape(name)}\b", plan)} == set()


def test_each_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d{3})\]\((\S+)\) \| (.+) \| (\S+) \| (.+) \|$", index, re.MULTILINE)
    assert rows == [_row(path) for path in DECISIONS]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_that_was_changed_says_by_which(path: Path) -> None:
    status = _row(path)[4]
    assert re.fullmatch(
        r"accepted|(amended|superseded) by \[(\d{3})\]\(\2-[a-z0-9-]+\.md\)", status
    )


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_sections(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    sections = re.findall(r"^\*\*(Context|Options|Evidence|Choice)\.\*\*", text, re.MULTILINE)
    assert sections == ["Context", "Options", "Evidence", "Choice"]


def test_code_refers_to_decisions_that_exist() -> None:
    numbers = {path.name[:3] for path in DECISIONS}
    sources = [path for folder in TOP_LEVEL if folder[0] != "." for path in _sources(ROOT / folder)]
    named = {
        number
        for path in sources
        for number in re.findall(r"decisions?[ /](\d{3})\b", path.read_text(encoding="utf-8"))
    }
    assert named - numbers == set()


def _sources(folder: Path) -> list[Path]:
    return [path for kind in ("*.py", "*.yaml", "*.md") for path in folder.rglob(kind)]


def _row(path: Path) -> tuple[str, str, str, str, str]:
    """Number, file, title, date and status, as the head of the decision has them."""
    head = re.match(
        r"# (\d{3}): (.+)\n\nDate: (\d{4}-\d\d-\d\d)\nStatus: (.+)\n\n",
        path.read_text(encoding="utf-8"),
    )
    assert head, f"{path.name} has no title, date and status"
    number, title, date, status = head.groups()
    return number, path.name, title, date, status


def _file_names(page: Path) -> Iterator[str]:
    """Code spans that look like files of the repository."""
    for _, span in CODE.findall(page.read_text(encoding="utf-8")):
        for name in span.split():
            inside = name.split("/")[0] in TOP_LEVEL and "/" in name
            alone = re.fullmatch(r"[\w-]+\.(py|md|toml|yaml|html)", name)
            if re.fullmatch(r"[\w./*-]+", name) and (inside or alone):
                yield name


def _exists(name: str) -> bool:
    if "/" in name:
        return any(ROOT.glob(name.rstrip("/").replace("NAME", "*")))
    if name in NOT_IN_THE_REPOSITORY or (ROOT / name).exists():
        return True
    return any(any((ROOT / folder).rglob(name)) for folder in TOP_LEVEL if folder[0] != ".")


def _commands(page: Path) -> Iterator[list[str]]:
    """The words after each ``looksync``, options left out; "a|b" stands for both."""
    for code in code_in(page):
        for line in re.findall(rf"{COMMAND}looksync ((?:[\w|/.=-]+ ?)+)", code):
            words = re.sub(r"--config \S+", "", line).split()
            names = [word for word in words if not word.startswith("-")]
            if names:
                first, *rest = names
                yield from ([one, *rest] for one in first.split("|"))


def _is_command(words: list[str]) -> bool:
    node: object = typer.main.get_command(app)
    for word in words:
        commands: dict[str, object] | None = getattr(node, "commands", None)
        if commands is None:  # a command: what follows are its arguments
            return True
        alternatives = word.split("|")
        if any(name not in commands for name in alternatives):
            return False
        node = commands[alternatives[0]]
    return True
