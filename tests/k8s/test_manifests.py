"""What the cluster would be given is what Kubernetes understands, and what we promise of it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from manifests import (
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
)

KUBERNETES = ("1.32", "1.37")
"""The oldest that has what is used (the label with a pod's ordinal is stable since), the newest
whose schemas are here."""
BUILT = [*(K8S / "overlays" / name for name in OVERLAYS), K8S / "models"]


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("folder", BUILT, ids=lambda folder: folder.name)
def test_every_resource_is_valid(folder: Path, version: str) -> None:
    for manifest in build(folder):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_base_is_valid_without_kustomize() -> None:
    for path in (K8S / "base").glob("*.yaml"):
        if path.name != "kustomization.yaml":
            for manifest in base(path.name):
                kubernetes_validate.validate(manifest, KUBERNETES[-1], strict=True)


def test_a_wrong_manifest_would_be_found() -> None:
    (flow,) = of_kind(
        tuple(yaml.safe_load_all((K8S / "base/looks.yaml").read_text())), WORKLOADS[0]
    )
    flow["spec"]["podManagmentPolicy"] = "Parallel"

    with pytest.raises(kubernetes_validate.ValidationError, match="podManagmentPolicy"):
        kubernetes_validate.validate(flow, KUBERNETES[-1], strict=True)


@pytest.mark.parametrize("folder", BUILT, ids=lambda folder: folder.name)
def test_no_pod_can_do_more_than_it_needs(folder: Path) -> None:
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
def test_images_are_named_by_version(folder: Path) -> None:
    for name, pod in pods(build(folder)):
        for container in containers(pod):
            tag = container["image"].rpartition(":")[2]
            assert re.fullmatch(r"v?\d+\.\d+\.\d+(-\w+)?", tag), (name, container["image"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_secret_is_written_here(name: str) -> None:
    manifests = overlay(name)

    assert not of_kind(manifests, "Secret")
    for _, pod in pods(manifests):
        for container in containers(pod):
            for variable in container.get("env", []):
                if re.search(r"PASSWORD|KEY$|TOKEN", variable["name"]):
                    assert variable["valueFrom"]["secretKeyRef"]["name"] == "looksync"


@pytest.mark.parametrize("folder", BUILT, ids=lambda folder: folder.name)
def test_names_that_refer_to_something_do(folder: Path) -> None:
    manifests = build(folder)
    there = {(m["kind"], m["metadata"]["name"]) for m in manifests}
    there |= {("PersistentVolumeClaim", "models")}  # of the overlay, where the models are fetched
    for workload in of_kind(manifests, *WORKLOADS):
        spec = workload["spec"]
        pod = spec["template"]
        claimed = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])}
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        for container in containers(pod):
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted <= volumes.keys() | claimed
        for volume in volumes.values():
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in there
            if "persistentVolumeClaim" in volume:
                assert (
                    "PersistentVolumeClaim",
                    volume["persistentVolumeClaim"]["claimName"],
                ) in there
        if workload["kind"] == "StatefulSet":
            assert ("Service", spec["serviceName"]) in there


@pytest.mark.parametrize("name", OVERLAYS)
def test_services_and_policies_select_pods_that_exist(name: str) -> None:
    manifests = overlay(name)
    labels = [pod["metadata"]["labels"] for _, pod in pods(manifests)]

    for service in of_kind(manifests, "Service"):
        assert any(service["spec"]["selector"].items() <= pod.items() for pod in labels)
    for policy in of_kind(manifests, "NetworkPolicy", "PodDisruptionBudget"):
        selector = policy["spec"].get("podSelector", policy["spec"].get("selector"))
        assert any(selects(selector, pod) for pod in labels), policy["metadata"]["name"]


def test_a_pod_that_may_be_evicted_is_guarded_in_production_only() -> None:
    assert not of_kind(overlay("one-node"), "PodDisruptionBudget")
    guarded = {m["metadata"]["name"] for m in of_kind(overlay("production"), "PodDisruptionBudget")}
    assert guarded == {"catalog", "looks", "vllm"}


def test_the_model_server_is_run_as_the_docs_say() -> None:
    documented = (ROOT / "docs/models.md").read_text()
    command = documented.partition("$ vllm serve ")[2].partition("```")[0].replace("\\\n", " ")
    model, *flags = re.split(r"\s+--", command.strip())
    (server,) = of_kind(
        tuple(yaml.safe_load_all((K8S / "base/vllm.yaml").read_text())), "Deployment"
    )
    (container,) = server["spec"]["template"]["spec"]["containers"]
    given = {argument.removeprefix("--") for argument in container["args"]}

    assert f"served-model-name={model}" in given
    assert {flag.strip().replace(" ", "=", 1).replace("'", "") for flag in flags} <= given


def test_the_model_server_is_the_version_of_the_lock() -> None:
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    (version,) = [package["version"] for package in locked if package["name"] == "vllm"]

    assert f"vllm/vllm-openai:v{version}" in (K8S / "base/vllm.yaml").read_text()


def test_what_stands_beside_them_is_valid() -> None:
    for file in ("namespace.yaml", "weaviate/service.yaml"):
        for manifest in yaml.safe_load_all((K8S / "third-party" / file).read_text()):
            kubernetes_validate.validate(manifest, KUBERNETES[-1], strict=True)


def test_what_others_make_is_named_by_version() -> None:
    files = sorted((K8S / "third-party").rglob("*.yaml"))
    assert files
    for path in files:
        assert list(yaml.safe_load_all(path.read_text())), path
        for tag in re.findall(r"^\s*(?:tag|version): (.+)$", path.read_text(), re.MULTILINE):
            assert re.fullmatch(r"\d+\.\d+\.\d+", tag), (path, tag)


def base(file: str) -> tuple[Manifest, ...]:
    return tuple(yaml.safe_load_all((K8S / "base" / file).read_text()))


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    for rule in selector.get("matchExpressions", []):
        there = labels.get(rule["key"])
        if there is None or (rule["operator"] == "In" and there not in rule["values"]):
            return False
    return bool(selector.get("matchLabels", {}).items() <= labels.items())
