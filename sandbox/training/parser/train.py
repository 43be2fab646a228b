"""Train the sandbox's human parser, a small UperNet.

`python -m sandbox.training.parser.train --minutes 25` writes `sandbox/weights/parser`.
"""

import argparse
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import (
    ResNetConfig,
    SegformerImageProcessor,
    UperNetConfig,
    UperNetForSemanticSegmentation,
)

from sandbox.training.parser.dataset import read_shards
from sandbox.training.parser.vary import SIDE, plain, vary
from sandbox.training.precision import autocast
from sandbox.world import LABELS

BATCH = 24
PEAK_RATE = 2e-3
WARM_UP_STEPS = 200
HELD_OUT = 200
"""Looks that are not trained on."""
REPORT_EVERY = 100

# The statistics of ImageNet, as in published parsers.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def build() -> Any:
    """A model with random weights: UperNet (Xiao et al. 2018) on a narrow ResNet."""
    backbone = ResNetConfig(
        layer_type="basic",
        embedding_size=32,
        hidden_sizes=[32, 64, 96, 160],
        depths=[2, 2, 2, 2],
        out_features=["stage1", "stage2", "stage3", "stage4"],  # type: ignore[call-arg]
    )
    config = UperNetConfig(
        backbone_config=backbone,
        hidden_size=48,
        use_auxiliary_head=False,
        id2label=dict(enumerate(LABELS)),
        label2id={name: number for number, name in enumerate(LABELS)},
    )
    return UperNetForSemanticSegmentation(config)  # type: ignore[no-untyped-call]


def class_weights(labels: Tensor) -> Tensor:
    """Weights of the labels: glasses have a thousandth of the pixels that walls have."""
    counts = torch.bincount(labels.flatten().long(), minlength=len(LABELS)).float() + 1
    weights = (counts.sum() / counts) ** 0.4
    return weights / weights.mean()


def logits_of(model: Any, images: Tensor) -> Tensor:
    """Shape (n, labels, SIDE / 4, SIDE / 4)."""
    mean = torch.tensor(MEAN)[:, None, None]
    deviation = torch.tensor(DEVIATION)[:, None, None]
    prepared = ((images - mean) / deviation).contiguous(memory_format=torch.channels_last)
    # Without the enlargement to the input's size, which labels do not have.
    logits: Tensor = model.decode_head(model.backbone(prepared).feature_maps)
    return logits.float()


@torch.inference_mode()
def overlaps(model: Any, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Intersection over union of each label's pixels."""
    model.eval()
    parts = torch.split(images, 20)
    found = torch.cat([logits_of(model, part).argmax(1) for part in parts])
    model.train()
    return {
        name: float(((found == n) & (labels == n)).sum() / ((found == n) | (labels == n)).sum())
        for n, name in enumerate(LABELS)
    }


def train(data: Path, out: Path, minutes: float) -> None:
    """Train for ``minutes``, then write the model."""
    torch.manual_seed(1)
    pictures, labels = (torch.from_numpy(one) for one in read_shards(data))
    held = slice(len(pictures) - HELD_OUT, None)
    checks = {
        "plain": plain(pictures[held], labels[held]),
        "varied": vary(pictures[held], labels[held]),
    }
    model = build().to(memory_format=torch.channels_last).train()
    weights = class_weights(labels[:1000])
    optimiser = torch.optim.AdamW(model.parameters(), PEAK_RATE, (0.9, 0.98), weight_decay=0.02)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters", flush=True)
    began, step, mean = time.monotonic(), 0, 0.0
    while (progress := (time.monotonic() - began) / (60 * minutes)) < 1:
        chosen = torch.randint(len(pictures) - HELD_OUT, (BATCH,))
        images, wanted = vary(pictures[chosen], labels[chosen])
        with autocast():
            logits = logits_of(model, images)
        loss = functional.cross_entropy(logits, wanted, weights)
        rate = PEAK_RATE * min(1.0, (step + 1) / WARM_UP_STEPS)
        for group in optimiser.param_groups:
            group["lr"] = rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        mean = loss.item() if step == 1 else 0.98 * mean + 0.02 * loss.item()
        if step % REPORT_EVERY == 0:
            took = time.monotonic() - began
            print(
                f"{took:.0f}s step {step} {step * BATCH / took:.0f}/s loss {mean:.3f}", flush=True
            )
        if step % (5 * REPORT_EVERY) == 0:
            save(model, out)
            _report(model, checks)
    save(model, out)
    _report(model, checks)


def _report(model: Any, checks: dict[str, tuple[Tensor, Tensor]]) -> None:
    for name, (images, labels) in checks.items():
        found = overlaps(model, images, labels)
        print(name, " ".join(f"{one} {value:.2f}" for one, value in found.items()), flush=True)


def save(model: Any, out: Path) -> None:
    """Write the weights in half precision, and the preparation of pictures."""
    half = build()
    half.load_state_dict(model.state_dict())
    half.half().save_pretrained(out)
    SegformerImageProcessor(
        size={"height": SIDE, "width": SIDE},
        image_mean=list(MEAN),
        image_std=list(DEVIATION),
        do_reduce_labels=False,
    ).save_pretrained(out)


def main() -> None:
    """Train the parser."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument("--data", type=Path, default=Path("var/parser/train"))
    parser.add_argument("--out", type=Path, default=Path("sandbox/weights/parser"))
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    train(asked.data, asked.out, asked.minutes)


if __name__ == "__main__":
    main()
