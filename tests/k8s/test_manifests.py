"""The manifests are valid for Kubernetes and keep our security and availability rules."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.k8s.manifests import (
    K8S,
    OVERLAYS,
    ROOT,
    WORKLOADS,
    Manifest,
    build,
    containers,
    of_kind,
    overlay,
    pods,
    selects,
)

KUBERNETES = ("1.32", "1.37")
"""The oldest supported version, and the newest whose schemas are installed."""
CUSTOM = "keda.sh/"
"""Resources whose schemas are not Kubernetes's own."""
BUILT = [*(K8S / "overlays" / name for name in OVERLAYS), K8S / "models"]


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("folder", BUILT, ids=lambda folder: folder.name)
def test_every_resource_is_valid(folder: Path, version: str) -> None:
    for manifest in build(folder):
        if not manifest["apiVersion"].startswith(CUSTOM):
            kubernetes_validate.validate(manifest, version, strict=True)


def test_the_base_is_valid_without_kustomize() -> None:
    for path in (K8S / "base").glob("*.yaml"):
        if path.name != "kustomization.yaml":
            for manifest in base(path.name):
                kubernetes_validate.validate(manifest, KUBERNETES[-1], strict=True)


def test_validation_detects_a_misspelt_field() -> None:
    (flow,) = of_kind(base("looks.yaml"), "Deployment")
    flow["spec"]["minReadySecond"] = 30

    with pytest.raises(kubernetes_validate.ValidationError, match="minReadySecond"):
        kubernetes_validate.validate(flow, KUBERNETES[-1], strict=True)


@pytest.mark.parametrize("folder", BUILT, ids=lambda folder: folder.name)
def test_pods_run_with_least_privilege_and_bounded_resources(folder: Path) -> None:
    for name, pod in pods(build(folder)):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            for bound in ("requests", "limits"):
                assert {"cpu", "memory"} <= container["resources"][bound].keys(), name


@pytest.mark.parametrize("folder", BUILT, ids=lambda folder: folder.name)
def test_images_are_pinned_to_a_version(folder: Path) -> None:
    for name, pod in pods(build(folder)):
        for container in containers(pod):
            tag = container["image"].rpartition(":")[2]
            assert re.fullmatch(r"v?\d+\.\d+\.\d+(-\w+)?", tag), (name, container["image"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_secrets_are_referenced_not_written(name: str) -> None:
    manifests = overlay(name)

    assert not of_kind(manifests, "Secret")
    for _, pod in pods(manifests):
        for container in containers(pod):
            for variable in container.get("env", []):
                if re.search(r"PASSWORD|KEY$|TOKEN", variable["name"]):
                    assert variable["valueFrom"]["secretKeyRef"]["name"] == "looksync"


@pytest.mark.parametrize("folder", BUILT, ids=lambda folder: folder.name)
def test_references_resolve(folder: Path) -> None:
    manifests = build(folder)
    existing = {(m["kind"], m["metadata"]["name"]) for m in manifests}
    existing |= {("PersistentVolumeClaim", "models")}  # k8s/models uses the overlay's volume
    for workload in of_kind(manifests, *WORKLOADS):
        spec = workload["spec"]
        pod = spec["template"]
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        for container in containers(pod):
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted <= volumes.keys()
        for volume in volumes.values():
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in existing
            if "persistentVolumeClaim" in volume:
                assert (
                    "PersistentVolumeClaim",
                    volume["persistentVolumeClaim"]["claimName"],
                ) in existing


@pytest.mark.parametrize("name", OVERLAYS)
def test_services_and_policies_select_pods_that_exist(name: str) -> None:
    manifests = overlay(name)
    labels = [pod["metadata"]["labels"] for _, pod in pods(manifests)]

    for service in of_kind(manifests, "Service"):
        assert any(service["spec"]["selector"].items() <= pod.items() for pod in labels)
    for policy in of_kind(manifests, "NetworkPolicy", "PodDisruptionBudget"):
        selector = policy["spec"].get("podSelector", policy["spec"].get("selector"))
        assert any(selects(selector, pod) for pod in labels), policy["metadata"]["name"]


def test_only_production_has_disruption_budgets() -> None:
    assert not of_kind(overlay("one-node"), "PodDisruptionBudget")
    guarded = {m["metadata"]["name"] for m in of_kind(overlay("production"), "PodDisruptionBudget")}
    assert guarded == {"catalog", "looks", "api", "vllm"}


def test_the_model_server_has_the_documented_flags() -> None:
    documented = (ROOT / "docs/models.md").read_text().replace("\\\n", " ")
    (server,) = of_kind(
        tuple(yaml.safe_load_all((K8S / "base/vllm.yaml").read_text())), "Deployment"
    )
    (container,) = server["spec"]["template"]["spec"]["containers"]
    given = {argument.removeprefix("--") for argument in container["args"]}
    (model,) = (flag.partition("=")[2] for flag in given if flag.startswith("served-model-name="))
    command = documented.partition(f"$ vllm serve {model} ")[2].partition("\n")[0]
    _, *flags = re.split(r"\s+--", f" {command.strip()}")
    assert flags, "the model is documented"
    assert {flag.strip().replace(" ", "=", 1).replace("'", "") for flag in flags} <= given


def test_the_model_server_has_the_locked_version() -> None:
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    (version,) = [package["version"] for package in locked if package["name"] == "vllm"]

    assert f"vllm/vllm-openai:v{version}" in (K8S / "base/vllm.yaml").read_text()


def test_third_party_manifests_are_valid() -> None:
    for file in ("namespace.yaml", "weaviate/service.yaml"):
        for manifest in yaml.safe_load_all((K8S / "third-party" / file).read_text()):
            kubernetes_validate.validate(manifest, KUBERNETES[-1], strict=True)


def test_third_party_versions_are_pinned() -> None:
    files = sorted((K8S / "third-party").rglob("*.yaml"))
    assert files
    for path in files:
        assert list(yaml.safe_load_all(path.read_text())), path
        for tag in re.findall(r"^\s*(?:tag|version): (.+)$", path.read_text(), re.MULTILINE):
            assert re.fullmatch(r"\d+\.\d+\.\d+", tag), (path, tag)


def base(file: str) -> tuple[Manifest, ...]:
    return tuple(yaml.safe_load_all((K8S / "base" / file).read_text()))
