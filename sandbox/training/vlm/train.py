"""Train the tiny VLM.

`python -m sandbox.training.vlm.train --minutes 40 --out sandbox/weights/vlm`

Two single-threaded processes average their gradients, which on two cores is twice as fast as one
process with two threads. The first stage trains the vision tower by its read-outs, the second the
whole model; each has a cosine schedule. A checkpoint is written every four minutes; the same
command resumes from it.
"""

import argparse
import math
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.attention import SDPBackend, sdpa_kernel

from sandbox.training.precision import autocast, muon
from sandbox.training.vlm.batches import Batches
from sandbox.training.vlm.forward import patch_for_training
from sandbox.training.vlm.learner import Learner
from sandbox.training.vlm.model import PATCH, build, save

PROCESSES = 2
PEAK_RATE = {"vision": 2e-3, "joint": 1.5e-3}
ONWARD_SHARE = 0.3
"""Of the peak rate, for weights that are trained on."""
MUON_FACTOR = 2.0
VISION_SHARE = 0.22
"""Share of the time for the vision tower alone."""
PAIRS_FROM = 0.35
"""Share of the second stage before pairs are trained: earlier, their gradient is noise."""
FLOOR = {"vision": 0.25, "joint": 0.02}
WARM_UP_STEPS = 60
SAVE_EVERY = 240.0  # seconds


class Optimiser:
    """Muon on the matrices of blocks, mergers and language layers, AdamW on everything else."""

    def __init__(self, learner: nn.Module) -> None:
        named = list(learner.named_parameters())
        inner = ("visual.blocks", "merger", "language_model.layers")
        matrices = [p for name, p in named if p.ndim == 2 and any(part in name for part in inner)]
        chosen = {id(p) for p in matrices}
        rest = [p for _, p in named if id(p) not in chosen]
        self._parameters = [p for _, p in named]
        self._muon = muon(matrices, 1e-3)
        groups = [
            {"params": [p for p in rest if p.ndim >= 2], "weight_decay": 0.05},
            {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
        ]
        self._adamw = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))

    def step(self, loss: Tensor, rate: float) -> None:
        """One step with the mean gradient of all processes."""
        for optimiser, factor in ((self._adamw, 1.0), (self._muon, MUON_FACTOR)):
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
            optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        have = [p for p in self._parameters if p.grad is not None]
        _average([p.grad for p in have if p.grad is not None])
        torch.nn.utils.clip_grad_norm_(have, 1.0)
        self._adamw.step()
        self._muon.step()  # type: ignore[no-untyped-call]

    def state(self) -> list[dict[str, Any]]:
        """The state for a checkpoint."""
        return [self._adamw.state_dict(), self._muon.state_dict()]

    def load(self, state: list[dict[str, Any]]) -> None:
        """Restore the state of a checkpoint."""
        self._adamw.load_state_dict(state[0])
        self._muon.load_state_dict(state[1])


def _average(gradients: list[Tensor]) -> None:
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat)
    flat /= PROCESSES
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()


def whiten_patches(visual: Any, looks: np.ndarray[Any, Any], rng: np.random.Generator) -> None:
    """Initialise the patch embedding with the looks' whitened principal components, as for the
    CLIP."""
    drawn = []
    height, width = looks.shape[1:3]
    for _ in range(20_000):
        i = rng.integers(len(looks))
        y, x = (
            rng.integers(int(height * 0.08), height - PATCH),
            rng.integers(int(width * 0.15), int(width * 0.85) - PATCH),
        )
        part = looks[i, y : y + PATCH, x : x + PATCH].astype(np.float32) / 127.5 - 1
        drawn.append(part.transpose(2, 0, 1).ravel())
    samples = torch.from_numpy(np.stack(drawn))
    samples = samples[samples.view(len(samples), 3, -1).std(-1).amax(1) > 0.03]
    mean = samples.mean(0)
    weight = visual.patch_embed.proj.weight
    kept = len(weight)
    values, vectors = torch.linalg.eigh(torch.cov((samples - mean).T.double()))
    values, vectors = values.flip(0)[:kept], vectors.flip(1)[:, :kept]
    filters = (vectors / (values + 0.02 * values[3]).sqrt() * 0.7).T.float()
    with torch.no_grad():
        frames = filters.view(kept, 3, 1, PATCH, PATCH).repeat(1, 1, 2, 1, 1) / 2
        weight.copy_(frames)
        visual.patch_embed.proj.bias.copy_(-filters @ mean)


