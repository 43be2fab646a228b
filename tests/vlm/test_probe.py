"""What doctor says of a model server."""

from __future__ import annotations

import pytest
from model_server import model_server

from operators.models.vlm.probe import probe_vlm
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import VlmSettings


async def test_a_model_that_is_served_is_well() -> None:
    with model_server() as server:
        await probe_vlm(VlmSettings(kind="openai", url=server.url, model="double"))


async def test_another_model_is_named() -> None:
    with model_server() as server, pytest.raises(Misconfigured, match="serves double"):
        await probe_vlm(VlmSettings(kind="openai", url=server.url, model="other"))


async def test_a_url_of_something_else() -> None:
    with model_server() as server, pytest.raises(Misconfigured, match="ends in the API's version"):
        await probe_vlm(VlmSettings(kind="openai", url=f"{server.url}/chat", model="double"))


async def test_nobody_there() -> None:
    with model_server() as gone:
        pass
    with pytest.raises(Unavailable, match="start the model server"):
        await probe_vlm(VlmSettings(kind="openai", url=gone.url, model="double"))
