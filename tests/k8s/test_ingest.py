"""k8s/ingest, the example of a feed that is ingested every night, added to each overlay."""

from __future__ import annotations

import os
import re
from pathlib import Path

import kubernetes_validate
import pytest
import typer.main
import yaml

from services.cli.app import app
from tests.k8s.manifests import (
    K8S,
    OVERLAYS,
    Manifest,
    arguments,
    build,
    containers,
    named,
    of_kind,
    selects,
    variables,
)
from tests.k8s.test_pod_settings import KNOWN


@pytest.fixture(params=OVERLAYS)
def built(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Manifest, ...]:
    """An overlay with the component, as the component's comment says."""
    added = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "looksync",
        "resources": [os.path.relpath(K8S / "overlays" / request.param, tmp_path.resolve())],
        "components": [os.path.relpath(K8S / "ingest", tmp_path.resolve())],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(added))
    return build(tmp_path)


def test_the_job_is_valid_and_its_references_resolve(built: tuple[Manifest, ...]) -> None:
    job = named(built, "CronJob", "ingest-elm")
    for version in ("1.32", "1.37"):
        kubernetes_validate.validate(job, version, strict=True)
    existing = {(m["kind"], m["metadata"]["name"]) for m in built}
    pod = job["spec"]["jobTemplate"]["spec"]["template"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    for volume in pod["spec"]["volumes"]:
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in existing
        if "persistentVolumeClaim" in volume:
            claim = volume["persistentVolumeClaim"]["claimName"]
            assert ("PersistentVolumeClaim", claim) in existing


def test_the_job_may_reach_the_stores_and_the_vendor(built: tuple[Manifest, ...]) -> None:
    job = named(built, "CronJob", "ingest-elm")
    labels = job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    allowing = {
        policy["metadata"]["name"]
        for policy in of_kind(built, "NetworkPolicy")
        if selects(policy["spec"]["podSelector"], labels)
    }
    assert allowing >= {"default-deny", "dns", "to-stores", "to-feeds"}
    assert "to-pictures" not in allowing


def test_the_job_calls_a_command_with_settings_that_exist(built: tuple[Manifest, ...]) -> None:
    job = named(built, "CronJob", "ingest-elm")
    [container] = containers(job["spec"]["jobTemplate"]["spec"]["template"])
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {n for n in variables(container) if n.startswith("LOOKSYNC_")} <= KNOWN
    name, *rest = arguments(container)
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, list(rest))
    writable = [m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")]
    [rejects] = [re.sub("^--rejects=", "", one) for one in rest if one.startswith("--rejects=")]
    assert any(rejects.startswith(f"{path}/") for path in writable)
