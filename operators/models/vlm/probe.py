"""The model server's check, at the start and in ``looksync doctor``."""

from __future__ import annotations

import httpx

from schemas.errors import Misconfigured, Unavailable
from schemas.settings import VlmSettings

_TIMEOUT_SECONDS = 10.0


async def probe_vlm(settings: VlmSettings) -> None:
    """Ask the servers, of the model and of the reranking model if there is one, what they serve.

    Raises Misconfigured when every call is certain to fail: the key or the model is not the
    server's. Raises Unavailable for everything else, as the calls themselves may succeed.
    """
    await _probe(settings, "vlm.url", settings.url, "vlm.model", settings.model)
    if settings.score_url is not None:
        versioned = f"{settings.score_url.rstrip('/')}/v1"
        await _probe(settings, "vlm.score_url", versioned, "vlm.score_model", settings.score_model)


async def _probe(settings: VlmSettings, setting: str, url: str, named: str, model: str) -> None:
    """``setting`` and ``named``: the settings that give the URL, with version, and the model."""
    key = settings.api_key.get_secret_value() if settings.api_key else None
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, headers=headers) as client:
            response = await client.get(f"{url.rstrip('/')}/models")
    except httpx.HTTPError as error:
        late = isinstance(error, httpx.TimeoutException)
        cause = f"no answer in {_TIMEOUT_SECONDS:g} s" if late else str(error) or "no connection"
        raise Unavailable(
            f"{setting} {url}: {cause}; start the model server, or set vlm.kind to "
            '"none" to describe looks with the tagger',
            reason="vlm",
        ) from error
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise Misconfigured(f"{setting} {url} rejects vlm.api_key")
    try:
        served = [str(each["id"]) for each in response.raise_for_status().json()["data"]]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        answer = "no list of models" if response.is_success else str(response.status_code)
        raise Unavailable(
            f"{setting} {url} does not list its models (it answers {answer}); if it is not "
            "a gateway that keeps them to itself, the URL must end in the API's version, as in "
            "http://host:8000/v1 (vlm.score_url without it)",
            reason="vlm",
        ) from error
    if model not in served:
        raise Misconfigured(
            f"{setting} {url} does not serve {named} {model!r}; it serves {', '.join(served)}"
        )
