"""The check of the model server in ``looksync doctor``."""

from __future__ import annotations

import pytest

from operators.models.vlm.probe import probe_vlm
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import VlmSettings
from tests.vlm.model_server import model_server


async def test_a_served_model_passes() -> None:
    with model_server() as server:
        await probe_vlm(VlmSettings(kind="openai", url=server.url, model="double"))


async def test_the_served_models_are_named_when_another_is_configured() -> None:
    with model_server() as server, pytest.raises(Misconfigured, match="serves double"):
        await probe_vlm(VlmSettings(kind="openai", url=server.url, model="other"))


async def test_a_url_without_the_api_version_is_explained() -> None:
    with (
        model_server() as server,
        pytest.raises(Unavailable, match="must end in the API's version"),
    ):
        await probe_vlm(VlmSettings(kind="openai", url=f"{server.url}/chat", model="double"))


async def test_an_unreachable_server_is_explained() -> None:
    with model_server() as stopped:
        pass
    with pytest.raises(Unavailable, match="start the model server"):
        await probe_vlm(VlmSettings(kind="openai", url=stopped.url, model="double"))


async def test_a_rejected_key_is_certain_to_fail_every_call() -> None:
    with model_server() as server:
        server.lists = 401
        with pytest.raises(Misconfigured, match="rejects"):
            await probe_vlm(VlmSettings(kind="openai", url=server.url, model="double"))


@pytest.mark.parametrize("status", [403, 404, 405, 500, 503])
async def test_a_server_that_does_not_list_its_models_may_answer_calls(status: int) -> None:
    with model_server() as server:
        server.lists = status
        with pytest.raises(Unavailable, match=f"does not list its models .it answers {status}"):
            await probe_vlm(VlmSettings(kind="openai", url=server.url, model="double"))
