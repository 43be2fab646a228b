"""Segmentation by query: Florence-2 finds the boxes, SAM 2 the masks inside them.

Florence-2 (Xiao et al. 2023) grounds the query's phrases in the picture; SAM 2 (Ravi et al. 2024)
turns each box into a mask. Both run in transformers' own classes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from transformers import (
    AutoProcessor,
    Florence2ForConditionalGeneration,
    Sam2Model,
    Sam2Processor,
)

from operators.models.complete import load_model, load_processor
from operators.models.placement import Placement
from operators.ports import Segment
from schemas.attributes import Department
from schemas.looks import Region

TASK = "<CAPTION_TO_PHRASE_GROUNDING>"

ANSWER_TOKENS = 128
"""A query of 20 words with four boxes takes about 60; longer answers only repeat themselves."""

BEAMS = 3
"""From the authors' examples."""

MIN_MASK_FRACTION = 0.02
"""Of the boxes' area. A smaller mask has missed the garment; the boxes are used instead."""

ADVICE = " (for Florence-2: florence-community/..., not microsoft/...)"

Box: TypeAlias = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels, clipped to the picture and not empty."""


class FlorenceSam2:
    """Implements :class:`operators.ports.QuerySegmenter`; processes one picture at a time."""

    def __init__(
        self,
        grounding: Any,
        grounding_processor: Any,
        masks: Any,
        masks_processor: Any,
        device: str,
    ) -> None:
        """Models and processors as loaded by transformers; usually called by :meth:`load`."""
        self.fingerprint = f"{grounding.name_or_path}+{masks.name_or_path}"
        self._placement = Placement.choose(device)
        self._grounding = grounding.eval().to(self._placement.device, self._placement.dtype)
        self._grounding_processor = grounding_processor
        # Box coordinates go up to 1024: half precision would shift them by pixels.
        self._masks = masks.eval().to(self._placement.device)
        self._masks_processor = masks_processor
        self._computation = ThreadPoolExecutor(1, "segmenter")

    @classmethod
    def load(cls, florence: str, sam2: str, device: str = "auto") -> FlorenceSam2:
        """Load from folders or repositories on the hub, in transformers' format; blocking.

        Raises Misconfigured if a model cannot be loaded completely.
        """
        return cls(
            load_model(Florence2ForConditionalGeneration, florence, ADVICE),
            load_processor(AutoProcessor, florence, ADVICE),
            load_model(Sam2Model, sam2),
            load_processor(Sam2Processor, sam2),
            device,
        )

    async def segment(
        self, image: Image, queries: Mapping[Department, str]
    ) -> dict[Department, Segment]:
        """Segment each query's garment; queries that Florence-2 does not find are left out."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._computation, self._segment, image, queries)

    async def close(self) -> None:
        """Finish pending calls, then stop the thread."""
        self._computation.shutdown()

    @torch.inference_mode()
    def _segment(
        self, image: Image, queries: Mapping[Department, str]
    ) -> dict[Department, Segment]:
        image = image.convert("RGB")
        found = self._ground(image, list(queries.values())) if queries else []
        boxes = {department: at for department, at in zip(queries, found, strict=True) if at}
        if not boxes:
            return {}
        flat = [box for at in boxes.values() for box in at]
        masks, confidences = self._mask(image, flat)
        segments, first = {}, 0
        for department, at in boxes.items():
            own = slice(first, first + len(at))
            first += len(at)
            segments[department] = _merge_boxes(at, masks[own], confidences[own])
        return segments

    def _ground(self, image: Image, queries: Sequence[str]) -> list[list[Box]]:
        """Per query the boxes of its first phrase, which names the garment; a pair has two."""
        prepared = self._grounding_processor(
            text=[TASK + query for query in queries],
            images=[image] * len(queries),
            return_tensors="pt",
            padding=True,
        )
        answers = self._grounding.generate(
            **{name: self._placement.upload(values) for name, values in prepared.items()},
            max_new_tokens=ANSWER_TOKENS,
            num_beams=BEAMS,
            do_sample=False,
        )
        return [self._parse_boxes(answer, image) for answer in answers.cpu()]

    def _parse_boxes(self, answer: torch.Tensor, image: Image) -> list[Box]:
        grounded = self._grounding_processor.post_process_generation(
            sequence=answer, task=TASK, image_size=image.size
        )[TASK]
        labelled = list(zip(grounded["labels"], grounded["bboxes"], strict=True))
        clipped = [_clip(box, image) for label, box in labelled if label == labelled[0][0]]
        return [box for box in clipped if box is not None]

    def _mask(
        self, image: Image, boxes: Sequence[Box]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Masks, shape (boxes, height, width), and SAM 2's estimate of each mask's IoU."""
        prepared = self._masks_processor(
            images=image, input_boxes=[[list(box) for box in boxes]], return_tensors="pt"
        )
        device = self._placement.device
        output = self._masks(
            pixel_values=prepared["pixel_values"].to(device),
            input_boxes=prepared["input_boxes"].to(device),
            multimask_output=False,
        )
        masks = self._masks_processor.post_process_masks(
            output.pred_masks.cpu(), prepared["original_sizes"]
        )[0]
        return masks[:, 0].numpy(), output.iou_scores[0, :, 0].cpu().numpy()


def _clip(box: Sequence[float], image: Image) -> Box | None:
    """Clip ``box`` to the picture; None if less than a pixel remains."""
    x0, x1 = np.clip(sorted((box[0], box[2])), 0, image.width)
    y0, y1 = np.clip(sorted((box[1], box[3])), 0, image.height)
    if x1 - x0 < 1 or y1 - y0 < 1:
        return None
    return float(x0), float(y0), float(x1), float(y1)


def _merge_boxes(
    boxes: Sequence[Box], masks: NDArray[np.bool_], confidences: NDArray[np.float32]
) -> Segment:
    """Merge one layer's boxes and their masks, shape (boxes, height, width), into a segment."""
    mask = np.asarray(masks.any(0), np.bool_)
    rectangles = np.zeros(mask.shape, np.bool_)
    for x0, y0, x1, y1 in boxes:
        rectangles[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = True
    confidence = float(np.clip(confidences.min(), 0, 1))
    if mask.sum() < max(1, MIN_MASK_FRACTION * rectangles.sum()):
        mask, confidence = rectangles, 0.0
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    region = Region(
        x0=columns[0] / width,
        y0=rows[0] / height,
        x1=(columns[-1] + 1) / width,
        y1=(rows[-1] + 1) / height,
    )
    return Segment(region, mask, confidence)
