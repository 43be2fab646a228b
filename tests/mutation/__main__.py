"""Mutation score of one area: `python -m tests.mutation matching --sample 120 --seed 7`.

Each mutant runs in a fork of a process that has imported the libraries but none of the project's
modules; the fork imports the mutated source instead of the file, and runs the area's tests until
one fails or takes too long: first the files named after the mutated module, then the others. Tests
that start processes of their own see the original source. Survivors and timeouts are printed as
diffs, then a table (docs/decisions/100-mutation-testing.md).
"""

import argparse
import contextlib
import importlib
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from tests.mutation.mutants import Mutant, list_mutants

ROOT = Path(__file__).parents[2]
OURS = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
AT_ONCE = 2
WAITS = 6
"""Wall-clock time that collecting or a test may take, in limits of CPU time."""
OUTCOMES = {0: "survived", -signal.SIGALRM: "timeout", -signal.SIGPROF: "timeout"}
"""By exit code; any other one means killed."""


@dataclass(frozen=True, slots=True)
class Area:
    """Sources to mutate, as glob patterns, and the tests that should fail for them."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


AREAS: Mapping[str, Area] = {
    "matching": Area(("operators/matching/*.py",), ("tests/matching/test_*.py",)),
    "catalog": Area(
        ("operators/catalog/decide.py", "operators/catalog/apply.py"),
        (
            "tests/catalog/test_decide*.py",
            "tests/catalog/test_apply.py",
            "tests/catalog/test_decisions.py",
            "tests/catalog/test_rebuild.py",
            "tests/catalog/test_backfill.py",
            "tests/catalog/test_replay_property.py",
            "tests/catalog/test_pending_pictures.py",
            "tests/catalog/test_sales.py",
            "tests/catalog/test_bad_packets.py",
        ),
    ),
    "kafka": Area(
        ("operators/streaming/kafka/*.py",),
        ("tests/streaming/test_kafka_*.py", "tests/flows/test_fake_kafka_*.py"),
    ),
}


class _MutatedLoader(SourceFileLoader):
    def __init__(self, module: str, path: str, source: bytes) -> None:
        super().__init__(module, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec")


class _MutatedModule(MetaPathFinder):
    """Finds one module, with other source than its file has."""

    def __init__(self, mutant: Mutant) -> None:
        self._module = ".".join(mutant.path.with_suffix("").parts)
        self._path = str(ROOT / mutant.path)
        self._source = mutant.mutated

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        loader = _MutatedLoader(fullname, self._path, self._source)
        return spec_from_file_location(fullname, self._path, loader=loader)


def main() -> None:
    """Run the sample and print the report."""
    arguments = _parse_arguments()
    area = AREAS[arguments.area]
    os.chdir(ROOT)
    sys.dont_write_bytecode = True
    tests = _glob(arguments.tests or area.tests)
    paths = map(Path, _glob(arguments.sources or area.sources))
    mutants = [mutant for path in paths for mutant in list_mutants(path, path)]
    chosen = mutants
    if 0 < arguments.sample < len(mutants):
        chosen = random.Random(arguments.seed).sample(mutants, arguments.sample)
    print(f"{arguments.area}: {len(chosen)} of {len(mutants)} mutants", flush=True)
    _preload(tests)
    if _wait(_fork(None, tests, arguments.limit)) != 0:
        sys.exit("the tests fail without a mutation")
    results: list[tuple[Mutant, str]] = []
    try:
        _run_all(chosen, tests, arguments.limit, results)
    except KeyboardInterrupt:
        print(f"interrupted: {len(results)} of {len(chosen)} mutants decided")
    if results:
        print(_render_table(results))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("area", choices=sorted(AREAS))
    parser.add_argument("--sample", type=int, default=0, help="mutants to try; 0 tries all")
    parser.add_argument("--seed", type=int, default=7, help="seed of the sample")
    parser.add_argument("--sources", nargs="+", help="glob patterns instead of the area's")
    parser.add_argument("--tests", nargs="+", help="glob patterns instead of the area's")
    parser.add_argument("--limit", type=float, default=20.0, help="CPU seconds of a test")
    return parser.parse_args()


def _glob(patterns: Sequence[str]) -> list[str]:
    return [str(path) for pattern in patterns for path in sorted(Path().glob(pattern))]


def _preload(tests: Sequence[str]) -> None:
    """Import the libraries that the tests use, so that no fork has to."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _silence()
        pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *tests])
        with os.fdopen(writer, "w") as file:
            json.dump([name for name in sys.modules if name.split(".")[0] not in OURS], file)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        names: list[str] = json.load(file)
    os.waitpid(child, 0)
    for name in names:
        # Test modules without a package, and modules that only exist while others load.
        with contextlib.suppress(Exception):
            importlib.import_module(name)


