"""/healthz, /readyz, /v1/meta."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter, Depends, Response

from schemas.api import Liveness, Meta, Readiness
from schemas.errors import LookSyncError
from services.api.context import Api
from services.api.openapi import problems


def health_router(api: Api) -> APIRouter:
    """The routes for those who run the service."""
    router = APIRouter(tags=["service"])

    @router.get("/healthz", responses=problems("unexpected"))
    async def read_health() -> Liveness:
        """Answers while the process works."""
        return Liveness()

    @router.get(
        "/readyz",
        responses={
            503: {"model": Readiness, "description": "Not ready: come again."},
            **problems("unexpected"),
        },
    )
    async def read_readiness(response: Response) -> Readiness:
        """Whether requests can be answered: 200 or 503."""
        topics = api.arrivals.following
        answers = bool(topics) and all(topics.values())
        if not answers:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Readiness(ready=answers, topics=topics)

    @router.get("/v1/meta", dependencies=[Depends(api.access.requires("read"))])
    async def read_meta() -> Meta:
        """The models and the index that answer."""
        match = api.parts.match
        models = {"encoder": match.encoder.fingerprint}
        if match.vlm is not None:
            models["vlm"] = match.vlm.fingerprint
        try:
            products = await match.index.count()
        except LookSyncError:
            products = None
        return Meta(
            models=models,
            calibrated=match.calibration.fitted(by_model=match.vlm is not None),
            index_generation=match.index.generation,
            products=products,
            time=datetime.now(UTC),
        )

    return router
