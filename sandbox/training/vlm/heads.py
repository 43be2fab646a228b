"""Read-out heads that train the vision tower; they are not exported.

The language loss alone trains a small vision tower too slowly: patterns stay at chance level. Two
heads train it first: one predicts what each patch shows, and one query per department predicts what
is worn.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from sandbox.training.clip.codes import NONE, VALUES, Codes
from sandbox.training.vlm.model import MERGE, WIDTH
from sandbox.world import DEPARTMENTS, LABELS

READ = ("type", "colour", "pattern", "second_colour")
SIZES = [len(VALUES[name]) + (name == "second_colour") for name in READ]
"""The second colour may be absent."""
_OF_PATCH = len(LABELS) + sum(SIZES)
_COVERED = 0.35
"""Share of a patch that a garment covers before the patch must predict its attributes."""

Labels = npt.NDArray[np.uint8]


def worn_codes(rows: dict[str, list[int]]) -> Codes:
    """Department -> `codes.encode` row, as (departments, READ) with -100 where nothing is worn."""
    out = np.full((len(DEPARTMENTS), len(READ)), -100, np.int64)
    names = list(VALUES)
    for k, department in enumerate(DEPARTMENTS):
        if department not in rows:
            continue
        for j, name in enumerate(READ):
            value = rows[department][names.index(name)]
            out[k, j] = len(VALUES[name]) if value == NONE else value
    return out


class PatchHead(nn.Linear):
    """Merged tokens (n, t, WIDTH) to (n, t, MERGE ** 2, classes of all kinds)."""

    def __init__(self) -> None:
        super().__init__(WIDTH, MERGE**2 * _OF_PATCH)

    def loss(self, tokens: Tensor, cover: Tensor, worn: Tensor) -> Tensor:
        """`cover`: (n, t, MERGE ** 2, labels) shares; `worn`: (n, departments, READ) codes."""
        said = self(tokens).float().unflatten(-1, (MERGE**2, _OF_PATCH))
        kinds = torch.split(said, [len(LABELS), *SIZES], -1)
        share, label = cover.max(-1)
        clear = share > 0.5
        total = functional.cross_entropy(kinds[0][clear], label[clear])
        garment, department = cover[..., 1 : 1 + len(DEPARTMENTS)].max(-1)
        covered = garment >= _COVERED
        row = torch.arange(len(worn))[:, None, None].expand_as(department)
        truth = worn[row, department][covered]
        for j, logits in enumerate(kinds[1:]):
            total = total + functional.cross_entropy(
                logits[covered], truth[:, j], ignore_index=-100
            )
        return total


class DepartmentHead(nn.Module):
    """One query per department attends to all tokens: is a garment worn, and which?"""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(DEPARTMENTS), WIDTH) * 0.2)
        self.blocks = nn.ModuleList(
            nn.TransformerDecoderLayer(
                WIDTH, 5, 2 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(2)
        )
        self.out = nn.Linear(WIDTH, 1 + sum(SIZES))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.queries.expand(len(tokens), -1, -1)
        for block in self.blocks:
            x = block(x, tokens)
        said: Tensor = self.out(x).float()
        return said

    def loss(self, tokens: Tensor, worn: Tensor) -> tuple[Tensor, dict[str, float]]:
        """The loss, and the accuracy per kind."""
        said = self(tokens)
        present = worn[..., 0] >= 0
        total = functional.binary_cross_entropy_with_logits(said[..., 0], present.float())
        right = {}
        for name, logits, truth in self._kinds(said, worn, present):
            total = total + functional.cross_entropy(logits, truth)
            right[name] = float((logits.argmax(-1) == truth).float().mean())
        return total, right

    def _kinds(
        self, said: Tensor, worn: Tensor, present: Tensor
    ) -> Iterator[tuple[str, Tensor, Tensor]]:
        for j, (name, logits) in enumerate(
            zip(READ, torch.split(said[..., 1:], SIZES, -1), strict=True)
        ):
            yield name, logits[present], worn[..., j][present]


def cover(labels: Labels, rows: int, columns: int) -> Tensor:
    """Shares of the labels in each patch, in the order of the merged tokens: (n, t, 4, labels)."""
    n, height, width = labels.shape
    down, across = height // rows, width // columns
    one_hot = labels[..., None] == np.arange(len(LABELS))
    cells = one_hot.reshape(n, rows, down, columns, across, -1).mean((2, 4), dtype=np.float32)
    merged = cells.reshape(n, rows // MERGE, MERGE, columns // MERGE, MERGE, -1)
    ordered = merged.swapaxes(2, 3).reshape(n, rows * columns // MERGE**2, MERGE**2, -1)
    return torch.from_numpy(np.ascontiguousarray(ordered))
