"""Downloads an encoder's files from the hub into a folder and verifies them.

A cluster can then load the folder (``encoder.model = "local-dir:FOLDER"``) without the hub.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import RepoSibling

from operators.models.encoder_table import EncoderDescription, Library
from schemas.errors import Misconfigured, Unavailable

TOKENIZER_FILES = (
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
CONFIG_FILES: dict[Library, tuple[str, ...]] = {
    "open_clip": ("open_clip_config.json",),
    "transformers": ("config.json", "preprocessor_config.json"),
}
WEIGHT_FILES: dict[Library, tuple[str, ...]] = {
    "open_clip": ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
    "transformers": ("model.safetensors", "pytorch_model.bin"),
}
"""The first one available is fetched. safetensors come first, as they cannot execute code."""

_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class FetchedEncoder:
    """The verified contents of a folder."""

    folder: Path
    revision: str
    """The hub's commit."""
    sizes: dict[str, int]
    """File name -> bytes."""


def fetch_encoder(row: EncoderDescription, folder: Path) -> FetchedEncoder:
    """Download the files that ``row.library`` loads, and verify them; blocking.

    Existing unchanged files are not downloaded again. Every file's size and hash (SHA-256 of large
    files, git's blob hash of small ones) must match the hub's. Raises Misconfigured if there is
    nothing to fetch or a file does not match, Unavailable if the hub cannot be reached.
    """
    if not row.on_hub:
        raise Misconfigured(f"{row.name} ships with the project, there is nothing to fetch")
    if row.library not in CONFIG_FILES:
        raise Misconfigured(f"{row.name} is served by vLLM, which fetches it: set encoder.url")
    hub = HfApi()
    try:
        listing = hub.model_info(row.checkpoint, files_metadata=True)
        wanted = _select_files(row, listing.siblings or [])
        snapshot_download(
            row.checkpoint,
            revision=listing.sha,
            local_dir=folder,
            allow_patterns=[sibling.rfilename for sibling in wanted],
        )
    except RepositoryNotFoundError as error:
        raise Misconfigured(
            f"{hub.endpoint} has no {row.checkpoint}, or requires a login (HF_TOKEN): {error}"
        ) from error
    except Misconfigured:
        raise
    except Exception as error:
        # The hub's library raises its HTTP library's errors, which differ between versions.
        raise Unavailable(
            f"{row.checkpoint} cannot be fetched from {hub.endpoint}: {error}. Run this on a "
            "machine that reaches the hub (HF_HUB_OFFLINE unset, HF_ENDPOINT for a mirror) and "
            f"copy {folder} from it."
        ) from error
    for sibling in wanted:
        _verify(folder / sibling.rfilename, sibling)
    sizes = {sibling.rfilename: (folder / sibling.rfilename).stat().st_size for sibling in wanted}
    return FetchedEncoder(folder, listing.sha or "", sizes)


def _select_files(row: EncoderDescription, available: Iterable[RepoSibling]) -> list[RepoSibling]:
    """Configuration, weights, tokenizer. Raises Misconfigured if a file is missing."""
    by_name = {sibling.rfilename: sibling for sibling in available}
    weights = [name for name in WEIGHT_FILES[row.library] if name in by_name][:1]
    absent = [name for name in CONFIG_FILES[row.library] if name not in by_name]
    if absent or not weights:
        raise Misconfigured(
            f"{row.checkpoint} is not in the format of {row.library}: it has no "
            f"{', '.join(absent) or ' or '.join(WEIGHT_FILES[row.library])}"
        )
    names = [*CONFIG_FILES[row.library], *weights]
    names += [name for name in TOKENIZER_FILES if name in by_name]
    return [by_name[name] for name in names]


def _verify(path: Path, published: RepoSibling) -> None:
    """Raise Misconfigured unless size and hash are those published by the hub."""
    size = path.stat().st_size
    if published.lfs is not None:
        expected: str | None = published.lfs.sha256
        digest = hashlib.sha256()
    else:
        # git's blob hash: SHA-1 of a header and the content.
        expected = published.blob_id
        digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    if size != published.size or digest.hexdigest() != expected:
        raise Misconfigured(
            f"{path} differs from the hub's file: {size:,} bytes instead of "
            f"{published.size or 0:,}, hash {digest.hexdigest()[:12]} instead of "
            f"{(expected or 'none')[:12]}. Delete it and fetch again."
        )
