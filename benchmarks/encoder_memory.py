"""Memory of an open_clip encoder on a CPU: while it loads, and while it encodes.

    python -m benchmarks.encoder_memory [ARCHITECTURE]      default: ViT-H-14

The weights are constant: a checkpoint of the architecture is written to a temporary folder (4 GB)
and loaded from there, as in a pod.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file

from operators.models.load_encoder import load_encoder
from schemas.settings import EncoderSettings

PICTURES = 4


def write_checkpoint(architecture: str, folder: Path) -> int:
    """Write a checkpoint in the hub's layout; return the size of its weights in bytes."""
    config = open_clip.get_model_config(architecture)
    with torch.device("meta"):
        model = open_clip.CLIP(**config)
    tensors = {
        name: torch.full(tensor.shape, 0.01, dtype=torch.float32)
        for name, tensor in model.state_dict().items()
    }
    weights = folder / "open_clip_model.safetensors"
    save_file(tensors, str(weights))
    described = {"model_cfg": config, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    return weights.stat().st_size


def memory(name: str) -> float:
    """Return VmHWM (the peak) or VmRSS of this process in GiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (kib,) = [line.split()[1] for line in lines if line.startswith(name)]
    return int(kib) / 2**20


async def load(folder: Path) -> None:
    encoder = load_encoder(EncoderSettings(model=f"local-dir:{folder}", device="cpu"))
    print(f"peak while loading {memory('VmHWM'):.2f} GiB, loaded {memory('VmRSS'):.2f} GiB")
    pictures = [Image.new("RGB", (768, 1024)) for _ in range(PICTURES)]
    await asyncio.gather(*map(encoder.encode_image, pictures))
    print(f"after {PICTURES} pictures at once {memory('VmRSS'):.2f} GiB")
    await encoder.close()


def main() -> None:
    if sys.argv[1:2] == ["--load"]:
        asyncio.run(load(Path(sys.argv[2])))
        return
    architecture = sys.argv[1] if len(sys.argv) > 1 else "ViT-H-14"
    with tempfile.TemporaryDirectory() as folder:
        size = write_checkpoint(architecture, Path(folder))
        print(f"{architecture}: {size / 1e9:.2f} GB of weights", flush=True)
        command = [sys.executable, "-m", "benchmarks.encoder_memory", "--load", folder]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
