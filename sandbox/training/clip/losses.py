"""What the model is asked for. Similarities are cosines times a learned scale."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sandbox.training.clip.codes import VALUES
from sandbox.world import ATTRIBUTES, LABELS


def contrast(logits: Tensor, true: Tensor, open_: Tensor) -> Tensor:
    """Cross-entropy of rows against all their true columns, open ones left out (n x m).

    A row may have several true columns (two photographs that a short caption fits): each is asked
    to stand out, and their mean counts. Rows with none are skipped.
    """
    log_p = logits.masked_fill(open_, float("-inf")).log_softmax(-1)
    hits = true.sum(-1)
    per_row = -log_p.masked_fill(~true, 0.0).sum(-1) / hits.clamp_min(1)
    return per_row[hits > 0].mean()


class AttributeHeads(nn.Module):
    """Linear read-outs of every attribute; they guide training and are not exported."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.read = nn.Linear(width, sum(len(values) for values in VALUES.values()))

    def forward(self, features: Tensor, codes: Tensor) -> Tensor:
        """Sum of the attributes' cross-entropies; features (n, width), codes (n, 8)."""
        logits = self.read(features).float().split([len(v) for v in VALUES.values()], -1)
        losses = [
            functional.cross_entropy(logits[a][known], codes[known, a])
            for a in range(len(ATTRIBUTES))
            if (known := codes[:, a] >= 0).any()
        ]
        return torch.stack(losses).sum()


def cover(cells: Tensor, grid: int) -> Tensor:
    """Share of each label in each patch: (n, 28, 28) values to (n, grid * grid, 11)."""
    n, side = cells.shape[:2]
    k = side // grid
    hot = functional.one_hot(cells.long(), len(LABELS)).float()
    return hot.view(n, grid, k, grid, k, -1).mean((2, 4)).flatten(1, 2)


def segment(logits: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of patches' logits (n, p, 11), and the share of patches got right.

    Patches that no label fills by more than half say nothing and are left out.
    """
    most, label = share.max(-1)
    clear = most > 0.5
    right = (logits[clear].argmax(-1) == label[clear]).float().mean()
    return functional.cross_entropy(logits[clear], label[clear]), right


def pool_region(patches: Tensor, weights: Tensor) -> Tensor:
    """One unit embedding (n, d) of the unit patch embeddings (n, p, d) under weights (n, p)."""
    return functional.normalize((weights[:, :, None] * patches).sum(1), dim=-1)
