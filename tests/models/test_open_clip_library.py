"""open_clip is imported without what a model does not need, and whole when one needs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import open_clip
import pytest
from hypothesis import given
from hypothesis import strategies as st
from open_clip.tokenizer import get_clean_fn

from operators.models.local_tokenizer import local_tokenizer
from operators.models.sandbox_weights import sandbox_weights
from tests.models.tiny_checkpoints import write_checkpoint

TEXT_CONFIG = json.loads((sandbox_weights("clip") / "open_clip_config.json").read_bytes())[
    "model_cfg"
]["text_cfg"]
CLEAN = get_clean_fn("whitespace")

SCRIPT = """
import sys
from operators.models.load_encoder import load_encoder
from schemas.settings import EncoderSettings

def fingerprint(model):
    return load_encoder(EncoderSettings(model=model, device="cpu", threads=1)).fingerprint

heavy = ("timm", "transformers", "torch._dynamo", "torch._dynamo.utils")
first = fingerprint("sandbox-clip")
print([name for name in heavy if name in sys.modules])
import tests.models.tiny_checkpoints  # registers the tiny tower with timm
print(fingerprint(sys.argv[1]))
print(fingerprint("sandbox-clip") == first)
from torch._dynamo import utils
print(callable(utils.is_compile_supported) and "counters" in vars(utils))
"""


def test_own_towers_need_neither_timm_nor_transformers_and_others_still_load(
    tmp_path: Path,
) -> None:
    model = write_checkpoint("marqo-fashionSigLIP", tmp_path / "siglip")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, f"local-dir:{model}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported, fingerprint, same, tracer = done.stdout.splitlines()
    assert imported == "[]"
    assert fingerprint
    assert same == "True"
    assert tracer == "True"


@pytest.fixture(scope="module")
def expected() -> open_clip.tokenizer.HFTokenizer:
    return open_clip.get_tokenizer(f"local-dir:{sandbox_weights('clip')}")


@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
        | st.lists(st.sampled_from(["navy", "dotted", "coat", "<s>", "</s>", "<pad>"])).map(
            " ".join
        ),
        min_size=1,
        max_size=4,
    )
)
def test_tokens_are_those_of_open_clip(
    texts: list[str], expected: open_clip.tokenizer.HFTokenizer
) -> None:
    tokenize = local_tokenizer(sandbox_weights("clip"), TEXT_CONFIG, CLEAN)
    assert tokenize is not None
    assert tokenize(texts).tolist() == expected(texts).tolist()


@pytest.mark.parametrize(
    ("settings", "text_config"),
    [
        ({"tokenizer_class": "T5Tokenizer"}, {}),
        ({"padding_side": "left"}, {}),
        ({"pad_token": None}, {}),
        ({}, {"tokenizer_kwargs": {"strip_sep_token": True}}),
        ({}, {"hf_tokenizer_name": ""}),
        ({}, {"context_length": None}),
    ],
    ids=str,
)
def test_other_tokenizers_are_left_to_open_clip(
    settings: dict[str, object], text_config: dict[str, object], tmp_path: Path
) -> None:
    folder = tmp_path / "clip"
    shutil.copytree(sandbox_weights("clip"), folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | settings))
    assert local_tokenizer(folder, TEXT_CONFIG | text_config, CLEAN) is None
