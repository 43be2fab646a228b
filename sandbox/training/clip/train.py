"""Train the tiny CLIP.

`python -m sandbox.training.clip.train --minutes 43 --out sandbox/weights/clip`

Muon and AdamW, one cosine schedule over the given minutes. A checkpoint is written every seven
minutes; the same command resumes from it.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from sandbox.training.clip.batches import Batches
from sandbox.training.clip.evaluate import evaluate, evaluation_set
from sandbox.training.clip.learner import Learner
from sandbox.training.clip.model import build, save, whiten_patches
from sandbox.training.precision import muon

PEAK_RATE = 1.2e-3
ONWARD_SHARE = 0.3
"""Of the peak rate, for weights that are trained on."""
MUON_FACTOR = 2.0
WARM_UP_STEPS = 100
FLOOR = 0.02
SAVE_EVERY = 420.0  # seconds
MEMORY_FROM = 0.15  # of the training; earlier, embeddings change too fast for a memory bank
_FRAMES = ("{}", "a {}", "a photo of a {}")


class Optimiser:
    """Muon on the transformers' matrices, AdamW on everything else, one cosine schedule."""

    def __init__(self, learner: Learner, peak_rate: float) -> None:
        named = [(name, p) for name, p in learner.named_parameters() if p.requires_grad]
        matrices = [p for name, p in named if p.ndim == 2 and "resblocks" in name]
        chosen = {id(p) for p in matrices}
        rest = [p for _, p in named if id(p) not in chosen]
        self._parameters = [p for _, p in named]
        self._peak_rate = peak_rate
        self._muon = muon(matrices, peak_rate)
        groups = [
            {"params": [p for p in rest if p.ndim >= 2], "weight_decay": 0.05},
            {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
        ]
        self._adamw = torch.optim.AdamW(groups, lr=peak_rate, betas=(0.9, 0.98))

    def step(self, loss: Tensor, step: int, progress: float) -> None:
        """One step at `progress` (0..1) of the schedule."""
        cosine = FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        rate = self._peak_rate * min(1.0, (step + 1) / WARM_UP_STEPS) * cosine
        for optimiser, factor in ((self._adamw, 1.0), (self._muon, MUON_FACTOR)):
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
            optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._adamw.step()
        self._muon.step()  # type: ignore[no-untyped-call]

    def state(self) -> list[dict[str, Any]]:
        """The state for a checkpoint."""
        return [self._adamw.state_dict(), self._muon.state_dict()]

    def load(self, state: list[dict[str, Any]]) -> None:
        """Restore the state of a checkpoint."""
        self._adamw.load_state_dict(state[0])
        self._muon.load_state_dict(state[1])


class Pace:
    """Chooses the faster number of threads on a shared machine.

    Two threads synchronise at every operation, so load on one core can make them slower than one
    thread. Every tenth step measures the alternative.
    """

    def __init__(self, threads: int) -> None:
        self._choices = sorted({1, threads})
        self._seconds = dict.fromkeys(self._choices, 0.0)
        self._chosen, self._began, self._steps = threads, 0.0, 0

    def begin(self) -> None:
        """Before a step."""
        self._steps += 1
        best = min(self._choices, key=self._seconds.__getitem__)
        others = [choice for choice in self._choices if choice != best]
        self._chosen = others[0] if others and self._steps % 10 == 0 else best
        torch.set_num_threads(self._chosen)
        self._began = time.monotonic()

    def end(self) -> None:
        """After a step."""
        took, known = time.monotonic() - self._began, self._seconds[self._chosen]
        self._seconds[self._chosen] = 0.5 * known + 0.5 * took if known else took

    def __str__(self) -> str:
        return " ".join(f"{n}: {seconds:.2f}s" for n, seconds in self._seconds.items())


def train(data: Path, out: Path, minutes: float, checkpoint: Path, start: Path | None) -> None:
    """Train for ``minutes`` without evaluation time, from a checkpoint if there is one.

    ``start``: weights to go on from, at a lower rate, as for pictures of other kinds.
    """
    seed = 1
    torch.manual_seed(seed)
    pace = Pace(torch.get_num_threads())
    out.mkdir(parents=True, exist_ok=True)
    clip, tokenizer = build(out)
    learner = Learner(clip, tokenizer)
    if start is not None:
        clip.load_state_dict(load_file(start / "open_clip_model.safetensors"))
    optimiser = Optimiser(learner, PEAK_RATE if start is None else PEAK_RATE * ONWARD_SHARE)
    step, elapsed = 0, 0.0
    if checkpoint.exists():
        held = torch.load(checkpoint, weights_only=True)
        learner.load_state_dict(held["learner"])
        optimiser.load(held["optimiser"])
        step, elapsed = held["step"], held["elapsed"]
    batches = Batches(data, seed + step)
    if step == 0 and start is None:
        whiten_patches(clip, batches.photos, np.random.default_rng(seed))
    held_out = evaluation_set()
    print(
        f"{sum(p.numel() for p in clip.parameters()) / 1e6:.2f} M parameters, "
        f"{len(batches)} garments in looks",
        flush=True,
    )
    frames = np.random.default_rng(seed)
    shown: dict[str, float] = {}
    next_save = elapsed + SAVE_EVERY
    started = time.monotonic() - elapsed
    for batch in batches.prefetch():
        elapsed = time.monotonic() - started
        progress = elapsed / (60 * minutes)
        if progress >= 1:
            break
        frame = _FRAMES[int(frames.integers(len(_FRAMES)))]
        pace.begin()
        loss, parts = learner(batch, frame, progress > MEMORY_FROM)
        optimiser.step(loss, step, progress)
        pace.end()
        with torch.no_grad():
            clip.logit_scale.clamp_(0, math.log(100))  # type: ignore[operator]
        step += 1
        shown = {k: 0.95 * shown.get(k, v) + 0.05 * v for k, v in parts.items()}
        if step % 25 == 0:
            rate = step * len(batch.pictures) / elapsed
            line = " ".join(f"{k} {v:.3f}" for k, v in shown.items())
            print(f"{elapsed:.0f}s step {step} {rate:.0f}/s ({pace}) {line}", flush=True)
        if elapsed > next_save:
            next_save = elapsed + SAVE_EVERY
            pause = time.monotonic()
            _checkpoint(checkpoint, learner, optimiser, step, elapsed)
            save(clip, out)
            report = evaluate(clip, tokenizer, held_out, quick=True)
            print("EVAL", f"{elapsed:.0f}s", json.dumps(report), flush=True)
            started += time.monotonic() - pause
    save(clip, out)
    print("FINAL", step, json.dumps(evaluate(clip, tokenizer, held_out)), flush=True)


def _checkpoint(
    path: Path, learner: Learner, optimiser: Optimiser, step: int, elapsed: float
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(
        {
            "learner": learner.state_dict(),
            "optimiser": optimiser.state(),
            "step": step,
            "elapsed": elapsed,
        },
        partial,
    )
    partial.rename(path)


def main() -> None:
    """Train the sandbox's image-text encoder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=42.0)
    parser.add_argument("--data", type=Path, default=Path("var/clip/train"))
    parser.add_argument("--out", type=Path, default=Path("sandbox/weights/clip"))
    parser.add_argument("--checkpoint", type=Path, default=Path("var/clip/checkpoint.pt"))
    parser.add_argument("--start", type=Path, help="Weights to go on from.")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    # On the CPU, plain attention under bfloat16 takes half as long again.
    with torch.nn.attention.sdpa_kernel([torch.nn.attention.SDPBackend.MATH]):
        train(asked.data, asked.out, asked.minutes, asked.checkpoint, asked.start)


if __name__ == "__main__":
    main()