class _Alarm:
    """Ends the process when collecting, or one test, takes too long.

    By SIGPROF after ``limit`` seconds of CPU time, which other processes do not prolong; by SIGALRM
    after WAITS times as long, as mutants may also wait for ever.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self.restart()

    def restart(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, self._limit)
        signal.setitimer(signal.ITIMER_REAL, WAITS * self._limit)

    def pytest_runtest_logstart(self) -> None:
        self.restart()


def _fork(mutant: Mutant | None, tests: Sequence[str], limit: float) -> int:
    """Run the tests in a fork; return its process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()  # a mutant that starts processes is killed with them
        _silence()
        alarm = _Alarm(limit)
        nearest: list[str] = []
        if mutant is not None:
            sys.meta_path.insert(0, _MutatedModule(mutant))
            nearest = [test for test in tests if mutant.path.stem in Path(test).stem]
        others = [test for test in tests if test not in nearest]
        options = ["-x", "-q", "-p", "no:cacheprovider", "-o", "timeout=0", "-m", "not services"]
        for files in filter(None, (nearest, others)):
            alarm.restart()
            if code := int(pytest.main([*options, *files], plugins=[alarm])):
                break
    finally:
        os._exit(code)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _run_all(
    mutants: Sequence[Mutant],
    tests: Sequence[str],
    limit: float,
    results: list[tuple[Mutant, str]],
) -> None:
    """Run each mutant, a test for at most ``limit`` CPU seconds; print survivors and timeouts.

    Adds to ``results`` what is decided, so that an interrupted run has a report.
    """
    waiting = list(mutants)
    running: dict[int, Mutant] = {}
    try:
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                mutant = waiting.pop()
                running[_fork(mutant, tests, limit)] = mutant
            child, status = os.waitpid(-1, 0)
            mutant = running.pop(child)
            _kill_group(child)
            code = os.waitstatus_to_exitcode(status)
            outcome = OUTCOMES.get(code, "killed")
            results.append((mutant, outcome))
            if outcome != "killed":
                print(f"{outcome}:\n{mutant.diff()}\n", flush=True)
    finally:
        for child in running:
            _kill_group(child)
            os.waitpid(child, 0)


def _kill_group(child: int) -> None:
    """Kill what is left of a fork and the processes that its tests started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def _render_table(results: Sequence[tuple[Mutant, str]]) -> str:
    """Render one row per source file; a timeout counts as detected."""
    rows: dict[str, Counter[str]] = {}
    for mutant, status in results:
        for row in (mutant.path.name, "all"):
            rows.setdefault(row, Counter())[status] += 1
    lines = ["| file | mutants | killed | timeout | survived | detected |", "|---|" + "---:|" * 5]
    for row in sorted(rows, key=lambda row: (row == "all", row)):
        counts, total = rows[row], rows[row].total()
        share = 1 - counts["survived"] / total
        lines.append(
            f"| {row} | {total} | {counts['killed']} | {counts['timeout']} "
            f"| {counts['survived']} | {share:.0%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
