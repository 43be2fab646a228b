"""open_clip, imported without what a model does not need.

open_clip imports timm and transformers wherever they are installed, and with them and with
torchvision comes the tracer of torch.compile: more than half of the time until `looksync match`
printed something. A model of open_clip's own towers uses none of the three.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from operators.importing import collector_paused

_IMPORTED_BY = {"timm": "open_clip.timm_model", "transformers": "open_clip.hf_model"}
"""The optional libraries, and the module of open_clip that holds each, or None without it."""
_TRACER = "torch._dynamo.utils"


def import_open_clip(config: Mapping[str, Any] | None) -> ModuleType:
    """open_clip, able to build a model of ``config``; None stands for any model.

    ``config`` is the ``model_cfg`` of an open_clip_config.json. Call it from the thread that
    imports: the libraries left out cannot be imported by another one meanwhile.
    """
    needed = set(_IMPORTED_BY) if config is None else _needed(config)
    if "open_clip" in sys.modules:
        if all(_was_found(library) for library in needed):
            return sys.modules["open_clip"]
        # A model without them was opened before in this process.
        for name in [name for name in sys.modules if name.partition(".")[0] == "open_clip"]:
            del sys.modules[name]
    left_out = {name: None for name in _IMPORTED_BY if name not in needed}
    with collector_paused(), _standing_in(left_out | {_TRACER: _deferred_tracer()}):
        importlib.import_module("torchvision.ops.roi_align")
        return importlib.import_module("open_clip")


def read_config(file: Path) -> Mapping[str, Any] | None:
    """The ``model_cfg`` of an open_clip_config.json; None if it cannot be read, which open_clip
    reports."""
    try:
        config = json.loads(file.read_bytes())["model_cfg"]
        towers = config["vision_cfg"], config["text_cfg"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return config if all(isinstance(tower, dict) for tower in towers) else None


def _needed(config: Mapping[str, Any]) -> set[str]:
    timm = config["vision_cfg"].get("timm_model_name")
    transformers = config["text_cfg"].get("hf_model_name")
    return {name for name, tower in zip(_IMPORTED_BY, (timm, transformers), strict=True) if tower}


def _was_found(library: str) -> bool:
    return getattr(sys.modules[_IMPORTED_BY[library]], library, None) is not None


def _deferred_tracer() -> ModuleType:
    """torchvision.ops.roi_align imports the tracer for one function, which only a call needs."""
    module = ModuleType(_TRACER)

    def is_compile_supported(device: str) -> bool:
        return bool(importlib.import_module(_TRACER).is_compile_supported(device))

    vars(module)["is_compile_supported"] = is_compile_supported
    return module


@contextmanager
def _standing_in(modules: Mapping[str, ModuleType | None]) -> Iterator[None]:
    """Within, importing a name of ``modules`` gives its module, for None a ModuleNotFoundError.

    A module that was imported before stays.
    """
    replaced = {name: module for name, module in modules.items() if name not in sys.modules}
    known: dict[str, Any] = sys.modules  # None is allowed: docs.python.org, "The import system"
    known.update(replaced)
    try:
        yield
    finally:
        for name in replaced:
            del known[name]
