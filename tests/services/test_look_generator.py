"""The example of a look generator sends large pictures, too."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import random
from pathlib import Path
from types import ModuleType

from PIL import Image

from schemas.looks import Look

EXAMPLE = Path(__file__).parents[2] / "examples" / "look_generator.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("look_generator", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_picture_of_eight_megabytes_fits_in_a_record() -> None:
    side = 3400
    noise = Image.frombytes("RGB", (side, side), random.Random(1).randbytes(side * side * 3))
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=93)
    assert len(out.getvalue()) > 8_000_000
    example = load()
    value = json.dumps(example.look_record(out.getvalue(), "IN", None)).encode()
    assert len(value) < example.LARGEST
    look = Look.model_validate_json(value)
    assert look.image.data is not None
    with Image.open(io.BytesIO(look.image.data)) as picture:
        assert picture.width == picture.height > 1000


def test_a_picture_that_fits_is_sent_as_it_is() -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "PNG")
    record = load().look_record(out.getvalue(), "IN", None)
    assert base64.b64decode(record["image"]["data"]) == out.getvalue()
