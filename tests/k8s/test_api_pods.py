"""The pods of the HTTP API."""

from __future__ import annotations

import json

import pytest

from k8s.settings_toml import settings_of
from services.api.app import openapi_document
from tests.k8s.manifests import K8S, OVERLAYS, named, overlay, variables


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_api_is_served_and_probed_at_its_port(name: str) -> None:
    manifests, own = overlay(name), settings_of(K8S / "overlays" / name).api
    (container,) = named(manifests, "Deployment", "api")["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    (entry,) = named(manifests, "Service", "api")["spec"]["ports"]

    assert (own.address, own.port) == ("0.0.0.0", port["containerPort"])
    assert entry["targetPort"] == port["name"]
    probed = {container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("liveness", "readiness")}
    assert probed <= json.loads(openapi_document())["paths"].keys()
    assert "LOOKSYNC_API__SIGNING_KEY" in variables(container), "links outlive a pod"
