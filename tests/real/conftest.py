"""Real servers: those that LOOKSYNC_TEST_... variables name, else started for the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from served_model import ROOT, WEIGHTS, ServedModel

from services.processes import free_port
from services.vllm_cpu.serve import MODEL, vllm_server


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedModel]:
    """A vLLM server of the sandbox VLM."""
    if url := os.environ.get("LOOKSYNC_TEST_VLLM"):
        yield ServedModel(url, os.environ.get("LOOKSYNC_TEST_VLLM_MODEL", MODEL))
        return
    python = ROOT / "var" / "services" / "vllm" / "venv" / "bin" / "python"
    if not python.exists():
        pytest.skip("no vLLM here: `make services-setup` sets it up, or set LOOKSYNC_TEST_VLLM")
    with vllm_server(
        python, WEIGHTS, free_port(), ROOT / "var" / "services" / "vllm" / "log"
    ) as url:
        yield ServedModel(url, MODEL)
