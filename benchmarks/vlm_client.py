"""Descriptions per second: our client compared with vLLM's benchmark client, on one vLLM server.

    python -m benchmarks.vlm_client [LOOKS] [ROUNDS]

The sandbox VLM is served here on the CPU (`make services-setup` first). `vllm bench serve` sends
the same prompt, schema and pictures, with the same concurrency; the two alternate on looks that
neither has sent before, so that the server's caches do not help. Our client also encodes the
pictures, enforces the budget, and parses and repairs the answers. Target: ours / its own >= 0.95.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from devservers.vllm import MODEL, provision_vllm, vllm_server
from operators.budget import Budget
from operators.models.vlm.answers import LookDescription
from operators.models.vlm.messages import encode_jpeg, response_format
from operators.models.vlm.openai_client import OpenAIVisionModel
from operators.models.vlm.prompts import Prompts
from operators.ports import Picture
from operators.vocabulary.taxonomy import Taxonomy
from sandbox.world import draw_look, sample_outfit
from schemas.settings import VlmSettings
from services.processes import free_port

ROOT = Path(__file__).parents[1]
PYTHON = provision_vllm(ROOT / "var" / "services")
WEIGHTS = ROOT / "sandbox" / "weights" / "vlm"
IN_FLIGHT = 16


def looks(many: int, seed: int) -> list[Picture]:
    rng = random.Random(seed)
    return [Picture(draw_look(sample_outfit(rng), rng).picture, str(n)) for n in range(many)]


async def ours(settings: VlmSettings, pictures: list[Picture]) -> float:
    """Descriptions per second."""
    model = OpenAIVisionModel(settings, Taxonomy.load(), lambda kind: None)
    started = time.perf_counter()
    await asyncio.gather(*(model.describe([picture], Budget.of(300)) for picture in pictures))
    elapsed = time.perf_counter() - started
    await model.close()
    return len(pictures) / elapsed


def its_own(settings: VlmSettings, pictures: list[Picture], folder: Path) -> float:
    """Descriptions per second, as `vllm bench serve` measures them."""
    text = Prompts.load(settings.prompts).describe
    requests = folder / "requests.jsonl"
    with requests.open("w", encoding="utf-8") as file:
        for picture in pictures:
            path = folder / f"{picture.pixel_hash}.jpg"
            path.write_bytes(encode_jpeg(picture.image))
            file.write(json.dumps({"prompt": text, "image_files": [str(path)]}) + "\n")
    body = {"temperature": 0.0, "response_format": response_format(LookDescription)}
    command = [
        *(str(PYTHON.with_name("vllm")), "bench", "serve", "--backend", "openai-chat"),
        *("--base-url", settings.url.removesuffix("/v1"), "--endpoint", "/v1/chat/completions"),
        *("--model", str(WEIGHTS), "--served-model-name", settings.model),
        *("--dataset-name", "custom_image", "--dataset-path", str(requests)),
        *("--num-prompts", str(len(pictures)), "--num-warmups", "0", "--seed", "0"),
        *("--custom-output-len", str(settings.longest_description)),
        *("--max-concurrency", str(settings.concurrency), "--extra-body", json.dumps(body)),
        *("--save-result", "--result-dir", str(folder), "--result-filename", "result.json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"vllm bench serve failed:\n{done.stderr[-2000:]}")
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    if result["completed"] != len(pictures):
        raise SystemExit(f"only {result['completed']} of {len(pictures)} requests were answered")
    return float(result["request_throughput"])


def main(many: int = 80, rounds: int = 5) -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        vllm_server(PYTHON, WEIGHTS, Path(name), free_port()) as server,
    ):
        settings = VlmSettings(
            kind="openai",
            url=server.address,
            model=MODEL,
            prompts="sandbox-1",
            concurrency=IN_FLIGHT,
        )
        asyncio.run(ours(settings, looks(IN_FLIGHT, seed=0)))  # compiles the schema's grammar
        rates: dict[str, list[float]] = {"own": [], "ours": []}
        for number in range(rounds):
            fresh = looks(many, seed=2 * number + 1)
            rates["own"].append(its_own(settings, fresh, Path(name)))
            rates["ours"].append(asyncio.run(ours(settings, looks(many, seed=2 * number + 2))))
    own, our = median(rates["own"]), median(rates["ours"])
    print(f"vllm bench serve       {own:>8.1f} descriptions/s")
    print(f"through our client     {our:>8.1f} descriptions/s")
    print(f"ours / its own         {our / own:>8.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
