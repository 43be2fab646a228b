"""The model server's check, at the start and in ``looksync doctor``."""

from __future__ import annotations

import httpx

from schemas.errors import Misconfigured, Unavailable
from schemas.settings import VlmSettings

_TIMEOUT_SECONDS = 10.0


async def probe_vlm(settings: VlmSettings) -> None:
    """Ask the server which models it serves.

    Raises Misconfigured when every call is certain to fail: the key or the model is not the
    server's. Raises Unavailable for everything else, as the calls themselves may succeed.
    """
    key = settings.api_key.get_secret_value() if settings.api_key else None
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, headers=headers) as client:
            response = await client.get(f"{settings.url.rstrip('/')}/models")
    except httpx.HTTPError as error:
        late = isinstance(error, httpx.TimeoutException)
        cause = f"no answer in {_TIMEOUT_SECONDS:g} s" if late else str(error) or "no connection"
        raise Unavailable(
            f"vlm.url {settings.url}: {cause}; start the model server, or set vlm.kind to "
            '"none" to describe looks with the tagger',
            reason="vlm",
        ) from error
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise Misconfigured(f"vlm.url {settings.url} rejects vlm.api_key")
    try:
        served = [str(model["id"]) for model in response.raise_for_status().json()["data"]]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        answer = "no list of models" if response.is_success else str(response.status_code)
        raise Unavailable(
            f"vlm.url {settings.url} does not list its models (it answers {answer}); if it is not "
            "a gateway that keeps them to itself, the URL must end in the API's version, as in "
            "http://host:8000/v1",
            reason="vlm",
        ) from error
    if settings.model not in served:
        raise Misconfigured(
            f"vlm.url {settings.url} does not serve vlm.model {settings.model!r}; it serves "
            f"{', '.join(served)}"
        )
