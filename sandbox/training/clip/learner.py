"""The training losses of a batch, all in one embedding space.

1. text <-> picture: captions against photographs and crops, with every true pair counted;
2. crop <-> photograph of the same garment, against near-misses and a memory of photographs; and
   the same for the crop's patches that show the garment, pooled;
3. patches <-> the names of departments, skin, hair and background, so that a text finds a layer;
4. attributes from the picture's embedding, and 5. from single patches, through linear read-outs
   that are dropped afterwards.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sandbox.training.clip.batches import NEAR, PAIRS, WINDOWS, Batch
from sandbox.training.clip.codes import Codes, agreement
from sandbox.training.clip.losses import AttributeHeads, contrast, cover, pool_region, segment
from sandbox.training.clip.model import EMBED_DIM, GRID, HEAT, WIDTH, image_and_patches, to_tensor
from sandbox.training.precision import autocast
from sandbox.world import LABELS

MEMORY = 2048
_WEIGHTS = {
    "text": 1.0,
    "pair": 1.0,
    "region": 0.5,
    "dense": 0.5,
    "attributes": 0.15,
    "patches": 0.15,
}


class Learner(nn.Module):
    """The model with its training-only additions: read-out heads, a second scale, a memory bank."""

    def __init__(self, clip: nn.Module, tokenizer: Any) -> None:
        super().__init__()
        self.clip = clip
        self._tokenizer = tokenizer
        self.picture_heads = AttributeHeads(EMBED_DIM)
        self.patch_heads = AttributeHeads(WIDTH)
        self.pair_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.remembered: tuple[Tensor, Codes] | None = None

    def texts(self, sentences: list[str]) -> Tensor:
        """Text embeddings (n, 128). As open_clip computes them, but without trailing padding."""
        clip: Any = self.clip
        ids: Tensor = self._tokenizer(sentences)
        ends = (ids == clip.text_eos_id).int().argmax(-1)
        length = int(ends.max()) + 1
        x = clip.token_embedding(ids[:, :length]) + clip.positional_embedding[:length]
        x = clip.transformer(x, attn_mask=clip.attn_mask[:length, :length])
        x = clip.ln_final(x)[torch.arange(len(ids)), ends]
        return x @ clip.text_projection  # type: ignore[no-any-return]

    def forward(self, batch: Batch, frame: str, memory: bool) -> tuple[Tensor, dict[str, float]]:
        """The weighted loss of a batch, and its terms."""
        words = [frame.format(label) for label in LABELS]
        # Only the towers: similarities times a scale near 100 need more than bfloat16's 8 bits.
        with autocast():
            images, patches, tokens = image_and_patches(self.clip, to_tensor(batch.pictures))
            texts = self.texts(batch.texts + words)
        images, patches, tokens, texts = (x.float() for x in (images, patches, tokens, texts))
        n = len(batch.codes)
        pictured, said = (
            functional.normalize(images[:n], dim=-1),
            functional.normalize(texts[:n], dim=-1),
        )
        photos, crops = pictured[: PAIRS + NEAR], pictured[PAIRS + NEAR : 2 * PAIRS + NEAR]
        photo_codes, crop_codes = batch.codes[: PAIRS + NEAR], batch.codes[PAIRS + NEAR :][:PAIRS]
        columns, column_codes = photos, photo_codes
        if memory and self.remembered is not None:
            columns = torch.cat([photos, self.remembered[0]])
            column_codes = np.concatenate([photo_codes, self.remembered[1]])
        parts = {
            "text": self._text_loss(batch, pictured, said, columns, column_codes),
            "pair": self._pair_loss(photos, crops, columns, column_codes, photo_codes, crop_codes),
        }
        share = cover(torch.from_numpy(batch.cells), GRID)
        seen = torch.cat([patches[PAIRS + NEAR : 2 * PAIRS + NEAR], patches[-WINDOWS:]])
        seen = functional.normalize(seen, dim=-1)
        heat = HEAT * seen @ functional.normalize(texts[n:], dim=-1).T
        parts["dense"], right = segment(heat, share)
        regions = self._regions(seen[:PAIRS], share[:PAIRS], heat[:PAIRS], crop_codes)
        parts["region"] = self._pair_loss(
            photos, regions, columns, column_codes, photo_codes, crop_codes
        )
        codes = torch.from_numpy(batch.codes)
        parts["attributes"] = self.picture_heads(images[:n], codes)
        seen_tokens = torch.cat([tokens[PAIRS + NEAR : 2 * PAIRS + NEAR], tokens[-WINDOWS:]])
        parts["patches"] = self._patch_loss(seen_tokens[:, 1:], share, batch)
        self._remember(photos, photo_codes)
        loss = torch.stack([_WEIGHTS[name] * part for name, part in parts.items()]).sum()
        shown = {name: part.item() for name, part in parts.items()}
        return loss, shown | {"patches right": right.item()}

    def _text_loss(
        self, batch: Batch, pictured: Tensor, said: Tensor, columns: Tensor, codes: Any
    ) -> Tensor:
        scale = self.clip.logit_scale.exp()  # type: ignore[operator]
        extra = columns[PAIRS + NEAR :]
        all_codes = np.concatenate([batch.codes, codes[PAIRS + NEAR :]])
        true, open_ = (
            torch.from_numpy(x) for x in agreement(batch.stated, batch.claimed, all_codes)
        )
        n = len(batch.codes)
        to_pictures = contrast(scale * said @ torch.cat([pictured, extra]).T, true, open_)
        to_texts = contrast(scale * pictured @ said.T, true[:, :n].T, open_[:, :n].T)
        return (to_pictures + to_texts) / 2

    def _pair_loss(
        self,
        photos: Tensor,
        crops: Tensor,
        columns: Tensor,
        column_codes: Codes,
        photo_codes: Codes,
        crop_codes: Codes,
    ) -> Tensor:
        scale = self.pair_scale.exp().clamp(max=100)
        everything = np.ones(crop_codes.shape, np.bool_)
        true, open_ = (torch.from_numpy(x) for x in agreement(crop_codes, everything, column_codes))
        n = len(photo_codes)
        there = contrast(scale * crops @ columns.T, true, open_)
        back = contrast(scale * photos @ crops.T, true[:, :n].T, open_[:, :n].T)
        return 0.7 * there + 0.3 * back

    def _regions(self, patches: Tensor, share: Tensor, heat: Tensor, codes: Codes) -> Tensor:
        """The crops' garments as the mean of their patches, by true or by found segments."""
        label = torch.from_numpy(codes[:, 0])[:, None, None].expand(-1, share.shape[1], 1)
        found = heat.detach().softmax(-1).gather(-1, label)[..., 0]
        true = share.gather(-1, label)[..., 0]
        coin = torch.rand(len(patches), 1) < 0.5
        return pool_region(patches, torch.where(coin, true, found) + 1e-4)

    def _patch_loss(self, tokens: Tensor, share: Tensor, batch: Batch) -> Tensor:
        most, label = share.max(-1)
        clear = most > 0.5
        painted = torch.from_numpy(batch.painted)
        rows = torch.arange(len(painted))[:, None].expand_as(label)[clear]
        loss: Tensor = self.patch_heads(tokens[clear], painted[rows, label[clear]])
        return loss

    def _remember(self, photos: Tensor, codes: Codes) -> None:
        kept = photos.detach()
        if self.remembered is not None:
            kept = torch.cat([kept, self.remembered[0]])[:MEMORY]
            codes = np.concatenate([codes, self.remembered[1]])[:MEMORY]
        self.remembered = (kept, codes)
