"""The pods' configuration agrees with the settings tree, the flows and the commands."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from k8s.settings_toml import NAME, settings_of, toml_of
from schemas.settings import Settings, load_settings
from services.cli.app import app
from tests.k8s.manifests import (
    K8S,
    OVERLAYS,
    Manifest,
    arguments,
    containers,
    named,
    of_kind,
    overlay,
    pods,
    selects,
    variables,
)

FLOWS = ("catalog", "looks")


def names_of(model: type[BaseModel], prefix: str) -> set[str]:
    """Every environment variable that sets a value in the tree."""
    names = set()
    for key, field in model.model_fields.items():
        name = f"{prefix}{key.upper()}"
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names |= names_of(inner, f"{name}__")
        else:
            names.add(name)
    return names


KNOWN = names_of(Settings, "LOOKSYNC_") | {"LOOKSYNC_CONFIG"}


@pytest.fixture(autouse=True)
def unset_looksync_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LOOKSYNC_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_settings_file_is_current_and_reads_back(name: str) -> None:
    folder = K8S / "overlays" / name
    written, settings = folder / NAME, settings_of(folder)
    title = written.read_text().partition("from ")[2].partition(";")[0]

    assert written.read_text() == toml_of(settings, title), "run `make k8s`"
    assert load_settings(written) == settings


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_variable_is_in_the_settings_tree(name: str) -> None:
    for pod_name, pod in pods(overlay(name)):
        for container in containers(pod):
            ours = {v for v in variables(container) if v.startswith("LOOKSYNC_")}
            assert ours <= KNOWN, (pod_name, ours - KNOWN)


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_pod_can_load_its_settings(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config,) = of_kind(overlay(name), "ConfigMap")
    written = tmp_path / NAME
    written.write_text(config["data"][NAME])
    for pod_name, pod in pods(overlay(name)):
        for container in containers(pod):
            given = variables(container)
            if "LOOKSYNC_CONFIG" not in given:
                continue
            with monkeypatch.context() as environment:
                for variable in given.values():
                    value = variable.get("value", "0" * 32)  # a secret
                    environment.setenv(variable["name"], value)
                environment.setenv("LOOKSYNC_CONFIG", str(written))
                settings = load_settings()
            assert settings.preset == "production", pod_name


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("flow", FLOWS)
def test_a_flow_can_be_scaled_and_moved(name: str, flow: str) -> None:
    """Pods differ in nothing but their name, and no volume binds one to a node."""
    spec = named(overlay(name), "Deployment", flow)["spec"]

    assert "replicas" not in spec, "applying the overlay would undo what an autoscaler set"
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    volumes = {volume["name"]: volume for volume in spec["template"]["spec"]["volumes"]}
    assert "emptyDir" in volumes["recovery"]
    instances = [v for v in variables(spec["template"]["spec"]["containers"][0]) if "INSTANCE" in v]
    assert instances == [], "the host's name is the pod's"


@pytest.mark.parametrize("flow", [*FLOWS, "vllm"])
def test_autoscaling_agrees_with_the_settings(flow: str) -> None:
    manifests = overlay("production")
    topics = settings_of(K8S / "overlays" / "production").topics
    scaled = named(manifests, "ScaledObject", flow)["spec"]
    (trigger,) = scaled["triggers"]

    assert named(manifests, "Deployment", scaled["scaleTargetRef"]["name"])
    assert 2 <= scaled["minReplicaCount"] < scaled["maxReplicaCount"] <= topics.partitions
    if flow == "vllm":
        assert trigger["type"] == "prometheus"
        assert "vllm:num_requests_waiting" in trigger["metadata"]["query"]
        return
    asked = trigger["metadata"]
    assert trigger["type"] == "kafka"
    assert asked["bootstrapServers"] == ",".join(topics.brokers)
    assert asked["consumerGroup"] == f"{topics.kafka.group_prefix}.{flow}"
    assert asked["topic"] == (topics.updates if flow == "catalog" else topics.looks)
    assert asked["username"] == topics.kafka.username
    assert named(manifests, "TriggerAuthentication", trigger["authenticationRef"]["name"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_with_a_gpu_go_to_nodes_with_one(name: str) -> None:
    for pod_name, pod in pods(overlay(name)):
        for container in containers(pod):
            if "nvidia.com/gpu" in container["resources"]["limits"]:
                assert pod["spec"]["nodeSelector"] == {"nvidia.com/gpu.present": "true"}, pod_name
                assert pod["spec"]["tolerations"], pod_name


def test_looks_come_before_packets_when_nodes_run_short() -> None:
    manifests = overlay("production")
    value = {
        name: named(
            manifests,
            "PriorityClass",
            named(manifests, "Deployment", name)["spec"]["template"]["spec"]["priorityClassName"],
        )["value"]
        for name in ("catalog", "looks", "vllm")
    }
    assert value["looks"] == value["vllm"] > value["catalog"] > 0


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("flow", FLOWS)
def test_the_grace_period_covers_draining(name: str, flow: str) -> None:
    pod = named(overlay(name), "Deployment", flow)["spec"]["template"]
    stream = settings_of(K8S / "overlays" / name).stream
    call = stream.catalog.deadline_seconds if flow == "catalog" else stream.looks.deadline_seconds

    assert pod["spec"]["terminationGracePeriodSeconds"] >= call + 30


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("flow", FLOWS)
def test_probes_use_the_port_and_paths_of_the_flow(name: str, flow: str) -> None:
    pod = named(overlay(name), "Deployment", flow)["spec"]["template"]
    stream = settings_of(K8S / "overlays" / name).stream
    serving = stream.catalog if flow == "catalog" else stream.looks
    (container,) = pod["spec"]["containers"]
    (port,) = container["ports"]

    assert (serving.metrics_address, serving.metrics_port) == ("0.0.0.0", port["containerPort"])
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(serving.metrics_port)
    for probe, path in (("startup", "/startupz"), ("liveness", "/livez"), ("readiness", "/readyz")):
        request = container[f"{probe}Probe"]["httpGet"]
        assert (request["path"], request["port"]) == (path, port["name"])


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("flow", FLOWS)
def test_paths_in_the_settings_are_mounted(name: str, flow: str) -> None:
    pod = named(overlay(name), "Deployment", flow)["spec"]["template"]
    settings = settings_of(K8S / "overlays" / name)
    (container,) = pod["spec"]["containers"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    read = [
        settings.encoder.model.removeprefix("local-dir:"),
        settings.segmenter.florence,
        settings.segmenter.sam2,
        str(settings.topics.kafka.ca_file or "/etc/looksync/looksync.toml"),
        variables(container)["LOOKSYNC_CONFIG"]["value"],
    ]
    written = [str(settings.stream.recovery_folder), str(settings.images.http_cache), "/tmp"]
    (written if flow == "catalog" else read).append(settings.thumbnails.url)

    for path in read:
        assert mount_of(path, mounts)["readOnly"] is True, path
    for path in written:
        assert "readOnly" not in mount_of(path, mounts), path


def mount_of(path: str, mounts: dict[str, Manifest]) -> Manifest:
    (mount,) = [m for at, m in mounts.items() if path == at or path.startswith(f"{at}/")]
    return mount


@pytest.mark.parametrize("name", OVERLAYS)
def test_network_policies_allow_the_addresses_in_the_settings(name: str) -> None:
    settings = settings_of(K8S / "overlays" / name)
    index, model = urlsplit(settings.index.url), urlsplit(settings.vlm.url)
    addresses = [
        *settings.topics.brokers,
        index.netloc,
        f"{index.hostname}:{settings.index.grpc_port}",
        urlsplit(settings.redis.url).netloc,
    ]
    manifests = overlay(name)
    looks = named(manifests, "Deployment", "looks")["spec"]["template"]["metadata"]["labels"]
    catalog = named(manifests, "Deployment", "catalog")["spec"]["template"]["metadata"]["labels"]

    api = named(manifests, "Deployment", "api")["spec"]["template"]["metadata"]["labels"]

    for address in addresses:
        host, _, port = address.partition(":")
        namespace = host.split(".")[1]
        for pod in (looks, catalog, api):
            assert may_reach(manifests, pod, namespace, int(port)), address
    assert (model.hostname, model.port) == ("vllm", 8000)
    assert may_reach(manifests, looks, None, 8000)
    assert may_reach(manifests, api, None, 8000)
    assert not may_reach(manifests, catalog, None, 8000), "the catalog flow does not use the model"


def may_reach(
    manifests: tuple[Manifest, ...], pod: dict[str, str], namespace: str | None, port: int
) -> bool:
    """Whether ``pod`` may connect to ``port`` of pods in ``namespace``; None: its own namespace."""
    for policy in of_kind(manifests, "NetworkPolicy"):
        if not selects(policy["spec"]["podSelector"], pod):
            continue
        for rule in policy["spec"].get("egress", []):
            for peer in rule["to"]:
                labels = peer.get("namespaceSelector", {}).get("matchLabels", {})
                matches = (
                    "podSelector" in peer
                    if namespace is None
                    else labels.get("kubernetes.io/metadata.name") == namespace
                )
                if matches and any(entry["port"] == port for entry in rule["ports"]):
                    return True
    return False


@pytest.mark.parametrize("name", OVERLAYS)
def test_traffic_is_denied_by_default(name: str) -> None:
    policies = of_kind(overlay(name), "NetworkPolicy")

    (closed,) = [p for p in policies if p["metadata"]["name"] == "default-deny"]

    assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_command_exists(name: str) -> None:
    commands = [
        arguments(container)
        for _, pod in pods(overlay(name))
        for container in containers(pod)
        if "/looksync:" in container["image"]
    ]

    for command in commands:
        shown = CliRunner().invoke(app, [*command, "--help"])
        assert shown.exit_code == 0, (command, shown.output)
    assert {" ".join(command) for command in commands} == {
        "run catalog",
        "run looks",
        "serve",
        "topics create",
        "index create",
    }


def test_documented_secrets_are_the_ones_that_pods_read() -> None:
    keys = {
        variable["valueFrom"]["secretKeyRef"]["key"]
        for name in OVERLAYS
        for _, pod in pods(overlay(name))
        for container in containers(pod)
        for variable in container.get("env", [])
        if "secretKeyRef" in variable.get("valueFrom", {})
    }

    documented = (K8S.parent / "docs/kubernetes.md").read_text()

    assert keys == set(re.findall(r"--from-literal=([a-z-]+)=", documented))
