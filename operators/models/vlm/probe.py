"""What ``looksync doctor`` asks of the model server; an error says what to do."""

from __future__ import annotations

import httpx

from schemas.errors import Misconfigured, Unavailable
from schemas.settings import VlmSettings

_TIMEOUT_SECONDS = 10.0


async def probe_vlm(settings: VlmSettings) -> None:
    """Ask the server which models it serves. Raises Unavailable or Misconfigured."""
    key = settings.api_key.get_secret_value() if settings.api_key else None
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, headers=headers) as client:
            response = await client.get(f"{settings.url.rstrip('/')}/models")
    except httpx.HTTPError as error:
        raise Unavailable(
            f"vlm.url {settings.url}: {error!r}; start the model server, or set vlm.kind to "
            '"none": looks are then described by the tagger',
            reason="vlm",
        ) from error
    if response.status_code in (401, 403):
        raise Misconfigured(f"vlm.url {settings.url} wants another vlm.api_key")
    try:
        served = [str(model["id"]) for model in response.raise_for_status().json()["data"]]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise Misconfigured(
            f"vlm.url {settings.url} does not answer as an OpenAI-compatible server ({error!r}); "
            "the URL ends in the API's version, as in http://host:8000/v1"
        ) from error
    if settings.model not in served:
        raise Misconfigured(
            f"vlm.model {settings.model!r} is not served there; it serves {', '.join(served)}"
        )
