"""Commands that need no model start without the libraries that take seconds to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "transformers", "open_clip", "weaviate", "bytewax")

SCRIPT = f"""
import sys
from services.cli.app import run
try:
    run()
finally:
    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["match", "--help"], ["models", "list"]])
def test_help_and_the_list_of_models_import_no_heavy_library(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout
    assert done.stderr.strip() == "[]"


def test_the_embedded_preset_is_wired_without_weaviates_client() -> None:
    script = "import sys, dataflows.wiring.parts; print('weaviate' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
