"""The overlays of k8s/, as built for the cluster."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
OVERLAYS = ("one-node", "production")
Manifest = dict[str, Any]


@cache
def kustomize() -> Path | None:
    built = ROOT / ".tools" / "bin" / "kustomize"
    found = shutil.which("kustomize")
    return built if built.exists() else Path(found) if found else None


@cache
def build(folder: Path) -> tuple[Manifest, ...]:
    """Build a kustomization; skip the test when there is no kustomize."""
    if (tool := kustomize()) is None:
        pytest.skip("no kustomize: `make k8s-tools` builds it, if there is Go")
    done = subprocess.run([tool, "build", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def overlay(name: str) -> tuple[Manifest, ...]:
    return build(K8S / "overlays" / name)


def of_kind(manifests: tuple[Manifest, ...], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def named(manifests: tuple[Manifest, ...], kind: str, name: str) -> Manifest:
    (found,) = [m for m in of_kind(manifests, kind) if m["metadata"]["name"] == name]
    return found


WORKLOADS = ("Deployment", "Job")


def pods(manifests: tuple[Manifest, ...]) -> Iterator[tuple[str, Manifest]]:
    """The name of each workload and its pod template."""
    for workload in of_kind(manifests, *WORKLOADS):
        yield workload["metadata"]["name"], workload["spec"]["template"]


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def variables(container: Manifest) -> dict[str, Manifest]:
    return {variable["name"]: variable for variable in container.get("env", [])}


def arguments(container: Manifest) -> list[str]:
    return list(container.get("args", []))


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    for rule in selector.get("matchExpressions", []):
        value = labels.get(rule["key"])
        if value is None or (rule["operator"] == "In" and value not in rule["values"]):
            return False
    return bool(selector.get("matchLabels", {}).items() <= labels.items())
