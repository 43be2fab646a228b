"""Layers cut out by their queries: Florence-2 finds the box, SAM 2 the mask inside it.

Florence-2 (Xiao et al. 2023) grounds the query's phrases in the picture; SAM 2 (Ravi et al. 2024)
turns each box into a mask. Both through transformers' own classes.
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

from operators.models.placement import Placement
from operators.ports import Segment
from schemas.attributes import Department
from schemas.errors import Misconfigured
from schemas.looks import Region

TASK = "<CAPTION_TO_PHRASE_GROUNDING>"

ANSWER_TOKENS = 128
"""A query of 20 words with four boxes takes about 60; what runs on longer repeats itself."""

BEAMS = 3
"""As in the authors' examples."""

SMALLEST_MASK = 0.02
"""Of its boxes' area; a mask of less has missed the garment, and the boxes stand for it."""

Box: TypeAlias = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the picture, inside it, with a width and a height."""


class FlorenceSam2:
    """Implements :class:`operators.ports.QuerySegmenter`; one picture is computed at a time."""

    def __init__(
        self,
        grounding: Any,
        grounding_processor: Any,
        masks: Any,
        masks_processor: Any,
        device: str,
    ) -> None:
        """The models and processors as transformers loads them; :meth:`load` is the way in."""
        self._placement = Placement.choose(device)
        self._grounding = grounding.eval().to(self._placement.device, self._placement.dtype)
        self._grounding_processor = grounding_processor
        # Boxes are coordinates up to 1024: half precision would move them by pixels.
        self._masks = masks.eval().to(self._placement.device)
        self._masks_processor = masks_processor
        self._computation = ThreadPoolExecutor(1, "segmenter")

    @classmethod
    def load(cls, florence: str, sam2: str, device: str = "auto") -> FlorenceSam2:
        """From folders or the hub's repositories, in transformers' format; blocking.

        Raises Misconfigured when one of them cannot be loaded, or not completely.
        """
        return cls(
            _loaded(Florence2ForConditionalGeneration, florence),
            _loaded(AutoProcessor, florence),
            _loaded(Sam2Model, sam2),
            _loaded(Sam2Processor, sam2),
            device,
        )

    async def segment(
        self, image: Image, queries: Mapping[Department, str]
    ) -> dict[Department, Segment]:
        """The segment of each query that Florence-2 finds; what is not found is left out."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._computation, self._segment, image, queries)

    async def close(self) -> None:
        """Finish the calls already made, then stop the thread."""
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
        masks, confidences = self._cut(image, flat)
        segments, first = {}, 0
        for department, at in boxes.items():
            own = slice(first, first + len(at))
            first += len(at)
            segments[department] = _segment_of(at, masks[own], confidences[own])
        return segments

    def _ground(self, image: Image, queries: Sequence[str]) -> list[list[Box]]:
        """Per query the boxes of its first phrase, which names the garment; two for a pair."""
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
        return [self._boxes(answer, image) for answer in answers.cpu()]

    def _boxes(self, answer: torch.Tensor, image: Image) -> list[Box]:
        told = self._grounding_processor.post_process_generation(
            sequence=answer, task=TASK, image_size=image.size
        )[TASK]
        labelled = list(zip(told["labels"], told["bboxes"], strict=True))
        clipped = [_clipped(box, image) for label, box in labelled if label == labelled[0][0]]
        return [box for box in clipped if box is not None]

    def _cut(
        self, image: Image, boxes: Sequence[Box]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Masks of shape (boxes, height, width) and SAM 2's own estimate of each one's IoU."""
        prepared = self._masks_processor(
            images=image, input_boxes=[[list(box) for box in boxes]], return_tensors="pt"
        )
        device = self._placement.device
        told = self._masks(
            pixel_values=prepared["pixel_values"].to(device),
            input_boxes=prepared["input_boxes"].to(device),
            multimask_output=False,
        )
        masks = self._masks_processor.post_process_masks(
            told.pred_masks.cpu(), prepared["original_sizes"]
        )[0]
        return masks[:, 0].numpy(), told.iou_scores[0, :, 0].cpu().numpy()


def _clipped(box: Sequence[float], image: Image) -> Box | None:
    """The part of ``box`` that is in the picture; None when that is less than a pixel."""
    x0, x1 = np.clip(sorted((box[0], box[2])), 0, image.width)
    y0, y1 = np.clip(sorted((box[1], box[3])), 0, image.height)
    if x1 - x0 < 1 or y1 - y0 < 1:
        return None
    return float(x0), float(y0), float(x1), float(y1)


def _segment_of(
    boxes: Sequence[Box], masks: NDArray[np.bool_], confidences: NDArray[np.float32]
) -> Segment:
    """Of the boxes of one layer and their masks, (boxes, height, width)."""
    mask = np.asarray(masks.any(0), np.bool_)
    rectangles = np.zeros(mask.shape, np.bool_)
    for x0, y0, x1, y1 in boxes:
        rectangles[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = True
    confidence = float(np.clip(confidences.min(), 0, 1))
    if mask.sum() < max(1, SMALLEST_MASK * rectangles.sum()):
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


def _loaded(kind: Any, source: str) -> Any:
    """``kind.from_pretrained(source)``, complete. Raises Misconfigured."""
    try:
        if not issubclass(kind, torch.nn.Module):
            return kind.from_pretrained(source)
        model, found = kind.from_pretrained(source, dtype=torch.float32, output_loading_info=True)
    except Exception as error:
        # The libraries below raise anything from KeyError to HTTP errors here, and all of it
        # means the same: this model cannot be loaded.
        raise Misconfigured(
            f"{kind.__name__} cannot be loaded from {source}: {error}. Name a folder in "
            "transformers' format (for Florence-2: florence-community/..., not microsoft/...)."
        ) from error
    # The library would start with random weights where the file has none.
    if absent := sorted(found["missing_keys"]):
        raise Misconfigured(
            f"the weights in {source} lack {len(absent)} tensors of {kind.__name__}, "
            f"{absent[0]} for one: fetch them again"
        )
    return model