def train(rank: int, asked: argparse.Namespace) -> None:
    """Train in one of the processes."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(asked.port)}
    torch.distributed.init_process_group("gloo", rank=rank, world_size=PROCESSES)
    torch.set_num_threads(1)
    torch.manual_seed(1)
    patch_for_training()
    model, processor = build()
    onward = asked.start is not None
    if onward:
        model.load_state_dict(_weights(asked.start))
    learner = Learner(model, processor.tokenizer)
    optimiser = Optimiser(learner)
    step, elapsed = 0, 0.0
    if asked.checkpoint.exists():
        held = torch.load(asked.checkpoint, weights_only=True)
        learner.load_state_dict(held["learner"])
        optimiser.load(held["optimiser"])
        step, elapsed = held["step"], held["elapsed"]
    batches = Batches(asked.data, 10 + rank + 1000 * step)
    if step == 0 and not onward:
        whiten_patches(model.model.visual, batches.looks, np.random.default_rng(1))
    if rank == 0:
        size = sum(p.numel() for p in model.parameters()) / 1e6
        print(f"{size:.2f} M parameters, {len(batches)} looks", flush=True)
    shown: dict[str, float] = {}
    started, next_save = time.monotonic() - elapsed, elapsed + SAVE_EVERY
    for batch in batches.prefetch():
        elapsed = _broadcast_clock(time.monotonic() - started)
        progress = elapsed / (60 * asked.minutes)
        if progress >= 1:
            break
        stage, fraction = ("joint", progress) if onward else _stage(progress)
        # On the CPU, plain attention under bfloat16 is 1.5 times as fast as the fused one.
        with autocast(), sdpa_kernel([SDPBackend.MATH]):
            loss, parts = learner(batch, stage == "joint", onward or fraction > PAIRS_FROM)
        rate = _rate(stage, fraction, step)
        optimiser.step(loss, rate * ONWARD_SHARE if onward else rate)
        step += 1
        shown = {k: 0.95 * shown.get(k, v) + 0.05 * v for k, v in parts.items()}
        if rank == 0 and step % 25 == 0:
            line = " ".join(f"{k} {v:.3f}" for k, v in shown.items())
            print(f"{elapsed:.0f}s step {step} {stage} {fraction:.2f} {line}", flush=True)
        if elapsed > next_save:
            next_save = elapsed + SAVE_EVERY
            if rank == 0:
                _checkpoint(asked.checkpoint, learner, optimiser, step, elapsed)
                save(model, processor, asked.out)
    if rank == 0:
        save(model, processor, asked.out)
        print("done", step, flush=True)


def _weights(folder: Path) -> dict[str, Tensor]:
    held = load_file(folder / "model.safetensors")
    # Tied weights are in the file once.
    held["lm_head.weight"] = held["model.language_model.embed_tokens.weight"]
    return {name: weight.float() for name, weight in held.items()}


def _broadcast_clock(seconds: float) -> float:
    """Return the first process's clock, so that both end at the same step."""
    clock = torch.tensor(seconds, dtype=torch.float64)
    torch.distributed.broadcast(clock, 0)
    return float(clock)


def _stage(progress: float) -> tuple[str, float]:
    if progress < VISION_SHARE:
        return "vision", progress / VISION_SHARE
    return "joint", (progress - VISION_SHARE) / (1 - VISION_SHARE)


def _rate(stage: str, fraction: float, step: int) -> float:
    floor = FLOOR[stage]
    cosine = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * fraction))
    return PEAK_RATE[stage] * min(1.0, (step + 1) / WARM_UP_STEPS) * cosine


def _checkpoint(
    path: Path, learner: Learner, optimiser: Optimiser, step: int, elapsed: float
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    held = {
        "learner": learner.state_dict(),
        "optimiser": optimiser.state(),
        "step": step,
        "elapsed": elapsed,
    }
    torch.save(held, partial)
    partial.rename(path)


def main(arguments: Iterable[str] | None = None) -> None:
    """Train the sandbox's vision-language model."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--data", type=Path, default=Path("var/clip/train"))
    parser.add_argument("--out", type=Path, default=Path("sandbox/weights/vlm"))
    parser.add_argument("--checkpoint", type=Path, default=Path("var/vlm/checkpoint.pt"))
    parser.add_argument("--start", type=Path, help="Weights to go on from, at a lower rate.")
    parser.add_argument("--port", type=int, default=29617)
    asked = parser.parse_args(None if arguments is None else list(arguments))
    spawn(train, (asked,), nprocs=PROCESSES)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
