"""A vLLM server on this machine's CPU, for the service tests: started, waited for, stopped."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from schemas.errors import Unavailable

MODEL = "sandbox"
"""What the server calls the model it serves."""
READY_SECONDS = 240.0
"""It compiles and warms up for 25 to 80 s on two cores."""
GRACE_SECONDS = 20.0


@contextmanager
def vllm_server(python: Path, model: Path, port: int, log: Path) -> Iterator[str]:
    """The URL of a server of the folder ``model``, up to and including the version.

    ``python``: of the environment in this folder's pyproject.toml. Raises Unavailable, with the end
    of the log, when the server ends or is not ready in time.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [
        *(str(python), "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", str(model), "--served-model-name", MODEL),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--max-model-len", "2048", "--max-num-seqs", "64", "--dtype", "float32"),
        *("--enforce-eager", "--limit-mm-per-prompt", '{"image": 11}'),
    ]
    # Offline: the folder has all there is. The cache is in GiB.
    env = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
        )
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(health, timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
    raise Unavailable(f"the vLLM server did not start; its log ends with:\n{tail}", reason="vllm")
